import CLinux

/// Lines and columns of a terminal.
package struct TerminalSize: Hashable, Sendable {
    package var rows: Int
    package var columns: Int

    package init(rows: Int, columns: Int) { (self.rows, self.columns) = (rows, columns) }

    /// nil for what is no terminal, or one that does not know.
    package init?(of descriptor: Int32) {
        var (rows, columns): (UInt16, UInt16) = (0, 0)
        // SAFETY: the call fills the two numbers and keeps no pointer.
        guard unsafe clinux_terminal_size(descriptor, &rows, &columns) == 0, rows > 0, columns > 0 else { return nil }
        self.init(rows: Int(rows), columns: Int(columns))
    }
}

/// The keys of a terminal one by one, not shown, and without signals; as it was before when this is dropped.
package struct TerminalKeys: ~Copyable {
    package let descriptor: Int32
    private var saved = termios()

    /// Errors: ENOTTY for what is no terminal. The descriptor stays the caller's, and open as long as this lives.
    package init(of descriptor: Int32) throws(Errno) {
        self.descriptor = descriptor
        // SAFETY: the call fills the structure and keeps no pointer.
        try Errno.check(unsafe clinux_terminal_take_keys(descriptor, &saved))
    }

    deinit {
        var saved = saved
        // SAFETY: the call reads the structure that the initialiser had filled. Nobody can be told when this fails.
        _ = unsafe clinux_terminal_restore(descriptor, &saved)
    }

    /// The next key, after the descriptor has become readable; nil: none after all. Errors: EPIPE at the end.
    package borrowing func take() throws(Errno) -> UInt8? {
        let key = clinux_terminal_key(descriptor)
        return key == -Errno.again.code ? nil : UInt8(truncatingIfNeeded: try Errno.check(key))
    }
}

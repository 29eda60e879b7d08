import CLinux

/// Signals as something to read, instead of something that interrupts.
package struct SignalFD: ~Copyable, Sendable {
    package let fd: OwnedFD

    /// Blocks `signals` in the calling thread; threads it starts afterwards inherit that. To be made first thing, before
    /// there is another thread that the kernel could deliver them to.
    package init(_ signals: [Int32]) throws(Errno) {
        let raw = unsafe signals.withUnsafeBufferPointer { buffer in
            // SAFETY: the call reads `buffer.count` numbers and keeps none of the memory.
            unsafe clinux_signalfd(buffer.baseAddress, buffer.count)
        }
        fd = OwnedFD(adopting: try Errno.check(raw))
    }

    /// The next pending signal; nil when there is none.
    package borrowing func take() throws(Errno) -> Int32? {
        let signal = clinux_signalfd_take(fd.raw)
        return signal == -Errno.again.code ? nil : try Errno.check(signal)
    }
}

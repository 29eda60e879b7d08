import CLinux

/// A counter that another thread or process can be woken by.
package struct EventFD: ~Copyable, Sendable {
    package let fd: OwnedFD

    package init() throws(Errno) { fd = OwnedFD(adopting: try Errno.check(clinux_eventfd())) }

    /// Takes over a descriptor that a peer passed; that it is an eventfd shows when it is used.
    package init(adopting fd: consuming OwnedFD) { self.fd = fd }

    /// Adds one. Never blocks: a full counter is signalled already.
    package borrowing func signal() throws(Errno) { try Errno.check(clinux_eventfd_signal(fd.raw)) }

    /// Takes the count and leaves 0; 0 when there was none.
    @discardableResult
    package borrowing func take() throws(Errno) -> UInt64 {
        let count = clinux_eventfd_take(fd.raw)
        return count == -Int64(Errno.again.code) ? 0 : UInt64(try Errno.check(count))
    }
}

import CLinux

/// Signals an eventfd that others hold too. Never waits, whatever they make of it: a peer that could make this process wait
/// could keep it from ever noticing that the peer has gone.
package struct EventSignaller: ~Copyable {
    private let fd: OwnedFD
    /// Of the kernel's asynchronous operations: the one way in which the kernel adds to an eventfd without waiting, also
    /// when others make it a blocking one that is full.
    private let context: UInt64
    /// Can be written to, always.
    private let ready: EventFD

    /// Takes over a descriptor that a peer passed; that it is an eventfd shows when it is used. `EAGAIN`: the host has no
    /// more asynchronous operations (fs.aio-max-nr). `ENOSYS`: its kernel has none.
    package init(adopting fd: consuming OwnedFD) throws(Errno) {
        try fd.setNonBlocking()
        let ready = try EventFD()
        var made: UInt64 = 0
        // SAFETY: the call writes one number.
        try Errno.check(unsafe clinux_signaller_open(&made))
        context = made
        self.ready = ready
        self.fd = fd
    }

    deinit { _ = clinux_signaller_close(context) }

    /// Adds one, or leaves a count that is full as it is.
    package borrowing func signal() throws(Errno) {
        try Errno.check(clinux_signaller_signal(context, ready.fd.raw, fd.raw))
    }
}

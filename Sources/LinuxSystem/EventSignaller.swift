import CLinux

/// Signals an eventfd that others hold too. Never waits, whatever they make of it: a peer that could make this process wait
/// could keep it from ever noticing that the peer has gone.
package struct EventSignaller: ~Copyable {
    private let fd: OwnedFD
    /// Of the kernel's asynchronous operations; nil where there are none.
    private let context: UInt64?
    /// Can be written to, always.
    private let ready: EventFD

    /// Takes over a descriptor that a peer passed; that it is an eventfd shows when it is used.
    package init(adopting fd: consuming OwnedFD) throws(Errno) {
        try fd.setNonBlocking()
        ready = try EventFD()
        self.fd = fd
        var made: UInt64 = 0
        // SAFETY: the call writes one number.
        context = unsafe clinux_signaller_open(&made) == 0 ? made : nil
    }

    deinit {
        if let context { _ = clinux_signaller_close(context) }
    }

    /// Adds one, or leaves a count that is full as it is.
    package borrowing func signal() throws(Errno) {
        guard let context else {
            try Errno.check(clinux_eventfd_signal_if_room(fd.raw))
            return
        }
        try Errno.check(clinux_signaller_signal(context, ready.fd.raw, fd.raw))
    }
}

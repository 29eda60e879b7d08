import CLinux

/// A listening AF_UNIX, SOCK_SEQPACKET socket.
package struct SeqPacketListener: ~Copyable, Sendable {
    package let fd: OwnedFD

    /// Takes over a socket that listens already, as systemd passes it.
    package init(adopting fd: consuming OwnedFD) { self.fd = fd }

    /// Listens at `path`. A socket file that a killed predecessor left there is replaced; one on which somebody listens
    /// is ``Errno/inUse``.
    package init(at path: String, backlog: Int32 = 128) throws(Errno) {
        let raw = unsafe path.withCString { name in
            // SAFETY: the call reads a string that ends in 0 and keeps nothing of it.
            unsafe clinux_socket_listen(name, backlog)
        }
        fd = OwnedFD(adopting: try Errno.check(raw))
    }

    /// The next connection; nil when none waits.
    ///
    /// Errors concern one peer (it is gone already) or this process (no descriptors left): neither is a reason to stop
    /// listening.
    package borrowing func accept() throws(Errno) -> SeqPacketSocket? {
        let raw = clinux_socket_accept(fd.raw)
        if raw == -Errno.again.code { return nil }
        return SeqPacketSocket(adopting: OwnedFD(adopting: try Errno.check(raw)))
    }
}

import CSystemd
package import LinuxSystem

/// The listening sockets that the service manager made for the daemon (sd_listen_fds(3)).
package enum SocketActivation {
    /// Takes the sockets over, close-on-exec and non-blocking, in the order of the units; none when there are none.
    ///
    /// `$LISTEN_FDS` and its relatives are unset, so that it gives them once and no child takes them for its own. When one
    /// of them cannot serve all of them are closed.
    package static func take() throws(SocketActivationError) -> [ActivatedSocket] {
        var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        // SAFETY: the call makes a list of strings, which is read only in this function and freed at its end.
        let count = unsafe sd_listen_fds_with_names(1, &names)
        defer { unsafe csystemd_names_free(names) }
        if count < 0 { throw .unreadable(Errno(-count)) }

        var sockets: [ActivatedSocket] = []
        for index in 0..<Int(count) {
            // SAFETY: the list has `count` strings.
            let name = unsafe names?[index].map { unsafe String(cString: $0) } ?? ""
            let fd = OwnedFD(adopting: Int32(CSYSTEMD_LISTEN_FDS_START + index))
            sockets.append(ActivatedSocket(name: name, fd))
        }
        for socket in sockets { try socket.check() }
        return sockets
    }
}

/// One listening socket of the service manager.
package final class ActivatedSocket {
    /// `FileDescriptorName=` of its unit; the unit's own name when it has none.
    package let name: String
    private var fd: OwnedFD?

    init(name: String, _ fd: consuming OwnedFD) {
        self.name = name
        self.fd = consume fd
    }

    /// The socket, for its one owner; nil when it has been taken.
    package func take() -> SeqPacketListener? {
        guard let fd = fd.take() else { return nil }
        return SeqPacketListener(adopting: fd)
    }

    func check() throws(SocketActivationError) {
        guard let raw = fd?.raw else { return }
        if csystemd_is_unix(raw) <= 0 { throw .unsuitable(name: name, .notUnix) }
        if csystemd_is_seqpacket(raw) <= 0 { throw .unsuitable(name: name, .notSeqPacket) }
        if csystemd_is_listening(raw) <= 0 { throw .unsuitable(name: name, .notListening) }
        do { try fd?.setNonBlocking() } catch { throw .unreadable(error) }
    }
}

/// Why the service manager's sockets cannot be used: the operator's mistake, in a socket unit.
package enum SocketActivationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What it passed is not there, or not understood.
    case unreadable(Errno)
    case unsuitable(name: String, Problem)

    package enum Problem: Hashable, Sendable {
        case notUnix, notSeqPacket, notListening
    }

    package var description: String {
        switch self {
        case .unreadable(let error):
            "Failed to take over the service manager's sockets: \(error). "
                + "LISTEN_FDS must be set by systemd, not by hand."
        case .unsuitable(let name, .notUnix):
            "The socket '\(name)' is not an AF_UNIX socket. "
                + "Its socket unit must say ListenSequentialPacket=, with a path."
        case .unsuitable(let name, .notSeqPacket):
            "The socket '\(name)' does not keep packets apart. "
                + "Its socket unit must say ListenSequentialPacket=, not ListenStream= or ListenDatagram=."
        case .unsuitable(let name, .notListening):
            "The socket '\(name)' is one connection and does not listen. Its socket unit must say Accept=no."
        }
    }
}

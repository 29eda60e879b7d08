package import Configuration
package import LinuxSystem
package import Systemd

/// The two sockets a daemon listens on: those that the service manager made, or its own.
package struct DaemonSockets: ~Copyable {
    package let clients: SeqPacketListener
    package let operators: SeqPacketListener

    private init(clients: consuming SeqPacketListener, operators: consuming SeqPacketListener) {
        self.clients = clients
        self.operators = operators
    }

    /// A socket is systemd's when there is one of its name, `client` or `admin`; otherwise it is made at its path.
    package static func open(_ configuration: Configuration) throws(DaemonSocketError) -> DaemonSockets {
        var passed: [ActivatedSocket]
        do { passed = try SocketActivation.take() } catch { throw .activation(error) }
        let clients = try listener("client", configuration.clientSocket, &passed)
        let operators = try listener("admin", configuration.adminSocket, &passed)
        if let other = passed.first { throw .unknown(other.name) }
        return DaemonSockets(clients: clients, operators: operators)
    }

    private static func listener(
        _ name: String, _ path: String, _ passed: inout [ActivatedSocket]
    ) throws(DaemonSocketError) -> SeqPacketListener {
        if let index = passed.firstIndex(where: { $0.name == name }), let listener = passed[index].take() {
            passed.remove(at: index)
            return listener
        }
        do { return try SeqPacketListener(at: path) } catch { throw .path(path, error) }
    }
}

/// Why a daemon cannot listen.
package enum DaemonSocketError: Error, Hashable, Sendable, CustomStringConvertible {
    case activation(SocketActivationError)
    case unknown(String)
    case path(String, Errno)

    package var description: String {
        switch self {
        case .activation(let error): "\(error)"
        case .unknown(let name):
            "The service manager passed a socket '\(name)'. Only FileDescriptorName=client and =admin are known, "
                + "once each."
        case .path(let path, .inUse):
            "Failed to listen at \(path): another daemon does. Stop it, or set another path in the configuration."
        case .path(let path, let error):
            "Failed to listen at \(path): \(error). Its directory must exist, and this user must be allowed to write "
                + "there."
        }
    }
}

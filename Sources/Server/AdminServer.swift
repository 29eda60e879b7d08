import BrokerCore
package import EventLoop
package import LinuxSystem
import Wire

/// Serves operators on the daemon's main loop. Whoever could connect may do everything: the socket's mode and group
/// decide. For one thread.
package final class AdminServer: AdminService {
    /// Operators at the same time.
    package static let maximumConnections = 32

    private let loop: EventLoop
    private let requests: AdminRequests
    private let monitors: MonitorHub
    private var connections: [UInt64: AdminConnection] = [:]
    private var next: UInt64 = 1

    package init(_ loop: EventLoop, _ table: SessionTable, _ monitors: MonitorHub, _ host: any AdminHost) {
        (self.loop, self.monitors) = (loop, monitors)
        requests = AdminRequests(table, monitors, host)
    }

    package var connectionCount: Int { connections.count }

    package func connected(_ socket: consuming SeqPacketSocket) {
        // Dropping the socket closes it: that is all that one too many is told.
        if connections.count >= Self.maximumConnections { return }
        let id = next
        next += 1
        do throws(Errno) {
            let peer = try PeerIdentity(of: socket)
            connections[id] = try AdminConnection(socket, peer, on: loop, requests) { [weak self] in
                self?.connections[id] = nil
            }
        } catch {
            // Its socket is closed, which says it.
        }
    }

    package func stop() {
        connections = [:]
        monitors.stop()
    }
}

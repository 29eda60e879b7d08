import Glibc
import LinuxSystem
import Wire

/// A monitor that is told of everything: its end of the socket, on which receiving waits.
final class MonitorSocket {
    let fd: OwnedFD

    /// - Parameter hand: Gives the other end to whoever tells it.
    init(_ hand: (consuming SeqPacketSocket) throws -> Void) throws {
        let pair = try SeqPacketSocket.pair()
        try hand(SeqPacketSocket(adopting: try pair.second.fd.duplicate()))
        fd = try pair.first.fd.duplicate()
        guard fcntl(fd.raw, F_SETFL, 0) == 0 else { throw Failure.system("make a socket blocking", errno) }
    }

    /// Has a daemon tell it, which is asked at its admin socket.
    convenience init(askingAt path: String) throws {
        let admin = try SeqPacketSocket(connectingTo: path)
        try self.init { end in
            var packet = [UInt8](repeating: 0, count: Limits.packet)
            let size = packet.withRawSpan {
                AdminMonitorRequest(flags: .follow).encode(as: .monitor, Cookie(rawValue: 1), into: &$0)
            }
            guard unsafe try admin.send(packet.span.bytes.extracting(first: size), descriptors: [end.fd.raw]) else {
                throw Failure.system("ask for a monitor", EAGAIN)
            }
            var waiting = pollfd(fd: admin.fd.raw, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&waiting, 1, 10_000) == 1 else { throw Failure.system("await a reply", ETIMEDOUT) }
            let received = try packet.withRawSpan { try admin.receive(into: &$0)?.byteCount }
            packet.removeLast(packet.count - (received ?? 0))
            guard unsafe try AdminReply(decoding: packet.span.bytes).body == .done else {
                throw Failure.refused("MONITOR")
            }
        }
    }
}

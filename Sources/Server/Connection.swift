import BrokerCore
import LinuxSystem
import Wire

/// The VMM's socket: one packet in, one reply out, and never more than one reply that has not been sent (P30).
final class Connection {
    enum Received {
        /// There is no packet.
        case nothing
        /// The VMM has closed its end. An empty packet cannot be told from that, and counts as it.
        case closed
        /// A packet has been dealt with; its reply waits for ``Connection/sendReply(_:)``.
        case answered(Session.Effects)
    }

    private let socket: SeqPacketSocket
    /// One byte more than the largest packet, so that one that is larger still shows.
    private let request: PrivatePages
    private let reply: PrivatePages
    /// What `reply` holds.
    private var unsent: Session.Answer?

    init(_ socket: consuming SeqPacketSocket) throws(Errno) {
        self.socket = socket
        request = try PrivatePages(count: Limits.packet + 1)
        reply = try PrivatePages(count: Limits.packet)
    }

    var descriptor: Int32 { socket.fd.raw }
    var hasUnsentReply: Bool { unsent != nil }

    /// Receives one packet and has the session answer it. The descriptors that the session does not keep are closed when
    /// this returns (P5).
    func receive(
        for session: Session, _ descriptors: DescriptorTable, at now: Instant
    ) throws(Errno) -> Received {
        let received = try request.write { bytes throws(Errno) in try socket.receive(into: &bytes) }
        guard var packet = received else { return .nothing }
        if packet.byteCount == 0, packet.descriptorCount == 0, !packet.descriptorsTruncated { return .closed }
        let files = packet.descriptorCount == 0 ? [] : DescriptorIntake.take(&packet, into: descriptors)
        let (count, truncated) = (packet.byteCount, packet.descriptorsTruncated)
        let answer = request.read(count) { bytes in
            reply.write { reply in
                session.handle(bytes, files: files, descriptorsTruncated: truncated, at: now, reply: &reply)
            }
        }
        if !answer.keepsFiles { for file in files { descriptors.remove(file.resource.rawValue) } }
        unsent = answer
        return .answered(answer.effects)
    }

    /// Sends the reply; false when the VMM has to read others first. The VMM has a copy of the descriptor then, and this
    /// one is closed: a device that somebody holds cannot be given to anybody else.
    func sendReply(_ descriptors: DescriptorTable) throws(Errno) -> Bool {
        guard let answer = unsent else { return true }
        let sent = try reply.read(answer.byteCount) { bytes throws(Errno) in
            if let id = answer.descriptor, let raw = descriptors.raw(id.rawValue) {
                return try socket.send(bytes, descriptors: [raw])
            }
            return try socket.send(bytes)
        }
        if sent {
            if let id = answer.descriptor { descriptors.remove(id.rawValue) }
            unsent = nil
        }
        return sent
    }
}

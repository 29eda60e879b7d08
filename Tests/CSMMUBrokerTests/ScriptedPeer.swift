import CSMMUBroker
import Foundation
import LinuxSystem
import Testing

/// A client whose broker is a script. Replies are sent before the request they answer: a packet waits in the socket, so
/// that no second thread is needed and nothing depends on time.
@safe
final class ScriptedPeer {
    /// The broker's end; nil after it has gone.
    private var peer: SeqPacketSocket?
    let client: UnsafeMutablePointer<smmu_broker_client>

    init() throws {
        unsafe client = .allocate(capacity: 1)
        let pair = try SeqPacketSocket.pair()
        let fd = try pair.second.fd.duplicate().release()
        let status = unsafe smmu_broker_adopt(client, fd)
        try #require(status == 0)
        peer = pair.closingSecond()
    }

    deinit {
        unsafe smmu_broker_close(client)
        unsafe client.deallocate()
    }

    /// The cookie of the client's next request.
    var nextCookie: UInt64 { unsafe client.pointee.sent + 1 }
    var errorText: String { unsafe String(cString: smmu_broker_error_text(client)) }

    func hangUp() { peer = nil }

    func send(_ packet: [UInt8], descriptors: [Int32] = []) throws {
        guard let sent = try unsafe peer?.send(packet.span.bytes, descriptors: descriptors), sent else {
            Issue.record("the script's packet was not sent")
            return
        }
    }

    func sendReply(_ reply: Reply, descriptors: [Int32] = []) throws {
        try send(reply.bytes(cookie: nextCookie), descriptors: descriptors)
    }

    /// Waits until the client has sent a request.
    func waitForRequest() throws {
        var entry = pollfd(fd: peer?.fd.raw ?? -1, events: Int16(POLLIN), revents: 0)
        let ready = unsafe poll(&entry, 1, 60_000)
        try #require(ready == 1)
    }

    /// The next request: its bytes and how many descriptors came with it; nil when there is none.
    func request() throws -> (bytes: [UInt8], descriptors: Int)? {
        var buffer = [UInt8](repeating: 0, count: 70_000)
        var count = 0
        var descriptors = 0
        do {
            var span = buffer.mutableSpan
            var bytes = unsafe span.mutableBytes
            guard let received = try peer?.receive(into: &bytes) else { return nil }
            (count, descriptors) = (received.byteCount, received.descriptorCount)
        }
        return (Array(buffer.prefix(count)), descriptors)
    }
}

/// A reply as a script has it; what is nil is right.
struct Reply: Sendable {
    var type: smmu_broker_type
    var replyType: UInt16?
    var size: UInt32?
    var cookie: UInt64?
    var status: UInt32 = 0
    var reason: UInt32 = 0
    var cerror: UInt32 = 0
    var completed: UInt32 = 0
    var textSize: UInt16?
    var text: [UInt8] = []
    var body: [UInt8] = []
    /// Bytes that are not sent, at the end.
    var missing = 0

    init(_ type: smmu_broker_type, body: [UInt8] = []) { (self.type, self.body) = (type, body) }

    /// A reply whose body has `bytes` bytes, all 0.
    init(_ type: smmu_broker_type, zeros bytes: Int) { self.init(type, body: [UInt8](repeating: 0, count: bytes)) }

    static func refused(_ type: smmu_broker_type, _ status: UInt32, _ reason: smmu_broker_reason, _ text: String)
        -> Reply
    {
        var reply = Reply(type)
        (reply.status, reply.reason, reply.text) = (status, reason.rawValue, Array(text.utf8))
        return reply
    }

    func with(_ change: (inout Reply) -> Void) -> Reply {
        var copy = self
        change(&copy)
        return copy
    }

    func bytes(cookie expected: UInt64) -> [UInt8] {
        var packet = PacketBytes()
        packet.add(replyType ?? UInt16(type.rawValue) | UInt16(SMMU_BROKER_REPLY))
        packet.add(textSize ?? UInt16(text.count))
        packet.add(size ?? UInt32(32 + text.count + body.count - missing))
        packet.add(cookie ?? expected)
        for word in [status, reason, cerror, completed] { packet.add(word) }
        return (packet.bytes + text + body).dropLast(missing)
    }
}

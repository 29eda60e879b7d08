import BrokerClient
import LinuxSystem
import Testing
import Wire

/// A broker that is a script: replies are sent before the requests they answer, and wait in the socket; no second thread
/// is needed, and nothing depends on time.
final class ScriptedBroker {
    private let peer: SeqPacketSocket
    private var cookie: UInt64 = 0

    init(_ socket: consuming SeqPacketSocket) { peer = socket }

    /// The answer to the next request: what `encode` writes for its header.
    func willAnswer(
        _ type: RequestType, _ encode: (RequestHeader, inout MutableRawSpan) -> Int
    ) throws {
        cookie += 1
        let header = RequestHeader(type, Cookie(cookie))
        try send { encode(header, &$0) }
    }

    func willSucceed(_ type: RequestType, completed: UInt32 = 0) throws {
        try willAnswer(type) { ReplyHeader(to: $0, completed: completed).encode(into: &$1) }
    }

    func willRefuse(_ type: RequestType, _ refusal: Refusal) throws {
        try willAnswer(type) { refusal.encode(to: $0, into: &$1) }
    }

    func send(_ encode: (inout MutableRawSpan) -> Int) throws {
        var bytes = [UInt8](repeating: 0, count: Limits.packet)
        let count = bytes.withRawSpan(encode)
        let sent = try peer.send(unsafe bytes.span.bytes.extracting(first: count))
        #expect(sent)
    }

    /// The oldest request that nobody has looked at, as `look` sees it.
    func nextRequest<T: ~Copyable>(_ look: (Request, RawSpan, inout ReceivedPacket) throws -> T) throws -> T {
        var bytes = [UInt8](repeating: 0, count: Limits.packet)
        var span = bytes.mutableSpan
        var raw = unsafe span.mutableBytes
        guard var received = try peer.receive(into: &raw) else { throw NothingThere() }
        let count = received.byteCount
        let packet = unsafe bytes.span.bytes.extracting(first: count)
        return try look(try Request(decoding: packet), packet, &received)
    }

    func nextRequest() throws -> Request { try nextRequest { request, _, _ in request } }

    struct NothingThere: Error {}
}

extension [UInt8] {
    mutating func withRawSpan<T>(_ body: (inout MutableRawSpan) throws -> T) rethrows -> T {
        var span = mutableSpan
        var bytes = unsafe span.mutableBytes
        return try body(&bytes)
    }
}

extension FixedName {
    /// A name that a test is sure of.
    init(sure text: String) {
        guard let name = Self(text) else { preconditionFailure("\(text) is a name") }
        self = name
    }
}

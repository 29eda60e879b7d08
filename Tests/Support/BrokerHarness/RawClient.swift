import Foundation
package import LinuxSystem
package import Wire

/// A client that sends whatever bytes it is given, and reads whatever comes.
package final class RawClient {
    package struct Failure: Error, CustomStringConvertible {
        package var description: String
        package init(description: String) { self.description = description }
    }

    private let socket: SeqPacketSocket
    private var cookie: UInt64 = 0

    package init(adopting socket: consuming SeqPacketSocket) { self.socket = socket }
    package convenience init(connectingTo path: String) throws {
        self.init(adopting: try SeqPacketSocket(connectingTo: path))
    }

    /// Sends one packet; false when there is no room for it.
    package func send(_ bytes: [UInt8], descriptors: [Int32] = []) throws -> Bool {
        // SAFETY: bytes, of which any bits are some.
        try socket.send(unsafe bytes.span.bytes, descriptors: descriptors)
    }

    /// The next packet; nil when the peer has closed.
    package func receive(waitingAtMost milliseconds: Int32 = 60_000) throws -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: Limits.packet)
        guard try socket.waitReadable(milliseconds: milliseconds) else { throw Failure(description: "nothing came") }
        var span = buffer.mutableSpan
        // SAFETY: bytes, of which any bits are some.
        var bytes = unsafe span.mutableBytes
        guard let packet = try socket.receive(into: &bytes) else { throw Failure(description: "nothing was there") }
        if packet.byteCount == 0 { return nil }
        return Array(buffer.prefix(packet.byteCount))
    }

    /// Sends one packet and reads the reply to it.
    package func exchange(_ bytes: [UInt8], descriptors: [Int32] = []) throws -> Reply {
        guard try send(bytes, descriptors: descriptors) else { throw Failure(description: "no room for the request") }
        guard let reply = try receive() else { throw Failure(description: "the broker has closed") }
        // SAFETY: as above.
        return try Reply(decoding: unsafe reply.span.bytes)
    }

    package func request(_ request: some TypedRequest, descriptors: [Int32] = []) throws -> Reply {
        try exchange(bytes(of: request), descriptors: descriptors)
    }

    /// The packet of a request, with a cookie that no other has.
    package func bytes(of request: some TypedRequest) -> [UInt8] {
        packet { request.encode(nextCookie(), into: &$0) }
    }

    package func nextCookie() -> Cookie {
        cookie += 1
        return Cookie(cookie)
    }

    package func packet(_ encode: (inout MutableRawSpan) -> Int) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: Limits.packet)
        var span = buffer.mutableSpan
        // SAFETY: as above.
        var bytes = unsafe span.mutableBytes
        let count = encode(&bytes)
        return Array(buffer.prefix(count))
    }

    @discardableResult
    package func hello(_ name: String = "raw", features: Features = .model) throws -> Reply {
        guard let name = Name(name) else { throw Failure(description: "'\(name)' is no name") }
        return try request(HelloRequest(features: features, name: name))
    }
}

extension Reply {
    package var refusal: Refusal? {
        if case .refused(let refusal) = body { refusal } else { nil }
    }
}

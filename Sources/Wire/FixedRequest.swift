/// A request without anything of variable length.
package protocol FixedRequest: Hashable, Sendable {
    /// Of the packet.
    static var byteCount: Int { get }
    /// Reads a packet whose header and length are right.
    init(fields packet: RawSpan) throws(WireFault)
    /// Writes what is not 0 after the header.
    func store(into packet: inout MutableRawSpan)
}

/// A fixed request that has a type for itself.
package protocol TypedRequest: FixedRequest {
    static var type: RequestType { get }
}

extension FixedRequest {
    /// Reads a packet whose header is right.
    init(body packet: RawSpan) throws(WireFault) {
        try packet.require(exactly: Self.byteCount)
        try self.init(fields: packet)
    }

    /// Writes the packet and returns its length; `packet` must have room for it.
    package func encode(as type: RequestType, _ cookie: Cookie, into packet: inout MutableRawSpan) -> Int {
        packet.clear(Self.byteCount)
        RequestHeader(type, cookie).store(into: &packet, size: Self.byteCount)
        store(into: &packet)
        return Self.byteCount
    }
}

extension TypedRequest {
    package func encode(_ cookie: Cookie, into packet: inout MutableRawSpan) -> Int {
        encode(as: Self.type, cookie, into: &packet)
    }
}

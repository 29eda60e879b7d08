/// What a successful reply says after its header, without anything of variable length.
package protocol FixedReply: Hashable, Sendable {
    /// Of the packet.
    static var byteCount: Int { get }
    /// Reads a packet whose header and length are right.
    init(fields packet: RawSpan) throws(WireFault)
    /// Writes what is not 0 after the header.
    func store(into packet: inout MutableRawSpan)
}

extension FixedReply {
    /// Reads a packet whose header is right.
    init(body packet: RawSpan) throws(WireFault) {
        try packet.require(exactly: Self.byteCount)
        try self.init(fields: packet)
    }

    /// Writes the packet and returns its length; `packet` must have room for it.
    package func encode(to request: RequestHeader, into packet: inout MutableRawSpan) -> Int {
        packet.clear(Self.byteCount)
        ReplyHeader(to: request).store(into: &packet, size: Self.byteCount)
        store(into: &packet)
        return Self.byteCount
    }
}

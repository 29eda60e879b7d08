import Wire

/// A packet as bytes, for tests: made by an encoder, damaged at will, read by a decoder.
struct Packet: Hashable {
    var bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    // SAFETY of all that is unsafe here: the bytes are integers, of which any bits are some.

    /// What `encode` writes into a buffer that was full of other bytes.
    init(_ encode: (inout MutableRawSpan) -> Int) {
        bytes = [UInt8](repeating: 0xa5, count: Limits.packet)
        var span = bytes.mutableSpan
        var raw = unsafe span.mutableBytes
        let count = encode(&raw)
        bytes.removeSubrange(count...)
    }

    mutating func set<Value: WireValue>(_ field: WireField<Value>, at base: Int = 0, to value: Value) {
        var span = bytes.mutableSpan
        var raw = unsafe span.mutableBytes
        raw.set(field, at: base, to: value)
    }

    func get<Value: WireValue>(_ field: WireField<Value>, at base: Int = 0) -> Value {
        unsafe bytes.span.bytes[field, base]
    }

    /// Cut or lengthened with 0, with a header that agrees.
    func resized(by change: Int) -> Packet {
        var packet = self
        packet.bytes =
            change < 0 ? Array(bytes.dropLast(-change)) : bytes + [UInt8](repeating: 0, count: change)
        packet.correctSize()
        return packet
    }

    mutating func correctSize() {
        if bytes.count >= RequestHeader.Layout.size.end {
            set(RequestHeader.Layout.size, to: UInt32(bytes.count))
        }
    }

    func request() throws(WireFault) -> Request { try Request(decoding: unsafe bytes.span.bytes) }
    func reply() throws(WireFault) -> Reply { try Reply(decoding: unsafe bytes.span.bytes) }
    func event() throws(WireFault) -> EventMessage { try EventMessage(decoding: unsafe bytes.span.bytes) }

    func array<Element>(_ records: Records<Element>) -> [Element] { records.array(in: unsafe bytes.span.bytes) }
}

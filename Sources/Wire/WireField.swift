/// A value with one fixed form in a packet, of which any bytes are one: what is not allowed is checked afterwards.
@usableFromInline
package protocol WireValue: Sendable {
    static var byteCount: Int { get }
    /// The value at `offset`, which the caller has found to be inside.
    static func load(from packet: RawSpan, at offset: Int) -> Self
    func store(into packet: inout MutableRawSpan, at offset: Int)
}

/// One field of a message: where it is, and what it holds. Both directions and the comparison with the C header use it,
/// so that no offset is written twice.
@usableFromInline
package struct WireField<Value: WireValue>: Sendable {
    /// The name in the C header.
    @usableFromInline package let name: String
    @usableFromInline package let offset: Int

    @inlinable package init(_ name: String, _ offset: Int) { (self.name, self.offset) = (name, offset) }

    /// The offset of what follows.
    @inlinable package var end: Int { offset + Value.byteCount }
}

extension RawSpan {
    /// The value of `field` in a record that begins at `base`.
    @inlinable
    package subscript<Value: WireValue>(field: WireField<Value>, base: Int = 0) -> Value {
        Value.load(from: self, at: base + field.offset)
    }
}

extension MutableRawSpan {
    @inlinable
    package mutating func set<Value: WireValue>(_ field: WireField<Value>, at base: Int = 0, to value: Value) {
        value.store(into: &self, at: base + field.offset)
    }

    /// Makes the first `count` bytes 0, a multiple of 8: reserved fields are what nobody sets afterwards.
    mutating func clear(_ count: Int) {
        for offset in stride(from: 0, to: count, by: 8) { UInt64(0).store(into: &self, at: offset) }
    }

    @inlinable
    package mutating func copy(_ bytes: RawSpan, to offset: Int) {
        let words = bytes.byteCount & ~7
        for index in stride(from: 0, to: words, by: 8) {
            UInt64.load(from: bytes, at: index).store(into: &self, at: offset + index)
        }
        for index in words..<bytes.byteCount {
            UInt8.load(from: bytes, at: index).store(into: &self, at: offset + index)
        }
    }
}

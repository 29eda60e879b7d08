/// Equal records one after the other in a packet: where they are, not what they are, so that nothing is copied.
///
/// It belongs to the packet that it was decoded from: read through any other it gives other values, or traps.
@usableFromInline
package struct Records<Element: WireValue>: Hashable, Sendable {
    @usableFromInline package let count: Int
    /// Of the first record, from the start of the packet.
    @usableFromInline package let offset: Int

    init(count: Int, at offset: Int) { (self.count, self.offset) = (count, offset) }

    /// Where the records are, for `packet.extracting(_:)`.
    @inlinable package var byteRange: Range<Int> { offset..<offset + count * Element.byteCount }

    /// The record at `index`, which must be below ``count``.
    @inlinable
    package func element(_ index: Int, in packet: RawSpan) -> Element {
        precondition(index >= 0 && index < count, "no such record")
        return Element.load(from: packet, at: offset + index * Element.byteCount)
    }

    /// All of them, copied: for clients and tests.
    package func array(in packet: RawSpan) -> [Element] {
        var all: [Element] = []
        all.reserveCapacity(count)
        for index in 0..<count { all.append(element(index, in: packet)) }
        return all
    }
}

extension MutableRawSpan {
    /// Puts records where they belong and returns where they end.
    mutating func append<Element: WireValue>(_ records: Span<Element>, at offset: Int) -> Int {
        let size = Element.byteCount
        for index in records.indices {
            // The record's own bounds are constant, and checked once.
            var slot = _mutatingExtracting(offset + index * size..<offset + (index + 1) * size)
            records[index].store(into: &slot, at: 0)
        }
        return offset + records.count * size
    }
}

public import SMMUv3

// What the architecture lays out, as it stands in packets: little-endian words, one after the other.

extension StreamTableEntry: WireValue {
    @inlinable package static var byteCount: Int { 64 }

    @inlinable package static func load(from packet: RawSpan, at offset: Int) -> StreamTableEntry {
        var words = SIMD8<UInt64>.zero
        for index in 0..<8 { words[index] = UInt64.load(from: packet, at: offset + 8 * index) }
        return StreamTableEntry(words: words)
    }

    @inlinable package func store(into packet: inout MutableRawSpan, at offset: Int) {
        for index in 0..<8 { words[index].store(into: &packet, at: offset + 8 * index) }
    }
}

extension Command: WireValue {
    @inlinable package static var byteCount: Int { 16 }

    @inlinable package static func load(from packet: RawSpan, at offset: Int) -> Command {
        Command(d0: UInt64.load(from: packet, at: offset), d1: UInt64.load(from: packet, at: offset + 8))
    }

    @inlinable package func store(into packet: inout MutableRawSpan, at offset: Int) {
        d0.store(into: &packet, at: offset)
        d1.store(into: &packet, at: offset + 8)
    }
}

extension IDRegisters: WireValue {
    @inlinable package static var byteCount: Int { 32 }

    @inlinable package static func load(from packet: RawSpan, at offset: Int) -> IDRegisters {
        func word(_ index: Int) -> UInt32 { UInt32.load(from: packet, at: offset + 4 * index) }
        return IDRegisters(
            idr0: word(0), idr1: word(1), idr2: word(2), idr3: word(3), idr4: word(4), idr5: word(5), iidr: word(6),
            aidr: word(7))
    }

    @inlinable package func store(into packet: inout MutableRawSpan, at offset: Int) {
        idr0.store(into: &packet, at: offset)
        idr1.store(into: &packet, at: offset + 4)
        idr2.store(into: &packet, at: offset + 8)
        idr3.store(into: &packet, at: offset + 12)
        idr4.store(into: &packet, at: offset + 16)
        idr5.store(into: &packet, at: offset + 20)
        iidr.store(into: &packet, at: offset + 24)
        aidr.store(into: &packet, at: offset + 28)
    }
}

extension EventRecord: WireValue {
    @inlinable package static var byteCount: Int { 32 }

    @inlinable package static func load(from packet: RawSpan, at offset: Int) -> EventRecord {
        func word(_ index: Int) -> UInt64 { UInt64.load(from: packet, at: offset + 8 * index) }
        return EventRecord(word(0), word(1), word(2), word(3))
    }

    @inlinable package func store(into packet: inout MutableRawSpan, at offset: Int) {
        for index in 0..<4 { words[index].store(into: &packet, at: offset + 8 * index) }
    }
}

extension StreamID: WireValue {
    @inlinable package static var byteCount: Int { 4 }
    @inlinable package static func load(from packet: RawSpan, at offset: Int) -> StreamID {
        StreamID(UInt32.load(from: packet, at: offset))
    }
    @inlinable package func store(into packet: inout MutableRawSpan, at offset: Int) {
        rawValue.store(into: &packet, at: offset)
    }
}

extension SubstreamID: WireValue {
    @inlinable package static var byteCount: Int { 4 }
    @inlinable package static func load(from packet: RawSpan, at offset: Int) -> SubstreamID {
        SubstreamID(UInt32.load(from: packet, at: offset))
    }
    @inlinable package func store(into packet: inout MutableRawSpan, at offset: Int) {
        rawValue.store(into: &packet, at: offset)
    }
}

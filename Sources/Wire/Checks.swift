// What decoders ask of a packet, in the order in which they must: its length first, then what is in it.

extension RawSpan {
    func require(atLeast needed: Int) throws(WireFault) {
        if byteCount < needed { throw .tooShort(bytes: byteCount, needed: needed) }
    }

    func require(exactly count: Int) throws(WireFault) {
        try require(atLeast: count)
        if byteCount > count { throw .tooLong(bytes: byteCount, allowed: count) }
    }

    func requireZero(_ field: WireField<UInt32>, at base: Int = 0) throws(WireFault) {
        if self[field, base] != 0 { throw .reservedNotZero(field.name) }
    }

    /// The records that `field` counts, which begin at `offset` and are all that is left of the packet.
    func records<Element>(
        of _: Element.Type, counted field: WireField<UInt32>, allowed: ClosedRange<Int>, at offset: Int
    ) throws(WireFault) -> Records<Element> {
        let value = self[field]
        guard let count = Int(exactly: value), allowed.contains(count) else {
            throw .badCount(field.name, value: value, allowed: allowed)
        }
        try require(exactly: offset + count * Element.byteCount)
        return Records(count: count, at: offset)
    }

    func name<let capacity: Int>(_ field: WireField<FixedName<capacity>>, at base: Int = 0) throws(WireFault)
        -> FixedName<capacity>
    {
        let name = self[field, base]
        if let problem = name.problem { throw .badName(field.name, problem) }
        return name
    }

    /// One of the cases of an enumeration.
    func value<Value: RawRepresentable<UInt32>>(
        _ field: WireField<UInt32>, at base: Int = 0, as _: Value.Type, rule: String
    ) throws(WireFault) -> Value {
        guard let value = Value(rawValue: self[field, base]) else {
            throw .badValue(field.name, value: UInt64(self[field, base]), rule: rule)
        }
        return value
    }

    /// A set of flags, without any that is not known.
    func flags<Flags: OptionSet>(
        _ field: WireField<UInt32>, at base: Int = 0, known: Flags, rule: String
    ) throws(WireFault) -> Flags where Flags.RawValue == UInt32 {
        let bits = self[field, base]
        if bits & ~known.rawValue != 0 { throw .badValue(field.name, value: UInt64(bits), rule: rule) }
        return Flags(rawValue: bits)
    }

    func flag(_ field: WireField<UInt32>, at base: Int = 0) throws(WireFault) -> Bool {
        let value = self[field, base]
        if value > 1 { throw .badValue(field.name, value: UInt64(value), rule: "it must be 0 or 1") }
        return value == 1
    }
}

/// One 64-bit translation table entry, as found at some level of a walk.
struct NaiveDescriptor {
    enum Kind {
        case invalid
        case table(next: UInt64)
        /// A block or page: the output address of its first byte.
        case leaf(base: UInt64)
    }

    let raw: UInt64
    let kind: Kind

    init(_ raw: UInt64, level: Int, granule: NaiveGranule, outputBits: Int) {
        self.raw = raw
        let isTableOrPage = raw.bits(1, 0) == 3
        let isBlock = raw.bits(1, 0) == 1
        if level < 3 && isTableOrPage {
            kind = .table(next: NaiveDescriptor.address(raw, from: granule.pageBits, granule, outputBits))
        } else if level == 3 && isTableOrPage {
            kind = .leaf(base: NaiveDescriptor.address(raw, from: granule.pageBits, granule, outputBits))
        } else if level < 3 && isBlock && granule.allowsBlock(level: level, outputBits: outputBits) {
            kind = .leaf(base: NaiveDescriptor.address(raw, from: granule.shift(level: level), granule, outputBits))
        } else {
            kind = .invalid
        }
    }

    var accessFlag: Bool { raw.bit(10) }

    /// Bits [47:low] of the address. With 52-bit addresses the 64K granule keeps [51:48] in the descriptor's [15:12].
    private static func address(_ raw: UInt64, from low: Int, _ granule: NaiveGranule, _ outputBits: Int) -> UInt64 {
        let main = raw.keeping(47, low)
        guard granule == .size64K && outputBits == 52 else { return main }
        return main | (raw.bits(15, 12) &<< 48)
    }
}

import SMMUv3

/// A descriptor of a translation table, sorted by what its level allows (Arm ARM, VMSAv8-64 descriptor formats).
enum Descriptor {
    @inline(__always)
    static func kind(_ word: UInt64, level: Int, granule: Granule, oas: Int) -> WalkStep.DescriptorKind {
        switch word & 3 {
        case 3: return level == 3 ? .page : .table
        case 1: return level != 3 && granule.allowsBlock(atLevel: level, outputAddressSize: oas) ? .block : .invalid
        default: return .invalid
        }
    }

    /// The address in a table or leaf descriptor whose lowest address bit is `shift`. Bits 51:48 of 64 KB granules stand
    /// in bits 15:12, where 52-bit addresses exist.
    @inline(__always)
    static func address(_ word: UInt64, shift: Int, granule: Granule, oas: Int) -> UInt64 {
        let low = word & 0x0000_ffff_ffff_ffff & ~UInt64.mask(shift)
        return granule == .k64 && oas == 52 ? low | word.bits(15, 12) &<< 48 : low
    }
}

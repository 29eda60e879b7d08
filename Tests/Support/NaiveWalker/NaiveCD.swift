/// A context descriptor (IHI 0070, 5.4).
struct NaiveCD {
    /// What the descriptor says of one of its two tables.
    struct Half {
        let disabled: Bool
        let sizeField: Int
        let granule: NaiveGranule?
        let topByteIgnored: Bool
        let hierarchyDisabled: Bool
        let deniesUnprivileged: Bool
        let table: UInt64

        var inputBits: Int { 64 - sizeField }
    }

    private let words: [UInt64]

    /// `words` are the eight words of the descriptor.
    init(words: [UInt64]) {
        var words = words
        while words.count < 8 { words.append(0) }
        self.words = words
    }

    var bigEndian: Bool { words[0].bit(15) }
    private var valid: Bool { words[0].bit(31) }
    private var sizeCode: UInt64 { words[0].bits(34, 32) }
    var accessFlagDisabled: Bool { words[0].bit(35) }
    var writeImpliesNoExecute: Bool { words[0].bit(36) }
    var unprivilegedWriteImpliesNoExecute: Bool { words[0].bit(37) }
    var privilegedAccessNever: Bool { words[0].bit(40) }
    private var isAArch64: Bool { words[0].bit(41) }
    private var updatesDirtyState: Bool { words[0].bit(42) }
    private var updatesAccessFlag: Bool { words[0].bit(43) }
    private var asid: UInt64 { words[0].bits(63, 48) }
    var stalls: Bool { words[0].bit(44) }
    var records: Bool { words[0].bit(45) }
    private var abortsWhenTerminated: Bool { words[0].bit(46) }

    var lower: Half {
        Half(
            disabled: words[0].bit(14), sizeField: Int(words[0].bits(5, 0)),
            granule: NaiveGranule(tg0: words[0].bits(7, 6)), topByteIgnored: words[0].bit(38),
            hierarchyDisabled: words[1].bit(1), deniesUnprivileged: words[1].bit(2), table: words[1].keeping(51, 4))
    }

    var upper: Half {
        Half(
            disabled: words[0].bit(30), sizeField: Int(words[0].bits(21, 16)),
            granule: NaiveGranule(tg1: words[0].bits(23, 22)), topByteIgnored: words[0].bit(39),
            hierarchyDisabled: words[2].bit(1), deniesUnprivileged: words[2].bit(2), table: words[2].keeping(51, 4))
    }

    /// The size in bits of the addresses that walks of this granule may give: the effective IPS.
    func outputBits(_ granule: NaiveGranule, _ features: NaiveFeatures) -> Int {
        granule.limit(features.clippedSize(sizeCode))
    }

    /// Whether tables are aligned to 64 bytes at least: the effective IPS is 52 bits, whatever the granule.
    func alignsTables(_ features: NaiveFeatures) -> Bool { features.clippedSize(sizeCode) == 52 }

    /// False when the descriptor is ILLEGAL. `twoRanges` is false when only TTB0 exists.
    func isLegal(_ features: NaiveFeatures, stallDisabled: Bool, twoRanges: Bool) -> Bool {
        guard valid, isAArch64, features.walksAArch64 else { return false }
        if !abortsWhenTerminated && features.terminationAlwaysAborts { return false }
        if stalls ? (features.neverStalls || stallDisabled) : features.alwaysStalls { return false }
        if updatesAccessFlag && !features.updatesAccessFlags { return false }
        if updatesDirtyState && !features.updatesDirtyState { return false }
        // Without a second range there are no ASIDs, and EPD0 is ignored: the lower table is always checked and used.
        guard twoRanges else { return features.supports(bigEndian: bigEndian) && isLegal(lower, features) }
        if asid.exceeds(width: 8) && !features.hasLongASIDs { return false }
        if lower.disabled && upper.disabled { return true }
        guard features.supports(bigEndian: bigEndian) else { return false }
        return (lower.disabled || isLegal(lower, features)) && (upper.disabled || isLegal(upper, features))
    }

    private func isLegal(_ half: Half, _ features: NaiveFeatures) -> Bool {
        guard let granule = half.granule, features.supports(granule) else { return false }
        let smallest = granule == .size64K && features.hasLargeVA ? 12 : 16
        guard half.sizeField >= smallest, half.sizeField <= features.largestSizeField(granule) else { return false }
        return !half.table.exceeds(width: outputBits(granule, features))
    }
}

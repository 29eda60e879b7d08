/// The identification registers, read as the questions the walk asks of them (IHI 0070, 6.3.1 - 6.3.6).
struct NaiveFeatures {
    private let words: [UInt64]

    init(idr: [UInt32]) {
        var words = idr.map { UInt64($0) }
        while words.count < 6 { words.append(0) }
        self.words = words
    }

    var hasStage2: Bool { words[0].bit(0) }
    var hasStage1: Bool { words[0].bit(1) }
    var walksAArch64: Bool { words[0].bit(3) }
    /// Whether the SMMU can set access flags, and whether it can also track dirty state.
    var updatesAccessFlags: Bool { words[0].bits(7, 6) != 0 }
    var updatesDirtyState: Bool { words[0].bits(7, 6) >= 2 }
    var hasHyp: Bool { words[0].bit(9) }
    var hasATS: Bool { words[0].bit(10) }
    /// NS1ATS: split-stage ATS is not there.
    var lacksSplitStageATS: Bool { words[0].bit(11) }
    var hasLongASIDs: Bool { words[0].bit(12) }
    var hasLongVMIDs: Bool { words[0].bit(18) }
    var hasTwoLevelCDs: Bool { words[0].bit(19) }
    var terminationAlwaysAborts: Bool { words[0].bit(26) }
    var hasTwoLevelStreams: Bool { words[0].bits(28, 27) == 1 }

    var neverStalls: Bool { words[0].bits(25, 24) == 1 }
    var alwaysStalls: Bool { words[0].bits(25, 24) == 2 }
    var stallingIsOptional: Bool { words[0].bits(25, 24) == 0 }

    var streamIDBits: Int { Int(words[1].bits(5, 0)) }
    var substreamIDBits: UInt64 { words[1].bits(10, 6) }
    var canOverridePermissions: Bool { words[1].bit(26) }

    var hasHierarchicalDisable: Bool { words[3].bit(2) }
    var hasExtendedExecuteNever: Bool { words[3].bit(4) }
    var hasForcedWriteBack: Bool { words[3].bit(8) }
    var hasSmallTables: Bool { words[3].bit(9) }
    var hasE0PD: Bool { words[3].bit(13) }

    /// VAX: input addresses of 52 bits, or more.
    var hasLargeVA: Bool { words[5].bits(11, 10) == 1 || words[5].bits(11, 10) == 2 }
    /// The output address size in bits. The input size of a bypassed stage 1 is the same.
    var outputBits: Int { NaiveFeatures.sizeCode(words[5].bits(2, 0), reserved: 52) }

    /// A size field clipped to the output address size; the reserved code means all of it.
    func clippedSize(_ code: UInt64) -> Int {
        min(NaiveFeatures.sizeCode(code, reserved: outputBits), outputBits)
    }

    /// The largest TnSZ and S2T0SZ.
    func largestSizeField(_ granule: NaiveGranule) -> Int {
        guard hasSmallTables else { return 39 }
        return granule == .size64K ? 47 : 48
    }

    /// Whether tables of this byte order can be walked (TTENDIAN; its reserved value stands for little-endian only).
    func supports(bigEndian: Bool) -> Bool {
        switch words[0].bits(22, 21) {
        case 0: return true
        case 3: return bigEndian
        default: return !bigEndian
        }
    }

    func supports(_ granule: NaiveGranule) -> Bool {
        switch granule {
        case .size4K: return words[5].bit(4)
        case .size16K: return words[5].bit(5)
        case .size64K: return words[5].bit(6)
        }
    }

    private static func sizeCode(_ code: UInt64, reserved: Int) -> Int {
        switch code {
        case 0: return 32
        case 1: return 36
        case 2: return 40
        case 3: return 42
        case 4: return 44
        case 5: return 48
        case 6: return 52
        default: return reserved
        }
    }
}

/// Random identification registers of an SMMU that a model of AArch64 translation can be (IHI 0070, 6.3.1 - 6.3.6),
/// and what the builder needs to know of them. There is never hardware update or 128-bit support.
struct ScenarioIdentity {
    var hasStage1 = true
    var hasStage2 = true
    var hasHyp = false
    var hasTwoLevelCDs = true
    var hasTwoLevelStreams = true
    var terminationAlwaysAborts = false
    var byteOrder: UInt64 = 2
    var stallModel: UInt64 = 1
    var streamIDBits = 16
    var substreamIDBits = 0
    var hasLargeVA = false
    var hasSmallTables = false
    var hasRanges = false
    private var largeVACode: UInt64 = 0
    var sizeCode: UInt64 = 4
    var granules = ScenarioGranule.allCases
    /// ASIDs and VMIDs have 16 bits; otherwise their upper halves are always zero here.
    private(set) var hasLongASIDs = false
    private(set) var hasLongVMIDs = false
    /// The features that only decide how a field is read.
    private var options0: UInt64 = 0
    private var options1: UInt64 = 0
    private var options3: UInt64 = 0

    init(random: inout SplitMix64) {
        let stages = random.below(20)
        hasStage1 = stages != 0
        hasStage2 = stages != 1
        hasHyp = random.chance(50)
        hasTwoLevelCDs = random.chance(80)
        hasTwoLevelStreams = random.chance(80)
        terminationAlwaysAborts = random.chance(40)
        byteOrder = random.pick([0, 0, 0, 2, 2, 2, 2, 3])
        stallModel = random.pick([0, 0, 1, 1, 1, 2])
        streamIDBits = random.pick([4, 6, 8, 12, 16, 16, 24, 32])
        substreamIDBits = random.pick([0, 1, 4, 8, 12, 16, 20, 20])
        sizeCode = random.pick([0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 7])
        hasLargeVA = outputBits == 52 && random.chance(60)
        if hasLargeVA { largeVACode = random.chance(80) ? 1 : 2 }
        hasSmallTables = random.chance(30)
        hasRanges = random.chance(60)
        if random.chance(35) { granules = [random.pick(ScenarioGranule.allCases)] }
        hasLongASIDs = random.chance(50)
        hasLongVMIDs = random.chance(50)
        options0 =
            .flag(random.chance(50), 10) | .flag(random.chance(30), 11) | .flag(hasLongASIDs, 12)
            | .flag(hasLongVMIDs, 18)
        options1 = random.bits(32) & .flag(true, 26)
        options3 = random.bits(16) & (.flag(true, 2) | .flag(true, 4) | .flag(true, 8) | .flag(true, 13))
        options3 |= .flag(hasSmallTables, 9) | .flag(hasRanges, 10)
    }

    /// IDR0 to IDR5. The queues have 2^8 entries each.
    var words: [UInt32] {
        var idr0: UInt64 = options0 | .flag(hasStage2, 0) | .flag(hasStage1, 1) | .field(2, 3, 2) | .flag(true, 4)
        idr0 |= .flag(hasHyp, 9) | .flag(hasTwoLevelCDs, 19) | .field(byteOrder, 22, 21) | .field(stallModel, 25, 24)
        idr0 |= .flag(terminationAlwaysAborts, 26) | .flag(hasTwoLevelStreams, 27)
        let ids: UInt64 = .field(streamIDBits, 5, 0) | .field(substreamIDBits, 10, 6)
        let idr1 = options1 | ids | .field(8, 20, 16) | .field(8, 25, 21)
        var idr5: UInt64 = .field(sizeCode, 2, 0) | .field(largeVACode, 11, 10)
        idr5 |= .flag(granules.contains(.size4K), 4) | .flag(granules.contains(.size16K), 5)
        idr5 |= .flag(granules.contains(.size64K), 6)
        return [idr0, idr1, 0, options3, 0, idr5].map { UInt32(truncatingIfNeeded: $0) }
    }

    /// The largest TnSZ and S2T0SZ.
    func largestSizeField(_ granule: ScenarioGranule) -> Int {
        guard hasSmallTables else { return 39 }
        return granule == .size64K ? 47 : 48
    }

    var outputBits: Int { ScenarioIdentity.sizes[Int(sizeCode)] }

    /// The address sizes by their codes; the reserved one is read as 52 here.
    static let sizes = [32, 36, 40, 42, 44, 48, 52, 52]

    /// A size code for IPS and S2PS: usually all that there is.
    func randomSizeCode(_ random: inout SplitMix64) -> UInt64 {
        random.chance(90) ? max(sizeCode, UInt64(random.below(8))) : UInt64(random.below(8))
    }

    /// A byte order for tables that the SMMU has.
    func randomBigEndian(_ random: inout SplitMix64) -> Bool {
        switch byteOrder {
        case 0: return random.chance(30)
        case 3: return true
        default: return false
        }
    }
}

/// A stream table entry (IHI 0070, 5.2).
struct NaiveSTE {
    private let words: [UInt64]

    /// `words` are the eight words of the entry.
    init(words: [UInt64]) {
        var words = words
        while words.count < 8 { words.append(0) }
        self.words = words
    }

    var valid: Bool { words[0].bit(0) }
    var config: UInt64 { words[0].bits(3, 1) }
    var aborts: Bool { config < 4 }
    var usesStage1: Bool { config == 5 || config == 7 }
    var usesStage2: Bool { config == 6 || config == 7 }

    var contextFormat: UInt64 { words[0].bits(5, 4) }
    var contextPointer: UInt64 { words[0].keeping(51, 6) }
    var defaultSubstream: UInt64 { words[1].bits(1, 0) }
    var forcedWriteBack: Bool { words[1].bit(25) }
    var stage1StallDisabled: Bool { words[1].bit(27) }
    private var ats: UInt64 { words[1].bits(29, 28) }
    var privilegeOverride: UInt64 { words[1].bits(49, 48) }
    var instructionOverride: UInt64 { words[1].bits(51, 50) }

    private var vmid: UInt64 { words[2].bits(15, 0) }
    private var s2SizeField: Int { Int(words[2].bits(37, 32)) }
    private var s2InputBits: Int { 64 - s2SizeField }
    private var s2StartCode: UInt64 { words[2].bits(39, 38) }
    private var s2Granule: NaiveGranule? { NaiveGranule(tg0: words[2].bits(47, 46)) }
    private var s2SizeCode: UInt64 { words[2].bits(50, 48) }
    private var s2AArch64: Bool { words[2].bit(51) }
    private var s2BigEndian: Bool { words[2].bit(52) }
    private var s2AccessFlagDisabled: Bool { words[2].bit(53) }
    private var s2ProtectsWalks: Bool { words[2].bit(54) }
    private var s2UpdatesDirtyState: Bool { words[2].bit(55) }
    private var s2UpdatesAccessFlag: Bool { words[2].bit(56) }
    private var s2Stalls: Bool { words[2].bit(57) }
    private var s2Records: Bool { words[2].bit(58) }
    private var s2Table: UInt64 { words[3].keeping(51, 4) }

    /// log2 of the number of context descriptors; without SubstreamIDs there is one.
    func contextMax(_ features: NaiveFeatures) -> UInt64 {
        features.substreamIDBits == 0 ? 0 : words[0].bits(63, 59)
    }

    /// STRW, or the NS-EL1 that stands for it where it is ignored.
    private func world(_ features: NaiveFeatures) -> UInt64 {
        config == 5 && features.hasHyp ? words[1].bits(31, 30) : 0
    }

    /// Stage 1 of the EL2 stream world.
    func isEL2(_ features: NaiveFeatures) -> Bool { world(features) == 2 }

    /// False when the entry is ILLEGAL, apart from what `stage2` checks.
    func isLegal(_ features: NaiveFeatures) -> Bool {
        if config == 4 { return true }
        if usesStage1 && !isStage1Legal(features) { return false }
        if features.hasATS && !isATSLegal(features) { return false }
        if world(features) == 1 || world(features) == 3 { return false }
        let ignoresVMID = !features.hasStage2 || world(features) != 0
        return ignoresVMID || features.hasLongVMIDs || !vmid.exceeds(width: 8)
    }

    private func isStage1Legal(_ features: NaiveFeatures) -> Bool {
        guard features.hasStage1 else { return false }
        if stage1StallDisabled && !features.stallingIsOptional { return false }
        if !usesStage2 && contextPointer.exceeds(width: features.outputBits) { return false }
        let max = contextMax(features)
        if max > features.substreamIDBits { return false }
        let isTwoLevel = max > 0 && (contextFormat == 1 || contextFormat == 2)
        return !isTwoLevel || features.hasTwoLevelCDs
    }

    private func isATSLegal(_ features: NaiveFeatures) -> Bool {
        switch ats {
        case 1: return !(usesStage2 && s2Stalls)
        case 2: return config == 7 && !s2Stalls && !features.lacksSplitStageATS
        default: return true
        }
    }

    /// The stage 2 configuration, or nil when it is ILLEGAL (IHI 0070, 5.2, the S2 fields).
    func stage2(_ features: NaiveFeatures) -> NaiveStage2? {
        guard features.hasStage2, s2AArch64, features.walksAArch64 else { return nil }
        guard let granule = s2Granule, features.supports(granule) else { return nil }
        guard features.supports(bigEndian: s2BigEndian) else { return nil }
        if s2UpdatesAccessFlag && !features.updatesAccessFlags { return nil }
        if s2UpdatesDirtyState && !features.updatesDirtyState { return nil }
        if s2Stalls ? features.neverStalls : features.alwaysStalls { return nil }
        guard let start = s2StartLevel(granule, features) else { return nil }
        let outputBits = granule.limit(features.clippedSize(s2SizeCode))
        if s2Table.exceeds(width: outputBits) { return nil }
        return NaiveStage2(
            features: features, granule: granule, inputBits: s2InputBits, startLevel: start, outputBits: outputBits,
            table: s2Table, alignsTable: features.clippedSize(s2SizeCode) == 52, bigEndian: s2BigEndian,
            accessFlagDisabled: s2AccessFlagDisabled,
            protectsWalks: s2ProtectsWalks, forcedWriteBack: forcedWriteBack && features.hasForcedWriteBack,
            stalls: s2Stalls, records: s2Records)
    }

    /// The start level, if it fits the input size: at least one bit must be left to it, and at most 16 tables be
    /// concatenated.
    private func s2StartLevel(_ granule: NaiveGranule, _ features: NaiveFeatures) -> Int? {
        guard s2SizeField <= features.largestSizeField(granule), s2InputBits <= granule.limit(features.outputBits)
        else {
            return nil
        }
        guard let level = startLevelByCode(granule, features) else { return nil }
        switch (granule, level) {
        case (.size4K, 0), (.size64K, 1): if features.outputBits < 44 { return nil }
        case (.size16K, 1): if features.outputBits < 42 { return nil }
        default: break
        }
        let resolved = s2InputBits - granule.shift(level: level)
        return resolved >= 1 && resolved <= granule.stride + 4 ? level : nil
    }

    private func startLevelByCode(_ granule: NaiveGranule, _ features: NaiveFeatures) -> Int? {
        if s2StartCode < 3 { return (granule == .size4K ? 2 : 3) - Int(s2StartCode) }
        return granule == .size4K && features.hasSmallTables ? 3 : nil
    }
}

/// The second stage of a stream (IHI 0070, 5.2, the S2 fields).
extension ScenarioBuilder {
    /// The tree and words 2 and 3 of the STE.
    mutating func stage2(sid: UInt32) -> (tree: ScenarioTree, words: [UInt64]) {
        let granule = random.pick(identity.granules)
        let smallest = 64 - identity.largestSizeField(granule)
        var inputBits = random.within(25...max(25, granule.limit(identity.outputBits)))
        if smallest < 25 && random.chance(30) { inputBits = random.within(smallest...24) }
        let levels = (0...3).filter { isValidStart($0, granule, inputBits) }
        let start = levels.isEmpty ? 2 : random.pick(levels)
        let bigEndian = identity.randomBigEndian(&random)
        let empty = ScenarioTree(
            isStage2: true, granule: granule, inputBits: inputBits, startLevel: start, bigEndian: bigEndian,
            isUpper: false, sid: sid, ssid: nil)
        var none: ScenarioTree?
        var tree = plant(empty, under: &none)
        prepareForStructures(&tree)
        let deepest: UInt64 = granule == .size4K ? 2 : 3
        let startCode = start == 3 && granule == .size4K ? 3 : deepest &- UInt64(start)
        var word2: UInt64 = randomVMID() | .field(64 - inputBits, 37, 32) | .field(random.bits(6), 45, 40)
        word2 |= .field(startCode, 39, 38) | .field(granule.code0, 47, 46) | .flag(true, 51)
        word2 |= .field(identity.randomSizeCode(&random), 50, 48) | .flag(bigEndian, 52)
        word2 |= .flag(random.chance(10), 53) | .flag(random.chance(30), 54)
        word2 |= .flag(stalls(), 57) | .flag(random.chance(85), 58)
        return (tree, [word2, tree.root.pointer])
    }

    mutating func randomVMID() -> UInt64 {
        defer { nextVMID &+= 1 }
        return (random.bits(identity.hasLongVMIDs ? 12 : 4) &<< 4) | (nextVMID & 15)
    }

    mutating func randomASID() -> UInt64 {
        defer { nextASID &+= 1 }
        return (random.bits(identity.hasLongASIDs ? 11 : 3) &<< 5) | (nextASID & 31)
    }

    /// Whether a stage 2 walk may start here: 1 to 16 tables, at least one bit left to them.
    private func isValidStart(_ level: Int, _ granule: ScenarioGranule, _ inputBits: Int) -> Bool {
        let resolved = inputBits - granule.shift(level: level)
        guard resolved >= 1 && resolved <= granule.stride + 4 else { return false }
        switch (granule, level) {
        case (.size4K, 3): return identity.hasSmallTables
        case (.size16K, 0), (.size64K, 0): return false
        case (.size4K, 0), (.size64K, 1): return identity.outputBits >= 44
        case (.size16K, 1): return identity.outputBits >= 42
        default: return true
        }
    }

    /// Structures go near the bottom of the intermediate space; sometimes there is one block for all of them.
    private mutating func prepareForStructures(_ tree: inout ScenarioTree) {
        let block = UInt64(tree.granule.shift(level: 2))
        tree.nextStructure = random.bits(4) &<< UInt64(tree.granule.pageBits)
        guard block <= 25, Int(block) < tree.inputBits, tree.startLevel <= 2, random.chance(40) else { return }
        let pa = memory.reserve(bytes: 1 &<< block, alignment: 1 &<< block, high: false)
        mapStructure(0, pa, level: 2, &tree)
        tree.arena = (ipa: 0, pa: pa, left: 1 &<< block)
        tree.nextStructure = 1 &<< block
    }

    /// A value for S and S2S that is legal.
    mutating func stalls() -> Bool {
        switch identity.stallModel {
        case 0: return random.chance(20)
        case 2: return true
        default: return false
        }
    }

    /// Maps random intermediate memory of a stream that has no stage 1.
    mutating func fillStage2(_ tree: inout ScenarioTree) {
        for _ in 0..<random.within(3...8) {
            let level = randomLeafLevel(tree)
            let input = randomInput(tree, level: level)
            if mapStage2(input, level: level, &tree) { targets.append(target(input, level: level, tree)) }
        }
    }

    @discardableResult
    mutating func mapStage2(_ input: UInt64, level: Int, _ tree: inout ScenarioTree) -> Bool {
        var none: ScenarioTree?
        let output = randomOutput(tree)
        guard map(input, to: output, level: level, attributes: stage2Attributes(), in: &tree, under: &none) else {
            return false
        }
        tree.mapped.append(input)
        return true
    }

    /// An output address: nearly always one that the granule and the SMMU have.
    mutating func randomOutput(_ tree: ScenarioTree) -> UInt64 {
        let width = random.chance(3) ? 52 : tree.granule.limit(identity.outputBits)
        return random.bits(random.chance(60) ? min(width, 32) : width)
    }
}

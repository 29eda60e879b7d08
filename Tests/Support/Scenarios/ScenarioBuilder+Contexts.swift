/// Context descriptors and the first stage (IHI 0070, 5.3 and 5.4).
extension ScenarioBuilder {
    /// Fills a context: both halves, and a few mappings in each. `twoRanges` is false for EL2 without E2H.
    mutating func context(
        at spot: ScenarioTree.Spot, sid: UInt32, ssid: UInt32?, stallDisabled: Bool, twoRanges: Bool,
        under stage2: inout ScenarioTree?
    ) {
        let bigEndian = identity.randomBigEndian(&random)
        let hasUpper = twoRanges && random.chance(50)
        var lower = emptyTree(sid: sid, ssid: ssid, bigEndian: bigEndian, isUpper: false)
        var upper = emptyTree(sid: sid, ssid: ssid, bigEndian: bigEndian, isUpper: true)
        lower = plant(lower, under: &stage2)
        fill(&lower, under: &stage2)
        if hasUpper {
            upper = plant(upper, under: &stage2)
            fill(&upper, under: &stage2)
        }
        let isLowerOff = hasUpper && random.chance(15)
        var word0 = randomContextFlags(stallDisabled: stallDisabled) | .flag(bigEndian, 15)
        word0 |= .field(64 - lower.inputBits, 5, 0) | .field(lower.granule.code0, 7, 6) | .flag(isLowerOff, 14)
        word0 |= .field(64 - upper.inputBits, 21, 16) | .field(upper.granule.code1, 23, 22) | .flag(!hasUpper, 30)
        let words = [
            word0, lower.root.pointer | randomHalfFlags(), upper.root.pointer | randomHalfFlags(), random.next(),
        ]
        for (number, word) in words.enumerated() {
            let value = damaged(word, percent: 1, fields: ScenarioField.cd(word: number))
            let pa = spot.pa &+ UInt64(8 * number)
            guard number < 3 else { return memory.write(pa, value) }
            put(
                ScenarioLiveWord(
                    pa: pa, kind: .cd, sid: sid, ssid: ssid, address: 0, level: number, template: word,
                    bigEndian: false), damaged: value)
        }
    }

    private mutating func emptyTree(sid: UInt32, ssid: UInt32?, bigEndian: Bool, isUpper: Bool) -> ScenarioTree {
        let granule = random.pick(identity.granules)
        var sizes = [25, 30, 32, 36, 39, 42, 47, 48, random.within(25...48)]
        if granule == .size64K && identity.hasLargeVA { sizes += [49, 51, 52, 52] }
        var inputBits = random.pick(sizes)
        let smallest = 64 - identity.largestSizeField(granule)
        if smallest < 25 && random.chance(30) { inputBits = random.within(smallest...24) }
        let start = (0...3).last { granule.shift(level: $0) + granule.stride >= inputBits } ?? 0
        return ScenarioTree(
            isStage2: false, granule: granule, inputBits: inputBits, startLevel: start, bigEndian: bigEndian,
            isUpper: isUpper, sid: sid, ssid: ssid)
    }

    /// Everything of word 0 that does not depend on the tables; usually legal.
    private mutating func randomContextFlags(stallDisabled: Bool) -> UInt64 {
        var word: UInt64 = .flag(true, 31) | .flag(true, 41) | .field(identity.randomSizeCode(&random), 34, 32)
        word |= .field(random.bits(6), 13, 8) | .field(random.bits(6), 29, 24)
        for bit in 35...37 { word |= .flag(random.chance(10), bit) }
        word |= .flag(random.chance(30), 38) | .flag(random.chance(30), 39) | .flag(random.chance(10), 40)
        word |= .flag(stalls() && !stallDisabled, 44) | .flag(random.chance(85), 45)
        word |= .flag(identity.terminationAlwaysAborts || random.chance(80), 46)
        return word | .flag(random.chance(50), 47) | (randomASID() &<< 48)
    }

    /// HAD and E0PD.
    private mutating func randomHalfFlags() -> UInt64 {
        .flag(random.chance(20), 1) | .flag(random.chance(8), 2)
    }

    private mutating func fill(_ tree: inout ScenarioTree, under stage2: inout ScenarioTree?) {
        for _ in 0..<random.within(2...6) {
            let level = randomLeafLevel(tree)
            let input = randomInput(tree, level: level)
            let mapping = stage1Output(tree, level: level, under: &stage2)
            let isNew = map(
                input, to: mapping.output, level: level, attributes: stage1Attributes(), in: &tree, under: &stage2)
            guard isNew else { continue }
            tree.mapped.append(input)
            let hot = tree.full(input) | mapping.hot
            targets.append(ScenarioTarget(sid: tree.sid, ssid: tree.ssid, address: hot, bits: mapping.bits))
        }
    }

    /// An output of stage 1. Under a stage 2, part of it is mapped there: `bits` bits from the offset `hot` on.
    private mutating func stage1Output(
        _ tree: ScenarioTree, level: Int, under stage2: inout ScenarioTree?
    ) -> (output: UInt64, hot: UInt64, bits: Int) {
        let shift = tree.granule.shift(level: level)
        guard var second = stage2 else { return (randomOutput(tree), 0, shift) }
        let secondLevel = randomLeafLevel(second)
        let secondShift = second.granule.shift(level: secondLevel)
        var ipa = randomInput(second, level: secondLevel)
        if !mapStage2(ipa, level: secondLevel, &second), !second.mapped.isEmpty { ipa = random.pick(second.mapped) }
        stage2 = second
        return (ipa, secondShift < shift ? ipa & .mask(shift - 1, 0) : 0, min(shift, secondShift))
    }
}

/// Stream table entries (IHI 0070, 5.2).
extension ScenarioBuilder {
    /// Builds what an entry needs and gives its first four words.
    mutating func stream(_ sid: UInt32) -> [UInt64] {
        let kind = randomKind()
        switch kind {
        case .invalid: return plainStream(sid, kind, word0: random.next() & ~1)
        case .abort: return plainStream(sid, kind, word0: 1 | .field(random.below(UInt64(4)), 3, 1))
        case .bypass: return plainStream(sid, kind, word0: 1 | .field(4, 3, 1))
        case .stage1, .stage2, .nested: return translatedStream(sid, kind)
        }
    }

    private mutating func randomKind() -> ScenarioStream.Kind {
        var kinds: [ScenarioStream.Kind] = []
        if identity.hasStage1 { kinds += [.stage1, .stage1, .stage1, .stage1] }
        if identity.hasStage2 { kinds += [.stage2, .stage2, .stage2] }
        if identity.hasStage1 && identity.hasStage2 { kinds += [.nested, .nested, .nested, .nested] }
        return random.pick(kinds + kinds + [.invalid, .abort, .bypass])
    }

    private mutating func plainStream(_ sid: UInt32, _ kind: ScenarioStream.Kind, word0: UInt64) -> [UInt64] {
        streams.append(ScenarioStream(sid: sid, kind: kind, ssids: [nil]))
        targets.append(ScenarioTarget(sid: sid, ssid: nil, address: 0, bits: 32))
        return [word0, randomAttributes(), randomVMID(), 0]
    }

    private mutating func translatedStream(_ sid: UInt32, _ kind: ScenarioStream.Kind) -> [UInt64] {
        var words: [UInt64] = [1, randomAttributes(), randomVMID(), 0]
        var second: ScenarioTree?
        if kind != .stage1 {
            let built = stage2(sid: sid)
            second = built.tree
            words.replaceSubrange(2...3, with: built.words)
            words[0] |= .flag(true, 2)
        }
        var ssids: [UInt32?] = [nil]
        if kind == .stage2 {
            if var tree = second { fillStage2(&tree) }
        } else {
            words[0] |= .flag(true, 1)
            ssids = contexts(sid, kind, &words, under: &second)
        }
        words[0] |= .flag(true, 3)
        streams.append(ScenarioStream(sid: sid, kind: kind, ssids: ssids))
        return words
    }

    /// Word 1 but for what stage 1 puts there: overrides and ATS, and attributes that no translation depends on.
    private mutating func randomAttributes() -> UInt64 {
        var word: UInt64 = (random.bits(12) &<< 2) | (random.bits(14) &<< 32)
        if random.chance(15) { word |= .field(random.bits(2), 49, 48) }
        if random.chance(15) { word |= .field(random.bits(2), 51, 50) }
        // EATS, legal or reserved: split stage needs more than most streams have.
        let ats = random.pick([0, 0, 0, 0, 0, 0, 0, 1, 1, 3])
        return word | .flag(random.chance(50), 25) | .field(ats, 29, 28)
    }

    /// The context descriptors of a stream, one or many; completes words 0 and 1.
    private mutating func contexts(
        _ sid: UInt32, _ kind: ScenarioStream.Kind, _ words: inout [UInt64], under stage2: inout ScenarioTree?
    ) -> [UInt32?] {
        let stallDisabled = identity.stallModel == 0 && random.chance(30)
        let isEL2 = kind == .stage1 && identity.hasHyp && (hasE2H || !hasPlainEL2) && random.chance(35)
        words[1] |= .flag(stallDisabled, 27) | .field(isEL2 ? 2 : ignoredWorld(kind), 31, 30)
        let twoRanges = !isEL2 || hasE2H
        if !twoRanges { hasPlainEL2 = true }
        guard identity.substreamIDBits > 0, twoRanges, random.chance(60) else {
            if identity.substreamIDBits == 0 { words[0] |= random.bits(5) &<< 59 | random.bits(2) &<< 4 }
            let spot = place(bytes: 64, alignment: 64, under: &stage2)
            words[0] |= spot.pointer
            context(
                at: spot, sid: sid, ssid: nil, stallDisabled: stallDisabled, twoRanges: twoRanges, under: &stage2)
            return [nil]
        }
        var table = ScenarioContextTable(
            sid: sid, indexBits: random.within(1...min(identity.substreamIDBits, 14)), format: 0)
        if identity.hasTwoLevelCDs && random.chance(60) { table.format = random.within(1...2) }
        if table.format == 0 { table.indexBits = min(table.indexBits, 8) }
        let defaultSubstream = random.pick([0, 1, 1, 1, 2, 2, 2, 2, 3])
        let format = table.format == 0 && random.chance(20) ? 3 : table.format
        place(&table, under: &stage2)
        words[0] |= table.root.pointer | .field(format, 5, 4) | .field(table.indexBits, 63, 59)
        words[1] |= .field(defaultSubstream, 1, 0)
        return fill(
            &table, defaultSubstream, stallDisabled: stallDisabled, twoRanges: twoRanges, under: &stage2)
    }

    /// A value for STRW where it is ignored. Where a change of Config alone would make it count, it is not EL2's.
    private mutating func ignoredWorld(_ kind: ScenarioStream.Kind) -> Int {
        guard kind == .nested || !identity.hasHyp, random.chance(30) else { return 0 }
        return identity.hasHyp ? random.pick([1, 3]) : random.within(1...3)
    }

    private mutating func fill(
        _ table: inout ScenarioContextTable, _ defaultSubstream: Int, stallDisabled: Bool, twoRanges: Bool,
        under stage2: inout ScenarioTree?
    ) -> [UInt32?] {
        var ssids: [UInt32?] = [nil]
        var indices = [UInt32(truncatingIfNeeded: random.bits(table.indexBits))]
        if random.chance(60) { indices.append(UInt32(truncatingIfNeeded: random.bits(table.indexBits))) }
        if defaultSubstream == 2 { indices.append(0) }
        for index in Set(indices).sorted() {
            let spot = contextSpot(index, &table, under: &stage2)
            let ssid: UInt32? = index == 0 && defaultSubstream == 2 ? nil : index
            context(
                at: spot, sid: table.sid, ssid: ssid, stallDisabled: stallDisabled, twoRanges: twoRanges,
                under: &stage2)
            ssids.append(ssid)
        }
        if defaultSubstream == 1 { targetBypass(table.sid, under: stage2) }
        return ssids
    }

    /// Addresses for transactions that pass by stage 1: what stage 2 maps, or anything.
    private mutating func targetBypass(_ sid: UInt32, under stage2: ScenarioTree?) {
        guard let stage2 else {
            return targets.append(ScenarioTarget(sid: sid, ssid: nil, address: 0, bits: identity.outputBits))
        }
        for input in stage2.mapped.prefix(3) {
            targets.append(ScenarioTarget(sid: sid, ssid: nil, address: input, bits: stage2.granule.pageBits))
        }
    }
}

/// Translation tables of either stage (VMSAv8-64).
extension ScenarioBuilder {
    /// An empty tree; its root table is placed at once.
    mutating func plant(_ tree: ScenarioTree, under stage2: inout ScenarioTree?) -> ScenarioTree {
        var planted = tree
        // Small tables need more than their size in alignment only where IPS or S2PS may say 52 bits. Without it some are
        // not found, which is not found in the same place by everyone.
        let bytes = max(identity.outputBits == 52 && random.chance(70) ? 64 : 8, tree.rootBytes)
        let reachesHigh = stage2 == nil && tree.granule.limit(identity.outputBits) == identity.outputBits
        if reachesHigh && random.chance(10) {
            let pa = memory.reserve(bytes: bytes, alignment: max(4096, bytes), high: true)
            memory.back(pa, bytes: bytes)
            planted.root = ScenarioTree.Spot(pa: pa, pointer: pa)
        } else {
            planted.root = place(bytes: bytes, alignment: bytes, under: &stage2)
        }
        return planted
    }

    /// Maps `input` with a leaf of this level, making tables on the way. False, and no leaf, where something is mapped.
    @discardableResult
    mutating func map(
        _ input: UInt64, to output: UInt64, level: Int, attributes: UInt64, in tree: inout ScenarioTree,
        under stage2: inout ScenarioTree?
    ) -> Bool {
        guard level >= tree.startLevel, level <= 3 else { return false }
        var spot = tree.root
        for upper in tree.startLevel..<level {
            guard let next = descend(input, level: upper, from: spot, &tree, under: &stage2) else { return false }
            spot = next
        }
        let key = tree.key(input, level: level)
        guard tree.tables[key] == nil, tree.leaves.insert(key).inserted else { return false }
        let address = tree.granule.encoded(output, outputBits: identity.outputBits)
        let leaf = address & .mask(47, leafLow(tree, level)) | lowAddressBits(address, tree) | attributes
        let type: UInt64 = level == 3 ? 3 : 1
        put(entry(input, level: level, value: leaf | type, tree, spot))
        if random.chance(40) { offerNeighbour(of: input, level: level, leaf: leaf | type, tree, spot) }
        return true
    }

    private func leafLow(_ tree: ScenarioTree, _ level: Int) -> Int {
        tree.granule.shift(level: level)
    }

    /// The part of an encoded address that the 64K granule keeps in [15:12].
    private func lowAddressBits(_ address: UInt64, _ tree: ScenarioTree) -> UInt64 {
        tree.granule == .size64K ? address & .mask(15, 12) : 0
    }

    private func entry(
        _ input: UInt64, level: Int, value: UInt64, _ tree: ScenarioTree, _ spot: ScenarioTree.Spot
    ) -> ScenarioLiveWord {
        ScenarioLiveWord(
            pa: tree.entry(input, level: level, in: spot), kind: tree.isStage2 ? .stage2Table : .stage1Table,
            sid: tree.sid, ssid: tree.ssid, address: tree.full(input), level: level, template: value,
            bigEndian: tree.bigEndian, granule: tree.granule)
    }

    /// The table that the entry for `input` points to, made if need be; nil when the entry is a leaf.
    private mutating func descend(
        _ input: UInt64, level: Int, from spot: ScenarioTree.Spot, _ tree: inout ScenarioTree,
        under stage2: inout ScenarioTree?
    ) -> ScenarioTree.Spot? {
        let key = tree.key(input, level: level)
        if let known = tree.tables[key] { return known }
        if tree.leaves.contains(key) { return nil }
        let bytes: UInt64 = 1 &<< UInt64(tree.granule.pageBits)
        let next = place(bytes: bytes, alignment: bytes, under: &stage2)
        tree.tables[key] = next
        let address = tree.granule.encoded(next.pointer, outputBits: identity.outputBits)
        put(entry(input, level: level, value: address | tableAttributes(tree) | 3, tree, spot))
        return next
    }

    /// Remembers the entry beside a leaf as a place for a mutation to map something at.
    private mutating func offerNeighbour(
        of input: UInt64, level: Int, leaf: UInt64, _ tree: ScenarioTree, _ spot: ScenarioTree.Spot
    ) {
        let neighbour = input ^ (1 &<< UInt64(tree.granule.shift(level: level)))
        guard neighbour >> UInt64(tree.inputBits) == 0 else { return }
        let key = tree.key(neighbour, level: level)
        guard tree.tables[key] == nil, !tree.leaves.contains(key) else { return }
        live.append(entry(neighbour, level: level, value: leaf, tree, spot))
    }

    func target(_ input: UInt64, level: Int, _ tree: ScenarioTree) -> ScenarioTarget {
        ScenarioTarget(
            sid: tree.sid, ssid: tree.ssid, address: tree.full(input), bits: tree.granule.shift(level: level))
    }

    // MARK: Random attributes

    /// PXNTable, XNTable and APTable now and then, and ignored bits.
    private mutating func tableAttributes(_ tree: ScenarioTree) -> UInt64 {
        guard !tree.isStage2 else { return random.bits(5) &<< 59 }
        var attributes: UInt64 = .flag(random.chance(50), 63)
        for bit in 59...62 { attributes |= .flag(random.chance(4), bit) }
        return attributes
    }

    mutating func stage1Attributes() -> UInt64 {
        var attributes: UInt64 = .field(random.bits(4), 5, 2) | .field(random.bits(2), 9, 8)
        attributes |= .flag(random.chance(85), 6) | .flag(random.chance(20), 7) | .flag(random.chance(95), 10)
        attributes |= .flag(random.chance(70), 11) | .flag(random.chance(10), 51)
        attributes |= .flag(random.chance(30), 53) | .flag(random.chance(25), 54)
        return attributes | .field(random.bits(4), 58, 55)
    }

    mutating func stage2Attributes() -> UInt64 {
        var attributes: UInt64 = .field(random.chance(85) ? 15 : random.bits(4), 5, 2) | .field(random.bits(2), 9, 8)
        attributes |= .field(random.chance(80) ? 3 : random.bits(2), 7, 6) | .flag(random.chance(95), 10)
        attributes |= .field(random.chance(75) ? 0 : random.bits(2), 54, 53)
        return attributes | .flag(random.chance(10), 51) | .field(random.bits(4), 58, 55)
    }

    /// An input address for a mapping of this level: often near one that is already there.
    mutating func randomInput(_ tree: ScenarioTree, level: Int) -> UInt64 {
        let shift = tree.granule.shift(level: level)
        var input = random.bits(tree.inputBits)
        if !tree.mapped.isEmpty && random.chance(70) {
            input = random.pick(tree.mapped) ^ (random.bits(3) &<< UInt64(shift))
        }
        return input & .mask(tree.inputBits - 1, shift)
    }

    /// A level for a leaf: one that can have leaves, and now and then one that cannot.
    mutating func randomLeafLevel(_ tree: ScenarioTree) -> Int {
        if random.chance(4) { return random.within(tree.startLevel...3) }
        let levels = tree.granule.leafLevels(outputBits: identity.outputBits).filter { $0 >= tree.startLevel }
        return random.chance(50) ? 3 : random.pick(levels)
    }
}

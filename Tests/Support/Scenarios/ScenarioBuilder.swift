/// Collects what goes into a scenario: memory, the words that lookups go through, and addresses worth asking about.
struct ScenarioBuilder {
    var random: SplitMix64
    let identity: ScenarioIdentity
    var memory: ScenarioMemory
    var live: [ScenarioLiveWord] = []
    var targets: [ScenarioTarget] = []
    var streams: [ScenarioStream] = []
    /// CR2.E2H, which decides how many ranges an EL2 stream has.
    let hasE2H: Bool
    /// The next number of a stream and of a context: the low bits of their VMIDs and ASIDs. No two contexts share both,
    /// so that no two sets of tables claim the same entries of the TLB.
    var nextVMID: UInt64 = 0
    var nextASID: UInt64 = 0
    /// There is a stream at EL2 already, whose translations have neither VMID nor ASID.
    var hasPlainEL2 = false

    init(random: SplitMix64) {
        self.random = random
        identity = ScenarioIdentity(random: &self.random)
        memory = ScenarioMemory(outputBits: identity.outputBits, random: &self.random)
        hasE2H = self.random.chance(50)
    }

    /// Room for a structure of a stream. Under a stage 2 it is mapped there, and the pointer is an intermediate address.
    mutating func place(bytes: UInt64, alignment: UInt64, under stage2: inout ScenarioTree?) -> ScenarioTree.Spot {
        if stage2 != nil { return placeTranslated(bytes: bytes, alignment: alignment, under: &stage2) }
        let pa = memory.reserve(bytes: bytes, alignment: alignment, high: false)
        memory.back(pa, bytes: bytes)
        return ScenarioTree.Spot(pa: pa, pointer: pa)
    }

    private mutating func placeTranslated(
        bytes: UInt64, alignment: UInt64, under stage2: inout ScenarioTree?
    ) -> ScenarioTree.Spot {
        guard var tree = stage2 else { return ScenarioTree.Spot(pa: 0, pointer: 0) }
        defer { stage2 = tree }
        if let spot = placeInArena(bytes: bytes, alignment: alignment, &tree) { return spot }
        let page: UInt64 = 1 &<< UInt64(tree.granule.pageBits)
        let whole = bytes.alignedUp(to: page)
        let pa = memory.reserve(bytes: whole, alignment: max(page, alignment), high: false)
        memory.back(pa, bytes: bytes)
        let ipa = tree.nextStructure.alignedUp(to: max(page, alignment))
        tree.nextStructure = ipa &+ whole &+ page &* random.below(UInt64(4))
        var offset: UInt64 = 0
        while offset < whole {
            mapStructure(ipa &+ offset, pa &+ offset, level: 3, &tree)
            offset &+= page
        }
        return ScenarioTree.Spot(pa: pa, pointer: ipa)
    }

    private mutating func placeInArena(
        bytes: UInt64, alignment: UInt64, _ tree: inout ScenarioTree
    ) -> ScenarioTree.Spot? {
        guard let arena = tree.arena else { return nil }
        let skipped = arena.ipa.alignedUp(to: alignment) &- arena.ipa
        guard skipped &+ bytes <= arena.left else { return nil }
        let spot = ScenarioTree.Spot(pa: arena.pa &+ skipped, pointer: arena.ipa &+ skipped)
        memory.back(spot.pa, bytes: bytes)
        let used = skipped &+ bytes
        tree.arena = (ipa: arena.ipa &+ used, pa: arena.pa &+ used, left: arena.left &- used)
        return spot
    }

    /// A stage 2 leaf over structures: nearly always one that allows the SMMU to read them.
    mutating func mapStructure(_ ipa: UInt64, _ pa: UInt64, level: Int, _ tree: inout ScenarioTree) {
        var none: ScenarioTree?
        let attributes =
            random.chance(2) ? stage2Attributes() : .field(15, 5, 2) | .field(3, 7, 6) | .flag(true, 10)
        map(ipa, to: pa, level: level, attributes: attributes, in: &tree, under: &none)
    }

    /// Remembers a word, and writes it: as it makes sense, or the `damaged` value.
    mutating func put(_ word: ScenarioLiveWord, damaged: UInt64? = nil) {
        live.append(word)
        let value = damaged ?? word.template
        memory.write(word.pa, word.bigEndian ? value.byteSwapped : value)
    }

    /// Now and then takes a page away that something lies in; seldom one of the stream table, which would hit everything.
    mutating func breakMemory() {
        guard random.chance(7), !live.isEmpty else { return }
        let word = random.pick(live)
        if word.kind == .ste && random.chance(70) { return }
        memory.remove(pageOf: word.pa)
    }

    /// Now and then one field gets another value, which may make the structure illegal.
    mutating func damaged(_ word: UInt64, percent: Int, fields: [ScenarioField]) -> UInt64 {
        guard random.chance(percent) else { return word }
        return random.pick(fields).changed(word, &random)
    }
}

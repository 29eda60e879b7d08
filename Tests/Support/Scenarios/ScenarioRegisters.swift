/// The registers that a translation depends on (IHI 0070, 6.3).
package struct ScenarioRegisters: Equatable, Sendable {
    package var cr0: UInt32
    package var cr2: UInt32
    package var gbpa: UInt32
    package var strtabBase: UInt64
    package var strtabBaseCfg: UInt32
}

extension ScenarioBuilder {
    /// Places the stream table, builds every stream, and gives the registers that point to it all.
    mutating func streamTable() -> ScenarioRegisters {
        let isTwoLevel = identity.hasTwoLevelStreams && random.chance(60)
        let sizeBits = random.within(2...min(isTwoLevel ? 16 : 8, identity.streamIDBits))
        let split = random.pick([6, 6, 8, 10])
        var table = ScenarioStreamTable(isTwoLevel: isTwoLevel, sizeBits: sizeBits, split: split)
        var none: ScenarioTree?
        table.root = place(bytes: table.rootBytes, alignment: table.rootBytes, under: &none).pa
        var sids: Set<UInt32> = []
        for _ in 0..<random.within(2...6) { sids.insert(UInt32(truncatingIfNeeded: random.bits(sizeBits))) }
        for sid in sids.sorted() { addStream(sid, &table) }
        let cr2: UInt64 = .flag(hasE2H, 0) | .flag(random.chance(70), 1) | .flag(true, 2)
        let config: UInt64 = .field(sizeBits, 5, 0) | .field(split, 10, 6) | .flag(isTwoLevel, 16)
        return ScenarioRegisters(
            cr0: random.chance(98) ? 0xD : 0xC, cr2: UInt32(truncatingIfNeeded: cr2),
            gbpa: random.chance(50) ? 0x1000 : 0x10_1000, strtabBase: table.root | .flag(random.chance(50), 62),
            strtabBaseCfg: UInt32(truncatingIfNeeded: config))
    }

    private mutating func addStream(_ sid: UInt32, _ table: inout ScenarioStreamTable) {
        let pa = entrySpot(sid, &table)
        for (number, word) in stream(sid).enumerated() {
            let value = damaged(word, percent: 1, fields: ScenarioField.ste(word: number))
            put(
                ScenarioLiveWord(
                    pa: pa &+ UInt64(8 * number), kind: .ste, sid: sid, ssid: nil, address: 0, level: number,
                    template: word, bigEndian: false), damaged: value)
        }
    }

    private mutating func entrySpot(_ sid: UInt32, _ table: inout ScenarioStreamTable) -> UInt64 {
        guard table.isTwoLevel else { return table.root &+ UInt64(sid) &* 64 }
        let upper = sid >> UInt32(table.split)
        let within = UInt64(sid) & .mask(table.split - 1, 0)
        if let leaf = table.leaves[upper] { return leaf &+ within &* 64 }
        let needed = 64 - within.leadingZeroBitCount
        var span = random.chance(85) ? table.split + 1 : random.within(needed + 1...table.split + 1)
        if random.chance(2) { span = random.within(0...31) }
        let bytes: UInt64 = 64 &<< UInt64(table.split)
        var none: ScenarioTree?
        let leaf = place(bytes: bytes, alignment: bytes, under: &none).pa
        table.leaves[upper] = leaf
        put(
            ScenarioLiveWord(
                pa: table.root &+ UInt64(upper) &* 8, kind: .streamTableLevel1, sid: sid, ssid: nil, address: 0,
                level: 0, template: leaf | UInt64(span), bigEndian: false))
        return leaf &+ within &* 64
    }
}

/// The stream table while it is being built (IHI 0070, 3.3.1 and 5.1).
struct ScenarioStreamTable {
    let isTwoLevel: Bool
    let sizeBits: Int
    let split: Int
    var root: UInt64 = 0
    var leaves: [UInt32: UInt64] = [:]

    init(isTwoLevel: Bool, sizeBits: Int, split: Int) {
        self.isTwoLevel = isTwoLevel
        self.sizeBits = sizeBits
        self.split = split
    }

    var rootBytes: UInt64 {
        isTwoLevel ? max(64, 8 &<< UInt64(max(0, sizeBits - split))) : 64 &<< UInt64(sizeBits)
    }
}

/// A table of several context descriptors while it is being built (IHI 0070, 5.2, S1Fmt).
struct ScenarioContextTable {
    let sid: UInt32
    var indexBits: Int
    /// S1Fmt: linear, 4 KiB leaves, 64 KiB leaves.
    var format: Int
    var root = ScenarioTree.Spot(pa: 0, pointer: 0)
    var leaves: [UInt32: ScenarioTree.Spot] = [:]

    init(sid: UInt32, indexBits: Int, format: Int) {
        self.sid = sid
        self.indexBits = indexBits
        self.format = format
    }

    var leafBits: Int { format == 1 ? 6 : 10 }

    var rootBytes: UInt64 {
        format == 0 ? 64 &<< UInt64(indexBits) : max(64, 8 &<< UInt64(max(0, indexBits - leafBits)))
    }
}

extension ScenarioBuilder {
    mutating func place(_ table: inout ScenarioContextTable, under stage2: inout ScenarioTree?) {
        table.root = place(bytes: table.rootBytes, alignment: table.rootBytes, under: &stage2)
    }

    /// Where the descriptor with this index goes; makes the leaf table that it lies in.
    mutating func contextSpot(
        _ index: UInt32, _ table: inout ScenarioContextTable, under stage2: inout ScenarioTree?
    ) -> ScenarioTree.Spot {
        guard table.format != 0 else { return spot(table.root, UInt64(index)) }
        let upper = index >> UInt32(table.leafBits)
        let within = UInt64(index) & .mask(table.leafBits - 1, 0)
        if let leaf = table.leaves[upper] { return spot(leaf, within) }
        let bytes: UInt64 = 64 &<< UInt64(table.leafBits)
        let leaf = place(bytes: bytes, alignment: bytes, under: &stage2)
        table.leaves[upper] = leaf
        put(
            ScenarioLiveWord(
                pa: table.root.pa &+ UInt64(upper) &* 8, kind: .contextTableLevel1, sid: table.sid, ssid: index,
                address: 0, level: 0, template: leaf.pointer | 1, bigEndian: false))
        return spot(leaf, within)
    }

    private func spot(_ table: ScenarioTree.Spot, _ index: UInt64) -> ScenarioTree.Spot {
        ScenarioTree.Spot(pa: table.pa &+ index &* 64, pointer: table.pointer &+ index &* 64)
    }
}

/// The translation tables of one stage of one context, while they are being built.
struct ScenarioTree {
    /// Where a table is, and how entries point to it: the same, unless another stage lies between.
    struct Spot {
        let pa: UInt64
        let pointer: UInt64
    }

    /// Where an entry is in the tree.
    struct Key: Hashable {
        let level: Int
        let prefix: UInt64
    }

    let isStage2: Bool
    let granule: ScenarioGranule
    let inputBits: Int
    let startLevel: Int
    let bigEndian: Bool
    /// The upper address range: all bits above the input are ones.
    let isUpper: Bool
    let sid: UInt32
    let ssid: UInt32?
    var root = Spot(pa: 0, pointer: 0)
    /// The tables below the root, by the entry that points to each.
    var tables: [Key: Spot] = [:]
    var leaves: Set<Key> = []
    /// Input addresses (without the ones of the upper range) that have been mapped.
    var mapped: [UInt64] = []
    /// Stage 2: the next intermediate address for a structure, and a block that such structures lie in, if any.
    var nextStructure: UInt64 = 0
    var arena: (ipa: UInt64, pa: UInt64, left: UInt64)?

    var rootBytes: UInt64 {
        8 &<< UInt64(inputBits - granule.shift(level: startLevel))
    }

    func key(_ input: UInt64, level: Int) -> Key {
        Key(level: level, prefix: input >> UInt64(granule.shift(level: level)))
    }

    /// Where in the table `spot` of this level the entry for `input` is.
    func entry(_ input: UInt64, level: Int, in spot: Spot) -> UInt64 {
        let prefix = input >> UInt64(granule.shift(level: level))
        let index = level == startLevel ? prefix : prefix & .mask(granule.stride - 1, 0)
        return spot.pa &+ (index &* 8)
    }

    /// The address as a transaction has it.
    func full(_ input: UInt64) -> UInt64 {
        isUpper ? input | ~UInt64.mask(inputBits - 1, 0) : input
    }
}

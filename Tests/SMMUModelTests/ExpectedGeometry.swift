import SMMUv3

/// The geometry of translation tables, worked out from nothing but the size of a granule: one descriptor is 8 bytes and
/// a table fills a granule. What tests hold the model against.
enum ExpectedGeometry {
    static func granuleBits(_ granule: Granule) -> Int {
        switch granule {
        case .k4: 12
        case .k16: 14
        case .k64: 16
        }
    }

    /// log2 of what one table of `level` maps; level 4 stands for the granule itself.
    static func tableSpan(_ granule: Granule, level: Int) -> Int {
        var span = granuleBits(granule)
        for _ in stride(from: level, to: 4, by: 1) { span += granuleBits(granule) - 3 }
        return span
    }

    /// log2 of what one entry of `level` maps: as much as a table of the next level.
    static func entrySpan(_ granule: Granule, level: Int) -> Int { tableSpan(granule, level: level + 1) }

    /// The first level of a stage 1 walk: the lowest whose one table maps all of the input.
    static func stage1Start(_ granule: Granule, inputBits: Int) -> Int {
        var level = 3
        while tableSpan(granule, level: level) < inputBits { level -= 1 }
        return level
    }

    /// The start level of a stage 2 walk and the tables that stand side by side there; nil where the three do not go
    /// together, on an SMMU without small tables.
    static func stage2Start(_ granule: Granule, sl0: Int, t0sz: Int, outputBits oas: Int) -> (level: Int, tables: Int)?
    {
        let input = 64 - t0sz
        if t0sz > 39 || input > oas || (granule != .k64 && input > 48) { return nil }
        guard sl0 < 3 else { return nil }
        let level = (granule == .k4 ? 2 : 3) - sl0
        // The highest start level is there for physical addresses that need it.
        let needed = [Granule.k4: 44, .k16: 42, .k64: 44]
        if sl0 == 2, oas < needed[granule, default: 0] { return nil }
        // One entry is too few, more than 16 tables are too many.
        if input <= entrySpan(granule, level: level) { return nil }
        var tables = 1
        var covered = tableSpan(granule, level: level)
        while covered < input { (covered, tables) = (covered + 1, tables * 2) }
        return tables > 16 ? nil : (level, tables)
    }

    static func allowsBlock(_ granule: Granule, level: Int, oas: UInt32) -> Bool {
        switch (granule, level) {
        case (.k4, 1), (.k4, 2), (.k16, 2), (.k64, 2): true
        case (.k64, 1): oas == 6
        default: false
        }
    }
}

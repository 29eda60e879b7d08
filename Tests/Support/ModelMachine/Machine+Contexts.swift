import SMMUModel
package import SMMUv3

/// How a table of CDs is laid out, with the codes of STE.S1Fmt.
package enum ContextTableFormat: Int, CaseIterable, Sendable {
    case linear = 0
    case leaves4K = 1
    case leaves64K = 2

    /// SubstreamID bits that a leaf resolves; none in a linear table.
    var leafBits: Int? {
        switch self {
        case .linear: nil
        case .leaves4K: 6
        case .leaves64K: 10
        }
    }
}

/// A table for 2^`log2Size` CDs.
package struct TestContextTable {
    package let base: UInt64
    package let format: ContextTableFormat
    package let log2Size: Int
}

extension Machine {
    /// A table of CDs without a CD.
    package mutating func contextTable(_ format: ContextTableFormat, log2Size: Int) -> TestContextTable {
        var bytes = UInt64(64) << UInt64(log2Size)
        if let bits = format.leafBits { bytes = 8 << UInt64(max(log2Size - bits, 0)) }
        return TestContextTable(base: allocate(max(bytes, 64)), format: format, log2Size: log2Size)
    }

    /// Puts a CD at its place, with the leaf that it needs; returns where it is.
    @discardableResult
    package mutating func setCD(_ table: TestContextTable, _ substream: UInt32, _ cd: ContextDescriptor) -> UInt64 {
        var at = table.base + UInt64(substream) * 64
        if let bits = table.format.leafBits {
            let level1 = level1Address(table, substream)
            if smmu.memory[level1] & 1 == 0 { smmu.memory[level1] = allocate(64 << UInt64(bits)) | 1 }
            at = smmu.memory[level1] & ~0xfff + (UInt64(substream) & UInt64.ones(bits)) * 64
        }
        smmu.memory.store(cd.words, at: at)
        return at
    }

    /// Where the level-1 descriptor of `substream` is, in a table of two levels.
    package func level1Address(_ table: TestContextTable, _ substream: UInt32) -> UInt64 {
        table.base + UInt64(substream >> UInt32(table.format.leafBits ?? 0)) * 8
    }

    /// A CD that uses `low` for TT0 and `high` for TT1.
    package func cd(
        _ low: TestTable, _ high: TestTable, asid: UInt16 = 1, ips: UInt64 = 5
    ) -> ContextDescriptor {
        var cd = cd(low, asid: asid, ips: ips)
        let granule: UInt64 = high.granule == .k4 ? 2 : (high.granule == .k64 ? 3 : 1)
        cd.words[0].setBits(21, 16, UInt64(64 - high.inputBits))
        cd.words[0].setBits(23, 22, granule)
        cd.words[0].setBit(30, false)
        cd.words[2] = high.base
        return cd
    }
}

extension StreamTableEntry {
    /// This entry with `table` for its CDs.
    package func using(_ table: TestContextTable, default substream: DefaultSubstream) -> StreamTableEntry {
        var ste = self
        ste.s1ContextPointer = table.base
        ste.s1Format = table.format.rawValue
        ste.s1CDMax = table.log2Size
        ste.s1DefaultSubstream = substream
        return ste
    }
}

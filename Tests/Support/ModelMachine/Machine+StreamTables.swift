import SMMUModel
import SMMUv3

/// A two-level stream table: its level-1 descriptors, and how many StreamID bits each leaves to its STEs.
package struct TestStreamTable {
    package let base: UInt64
    package let split: Int
}

extension Machine {
    /// Exchanges the stream table for an empty one of two levels, for 2^`log2Size` StreamIDs.
    package mutating func useTwoLevelStreamTable(log2Size: Int, split: Int) -> TestStreamTable {
        let table = TestStreamTable(base: allocate(max(8 << UInt64(max(log2Size - split, 0)), 64)), split: split)
        smmu.registers.streamTableBase = table.base
        smmu.registers.streamTableBaseConfig = UInt32(log2Size | split << 6 | 1 << 16)
        return table
    }

    /// Gives the level-1 descriptor of `stream` this Span and room for the STEs that it promises; returns where the
    /// first of them is.
    @discardableResult
    package mutating func addLeaf(_ table: TestStreamTable, _ stream: UInt32, span: Int) -> UInt64 {
        let leaf = allocate(64 << UInt64(max(span - 1, 0)))
        smmu.memory[level1Address(table, stream)] = leaf | UInt64(span)
        return leaf
    }

    /// Where the level-1 descriptor of `stream` is.
    package func level1Address(_ table: TestStreamTable, _ stream: UInt32) -> UInt64 {
        table.base + UInt64(stream >> UInt32(table.split)) * 8
    }
}

package import SMMUv3

/// What the translation of one access reads, as memory is now. Whoever has these words and registers can follow the walk
/// again, step by step, without the memory.
package struct TableWalk: Hashable, Sendable {
    /// A word of memory, at an address as the SMMU sees it.
    package struct Word: Hashable, Sendable {
        package var address: UInt64
        package var value: UInt64
        package init(address: UInt64, value: UInt64) { (self.address, self.value) = (address, value) }
    }

    /// Words that are kept at most; a walk reads some 60.
    package static let capacity = 256

    /// The SMMU's.
    package var registers: IDRegisters
    package var streamTableBase: UInt64
    package var streamTableBaseConfig: UInt32
    /// The device's StreamID in that table.
    package var stream: StreamID
    /// In the order in which they are read; each address once. What is missing does not answer.
    package var words: [Word]

    package init(
        registers: IDRegisters, streamTableBase: UInt64, streamTableBaseConfig: UInt32, stream: StreamID,
        words: [Word]
    ) {
        (self.registers, self.streamTableBase) = (registers, streamTableBase)
        (self.streamTableBaseConfig, self.stream, self.words) = (streamTableBaseConfig, stream, words)
    }
}

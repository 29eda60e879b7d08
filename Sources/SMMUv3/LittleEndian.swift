/// A structure that the SMMU and software exchange through memory: 64-bit words, each little-endian, whatever the host
/// is (IHI 0070, 3.5, 5.1 and 7.3).
package protocol MemoryStructure: Sendable {
    static var wordCount: Int { get }

    /// `memoryWords` has ``wordCount`` elements.
    init(memoryWords: [UInt64])

    /// Word 0 first.
    var memoryWords: [UInt64] { get }
}

extension MemoryStructure {
    package static var byteCount: Int { wordCount * 8 }

    /// Reads the structure from the bytes at its address; nil when their number is not exactly its size.
    package init?(littleEndianBytes bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        var words = [UInt64](repeating: 0, count: Self.wordCount)
        for (offset, byte) in bytes.enumerated() {
            words[offset / 8] |= UInt64(byte) << UInt64(offset % 8 * 8)
        }
        self.init(memoryWords: words)
    }

    package var littleEndianBytes: [UInt8] {
        memoryWords.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) } }
    }
}

extension StreamTableEntry: MemoryStructure {
    package static var wordCount: Int { 8 }
    package init(memoryWords: [UInt64]) { self.init(words: SIMD8(memoryWords)) }
    package var memoryWords: [UInt64] { words.indices.map { words[$0] } }
}

extension ContextDescriptor: MemoryStructure {
    package static var wordCount: Int { 8 }
    package init(memoryWords: [UInt64]) { self.init(words: SIMD8(memoryWords)) }
    package var memoryWords: [UInt64] { words.indices.map { words[$0] } }
}

extension EventRecord: MemoryStructure {
    package static var wordCount: Int { 4 }
    package init(memoryWords: [UInt64]) { self.init(words: SIMD4(memoryWords)) }
    package var memoryWords: [UInt64] { words.indices.map { words[$0] } }
}

extension Command: MemoryStructure {
    package static var wordCount: Int { 2 }
    package init(memoryWords: [UInt64]) { self.init(d0: memoryWords[0], d1: memoryWords[1]) }
    package var memoryWords: [UInt64] { [d0, d1] }
}

extension PageRequest: MemoryStructure {
    package static var wordCount: Int { 2 }
    package init(memoryWords: [UInt64]) { self.init(d0: memoryWords[0], d1: memoryWords[1]) }
    package var memoryWords: [UInt64] { [d0, d1] }
}

extension StreamTableL1Descriptor: MemoryStructure {
    package static var wordCount: Int { 1 }
    package init(memoryWords: [UInt64]) { self.init(word: memoryWords[0]) }
    package var memoryWords: [UInt64] { [word] }
}

extension CDTableL1Descriptor: MemoryStructure {
    package static var wordCount: Int { 1 }
    package init(memoryWords: [UInt64]) { self.init(word: memoryWords[0]) }
    package var memoryWords: [UInt64] { [word] }
}

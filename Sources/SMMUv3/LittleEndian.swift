/// A structure that the SMMU and software exchange through memory: 64-bit words, each little-endian, whatever the host
/// is (IHI 0070, 3.5, 5.1 and 7.3).
public protocol MemoryStructure: Sendable {
    static var wordCount: Int { get }

    /// `memoryWords` has ``wordCount`` elements.
    init(memoryWords: [UInt64])

    /// Word 0 first.
    var memoryWords: [UInt64] { get }
}

extension MemoryStructure {
    public static var byteCount: Int { wordCount * 8 }

    /// Reads the structure from the bytes at its address; nil when their number is not exactly its size.
    public init?(littleEndianBytes bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        var words = [UInt64](repeating: 0, count: Self.wordCount)
        for (offset, byte) in bytes.enumerated() {
            words[offset / 8] |= UInt64(byte) << UInt64(offset % 8 * 8)
        }
        self.init(memoryWords: words)
    }

    public var littleEndianBytes: [UInt8] {
        memoryWords.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) } }
    }
}

extension StreamTableEntry: MemoryStructure {
    public static var wordCount: Int { 8 }
    public init(memoryWords: [UInt64]) { self.init(words: SIMD8(memoryWords)) }
    public var memoryWords: [UInt64] { words.indices.map { words[$0] } }
}

extension ContextDescriptor: MemoryStructure {
    public static var wordCount: Int { 8 }
    public init(memoryWords: [UInt64]) { self.init(words: SIMD8(memoryWords)) }
    public var memoryWords: [UInt64] { words.indices.map { words[$0] } }
}

extension EventRecord: MemoryStructure {
    public static var wordCount: Int { 4 }
    public init(memoryWords: [UInt64]) { self.init(words: SIMD4(memoryWords)) }
    public var memoryWords: [UInt64] { words.indices.map { words[$0] } }
}

extension Command: MemoryStructure {
    public static var wordCount: Int { 2 }
    public init(memoryWords: [UInt64]) { self.init(d0: memoryWords[0], d1: memoryWords[1]) }
    public var memoryWords: [UInt64] { [d0, d1] }
}

extension PageRequest: MemoryStructure {
    public static var wordCount: Int { 2 }
    public init(memoryWords: [UInt64]) { self.init(d0: memoryWords[0], d1: memoryWords[1]) }
    public var memoryWords: [UInt64] { [d0, d1] }
}

extension StreamTableL1Descriptor: MemoryStructure {
    public static var wordCount: Int { 1 }
    public init(memoryWords: [UInt64]) { self.init(word: memoryWords[0]) }
    public var memoryWords: [UInt64] { [word] }
}

extension CDTableL1Descriptor: MemoryStructure {
    public static var wordCount: Int { 1 }
    public init(memoryWords: [UInt64]) { self.init(word: memoryWords[0]) }
    public var memoryWords: [UInt64] { [word] }
}

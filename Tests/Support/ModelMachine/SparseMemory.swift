import SMMUModel

/// Physical memory for tests: zero where nothing was written, with holes where a test wants external aborts.
package struct SparseMemory: PhysicalMemory {
    private var words: [UInt64: UInt64] = [:]
    /// Pages of 4 KB where nothing answers, by page number.
    package var holes: Set<UInt64> = []
    /// Reads so far, of words; a test that proves that nothing was read compares it.
    package var reads: Int { counter.reads }
    private let counter = Counter()

    private final class Counter { var reads = 0 }

    package init() {}

    package subscript(address: UInt64) -> UInt64 {
        get { words[address] ?? 0 }
        set { words[address] = newValue }
    }

    package func loadWord(at address: UInt64) -> UInt64? {
        counter.reads += 1
        return holes.contains(address >> 12) ? nil : words[address] ?? 0
    }

    package mutating func storeWord(_ value: UInt64, at address: UInt64) -> Bool {
        if holes.contains(address >> 12) { return false }
        words[address] = value
        return true
    }

    package mutating func store(_ line: SIMD8<UInt64>, at address: UInt64) {
        for index in 0..<8 { words[address &+ UInt64(index * 8)] = line[index] }
    }
}

import SMMUv3

/// What a software SMMU reads tables from and writes events and MSIs to: physical memory as the SMMU sees it.
///
/// Every access may fail: an address where nothing answers is an external abort, which the SMMU turns into an event.
/// Guest memory may change between two reads, so the model reads each word once and decides on the copy.
public protocol PhysicalMemory {
    /// The 8-byte little-endian word at `address`, which is 8-byte aligned; nil is an external abort.
    func loadWord(at address: UInt64) -> UInt64?

    /// Stores a word at an 8-byte aligned address; false is an external abort, and nothing is stored.
    mutating func storeWord(_ value: UInt64, at address: UInt64) -> Bool

    /// Stores four bytes at a 4-byte aligned address, as an MSI does; false is an external abort. Memory that others write
    /// at the same time has to do it as one store: what stands in for it here reads and writes eight bytes.
    mutating func store32(_ value: UInt32, at address: UInt64) -> Bool
}

extension PhysicalMemory {
    /// The 64 bytes at `address`, which is 64-byte aligned: an STE or a CD.
    @inlinable
    public func loadLine(at address: UInt64) -> SIMD8<UInt64>? {
        var line = SIMD8<UInt64>.zero
        for index in 0..<8 {
            guard let word = loadWord(at: address &+ UInt64(index &* 8)) else { return nil }
            line[index] = word
        }
        return line
    }

    public mutating func store32(_ value: UInt32, at address: UInt64) -> Bool {
        let aligned = address & ~7
        guard var word = loadWord(at: aligned) else { return false }
        let low = address & 4 == 0
        word.setBits(low ? 31 : 63, low ? 0 : 32, UInt64(value))
        return storeWord(word, at: aligned)
    }
}

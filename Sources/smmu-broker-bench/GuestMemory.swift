import LinuxSystem
import SMMUv3

/// Guest memory as a VMM shares it, with a stage 1 of four levels that maps one page, and what the guest tells the SMMU
/// of it.
final class GuestMemory {
    static let bytes: UInt64 = 1 << 20
    /// Mapped for reading and writing.
    static let mapped: UInt64 = 0x5500_1234_0000
    /// Faults with F_TRANSLATION.
    static let unmapped: UInt64 = mapped + 1 << 21
    static let asid: UInt16 = 1

    private static let context: UInt64 = 0x1000
    private static let tables: UInt64 = 0x2000
    private static let output: UInt64 = 0x8000

    let file: OwnedFD

    init() throws {
        file = try OwnedFD.memory(named: "smmu-broker-bench", size: Self.bytes)
        try Self.fill(file)
    }

    private static func fill(_ file: borrowing OwnedFD) throws {
        try file.seal([.shrink])
        let mapping = try Mapping(file, count: Int(bytes), writable: true)
        // T0SZ 16, 4K, EPD1, V, IPS 48 bits, AA64, R and A.
        var words: [(UInt64, UInt64)] = [
            (context, 16 | 1 << 30 | 1 << 31 | 5 << 32 | 1 << 41 | 3 << 45 | UInt64(asid) << 48),
            (context + 8, tables),
        ]
        for level in 0..<3 {
            let table = tables + UInt64(level) * 0x1000
            let index = mapped.bits(47 - level * 9, 39 - level * 9)
            words.append((table + index * 8, table + 0x1000 | 3))
        }
        // AF, nG, EL0.
        let leaf = output | 1 << 10 | 1 << 11 | 1 << 6 | 3
        words.append((tables + 0x3000 + mapped.bits(20, 12) * 8, leaf))
        for (address, word) in words where !mapping.storeWord(word, at: address) {
            throw Failure.system("write the guest's tables", 14)
        }
    }

    static var ste: StreamTableEntry {
        var ste = StreamTableEntry()
        ste.valid = true
        ste.config = .stage1
        ste.s1ContextPointer = context
        return ste
    }
}

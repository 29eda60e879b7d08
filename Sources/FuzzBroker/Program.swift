import SMMUv3
import Wire

/// The input, read from its front: one byte for most choices, so that a change of one byte changes one thing. Behind its
/// end everything is 0.
struct Program {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position >= bytes.count }

    mutating func byte() -> UInt8 {
        guard position < bytes.count else { return 0 }
        position += 1
        return bytes[position - 1]
    }

    mutating func below(_ count: Int) -> Int { Int(byte()) % count }
    mutating func chance(in count: Int) -> Bool { below(count) == 1 }

    mutating func word() -> UInt64 { (0..<8).reduce(0) { word, _ in word << 8 | UInt64(byte()) } }

    mutating func one<Value>(of values: [Value]) -> Value { values[below(values.count)] }

    // MARK: Numbers that mean something

    /// Small ones, seldom others.
    mutating func vsmmu() -> UInt32 {
        one(of: [1, 1, 1, 1, 2, 2, 3, 0, VSMMUID.every.rawValue, UInt32(truncatingIfNeeded: word())])
    }
    mutating func vsid() -> UInt32 { chance(in: 16) ? UInt32(truncatingIfNeeded: word()) : UInt32(below(4)) }

    mutating func address() -> UInt64 {
        let page = UInt64(below(64)) << 12
        switch below(8) {
        case 0...3: return World.base + page
        case 4: return page
        case 5: return (1 << 48) - (1 << 34) + page
        case 6: return 0 &- page
        default: return word()
        }
    }

    mutating func size() -> UInt64 { chance(in: 8) ? word() : UInt64(below(20)) << 12 }

    mutating func device() -> String {
        one(of: ["disk", "net", "virt", "virt", "virt:0", "virt:1", "virt:7", "none", ""])
    }

    mutating func entry() -> [UInt64] {
        var words = [UInt64](repeating: 0, count: 8)
        switch below(6) {
        case 0: words[0] = word()
        case 1: words[0] = 1 | 4 << 1
        case 2: words[0] = 0
        default: words[0] = 1 | 5 << 1 | World.base | UInt64(below(16)) << 12
        }
        words[1] = chance(in: 3) ? word() : 1 << 28 | 3 << 6 | 1 << 4 | 1 << 2
        if chance(in: 16) { words[below(8)] = word() }
        return words
    }

    mutating func command() -> [UInt64] {
        let opcode = one(of: Self.opcodes)
        let first = UInt64(opcode.rawValue) | UInt64(vsid()) << 32
        return chance(in: 8) ? [word(), word()] : [first, chance(in: 3) ? word() : 0]
    }

    private static let opcodes: [Command.Opcode] = [
        .cfgiSTE, .cfgiSTERange, .cfgiCD, .cfgiCDAll, .tlbiNHAll, .tlbiNHASID, .tlbiNHVA, .tlbiNHVAA,
        .tlbiNSNHAll, .atcInv, .atcInv, .sync, .resume, .stallTerm, .prefetchConfig,
    ]
}

/// A request, as bytes.
struct Packet {
    private(set) var bytes: [UInt8] = []

    init(_ type: RequestType) {
        append(UInt16(type.rawValue))
        append(UInt16(0))
        append(UInt32(0))
        append(UInt64(0))
    }

    mutating func append<Number: FixedWidthInteger>(_ number: Number) {
        for byte in 0..<Number.bitWidth / 8 { bytes.append(UInt8(truncatingIfNeeded: number >> (byte * 8))) }
    }
    mutating func append(name: String) {
        bytes += Array(name.utf8) + [UInt8](repeating: 0, count: 64 - name.utf8.count)
    }
    mutating func append(words: [UInt64]) { for word in words { append(word) } }

    private mutating func put<Number: FixedWidthInteger>(_ number: Number, at offset: Int) {
        for byte in 0..<Number.bitWidth / 8 { bytes[offset + byte] = UInt8(truncatingIfNeeded: number >> (byte * 8)) }
    }

    /// Puts size and cookie where they belong, and seldom does damage.
    mutating func finish(_ cookie: UInt64, _ program: inout Program) {
        put(UInt32(bytes.count), at: 4)
        put(cookie, at: 8)
        guard program.chance(in: 16) else { return }
        switch program.below(3) {
        case 0: bytes[program.below(min(bytes.count, 256))] = program.byte()
        case 1: bytes.removeLast(program.below(min(bytes.count, 256)))
        default: bytes += [program.byte(), program.byte()]
        }
    }
}

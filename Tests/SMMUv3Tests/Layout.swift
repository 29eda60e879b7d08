import SMMUv3
import Scenarios

/// Where the architecture puts the fields of one word, written the way its manuals do: `S2P[0] TTF[3:2]`.
///
/// It is the yardstick for the product's own tables, so it is kept as text and shares nothing with them.
struct Layout {
    struct Entry: Hashable {
        let name: String
        let high: Int
        let low: Int

        /// The field's value in `word`, found bit by bit.
        func value(in word: UInt64) -> UInt64 {
            var value: UInt64 = 0
            for bit in stride(from: high, through: low, by: -1) {
                value = value * 2 + (word / power(bit)) % 2
            }
            return value
        }

        var mask: UInt64 { (low...high).reduce(0) { $0 + power($1) } }
    }

    let entries: [Entry]

    init(_ text: String) {
        entries = text.split(whereSeparator: \.isWhitespace).map { item in
            let parts = item.split(whereSeparator: { "[]:".contains($0) })
            let high = Int(parts[1]) ?? -1
            return Entry(name: String(parts[0]), high: high, low: parts.count > 2 ? Int(parts[2]) ?? -1 : high)
        }
    }

    subscript(name: String) -> Entry? { entries.first { $0.name == name } }

    var mask: UInt64 { entries.reduce(0) { $0 | $1.mask } }

    /// The entries of the product's `fields` in word `word`, without `prefix` before their names.
    static func entries(of fields: [Field], word: Int = 0, without prefix: String = "") -> Set<Entry> {
        Set(
            fields.filter { $0.word == word }.map { field in
                let name = field.name.hasPrefix(prefix) ? String(field.name.dropFirst(prefix.count)) : field.name
                return Entry(name: name, high: field.high, low: field.low)
            })
    }
}

private func power(_ bit: Int) -> UInt64 { (0..<bit).reduce(1) { product, _ in product * 2 } }

/// The seeds of randomized tests. A failure names its seed, which makes the same words again.
let seeds: [UInt64] = Array(1...20)

extension SplitMix64 {
    mutating func words(_ count: Int) -> [UInt64] { (0..<count).map { _ in next() } }

    mutating func vector8() -> SIMD8<UInt64> { SIMD8(words(8)) }
}

/// Whether any two of `fields` share a bit.
func overlap(_ fields: [Field]) -> [String] {
    var taken: [Int: UInt64] = [:]
    return fields.compactMap { field in
        defer { taken[field.word, default: 0] |= field.mask }
        return taken[field.word, default: 0] & field.mask == 0 ? nil : field.name
    }
}

/// ID registers of an SMMU that has everything the formats know: both stages, EL2, ATS, PRI, 20 bits of SubstreamIDs,
/// all granules and sizes, 48-bit addresses.
func everything() -> IDRegisters {
    let idr0: UInt32 =
        1 << 0 | 1 << 1 | 2 << 2 | 2 << 6 | 1 << 9 | 1 << 10 | 1 << 12 | 1 << 16 | 1 << 18 | 1 << 19 | 1 << 27
    let idr3: UInt32 = 1 << 2 | 1 << 4 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 13
    return IDRegisters(
        idr0: idr0, idr1: 32 | 20 << 6 | 19 << 16 | 19 << 21 | 1 << 26, idr3: idr3,
        idr5: 5 | 7 << 4 | 1 << 10 | 256 << 16, aidr: 2)
}

extension IDRegisters {
    /// A copy with the field `high:low` of one register replaced.
    func with(_ register: WritableKeyPath<IDRegisters, UInt32>, _ high: Int, _ low: Int, _ value: UInt64) -> IDRegisters
    {
        var copy = self
        var word = UInt64(copy[keyPath: register])
        word.setBits(high, low, value)
        copy[keyPath: register] = UInt32(word)
        return copy
    }

    func withIDR0(_ high: Int, _ low: Int, _ value: UInt64) -> IDRegisters { with(\.idr0, high, low, value) }
    func withIDR1(_ high: Int, _ low: Int, _ value: UInt64) -> IDRegisters { with(\.idr1, high, low, value) }
    func withIDR3(_ high: Int, _ low: Int, _ value: UInt64) -> IDRegisters { with(\.idr3, high, low, value) }
    func withIDR5(_ high: Int, _ low: Int, _ value: UInt64) -> IDRegisters { with(\.idr5, high, low, value) }
}

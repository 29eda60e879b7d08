extension UInt64 {
    /// The field `high:low` of this word, moved down to bit 0.
    @inlinable public func bits(_ high: Int, _ low: Int) -> UInt64 {
        (self &>> UInt64(low)) & UInt64.ones(high &- low &+ 1)
    }

    /// One bit of this word.
    @inlinable public func bit(_ index: Int) -> Bool { (self &>> UInt64(index)) & 1 != 0 }

    /// Replaces the field `high:low`; bits of `value` that do not fit are dropped.
    @inlinable public mutating func setBits(_ high: Int, _ low: Int, _ value: UInt64) {
        let mask = UInt64.ones(high &- low &+ 1) &<< UInt64(low)
        self = (self & ~mask) | ((value &<< UInt64(low)) & mask)
    }

    @inlinable public mutating func setBit(_ index: Int, _ value: Bool) {
        setBits(index, index, value ? 1 : 0)
    }

    /// A number whose lowest `count` bits are 1; all of them from 64 on, none from 0 down.
    @inlinable public static func ones(_ count: Int) -> UInt64 {
        count >= 64 ? .max : (count <= 0 ? 0 : (1 &<< UInt64(count)) &- 1)
    }
}

extension UInt64 {
    /// ``ones(_:)`` for 0…63, without its limits: for the address sizes of tables, which are never beyond.
    @inlinable @inline(__always) public static func mask(_ count: Int) -> UInt64 {
        (1 &<< UInt64(truncatingIfNeeded: count)) &- 1
    }
}

extension UInt32 {
    @inlinable public func bits(_ high: Int, _ low: Int) -> Int { Int(UInt64(self).bits(high, low)) }
    @inlinable public func bit(_ index: Int) -> Bool { UInt64(self).bit(index) }
}

/// A named bit range of a structure made of 64-bit little-endian words: what a description prints, one a line.
public struct Field: Sendable {
    public let name: String
    /// Index of the 64-bit word the field is in.
    public let word: Int
    public let high: Int
    public let low: Int
    public let style: Style
    /// Texts of the values from 0 on; a value beyond them is reserved.
    public let meanings: [String]

    public enum Style: Sendable {
        /// An unsigned decimal number.
        case number
        /// A hexadecimal number of the field's own bits.
        case hex
        /// An address: the field's bits stand for the same bits of the address.
        case address
        /// One bit; shown only when set.
        case flag
    }

    public init(
        _ name: String, _ word: Int, _ high: Int, _ low: Int, _ style: Style = .number, _ meanings: [String] = []
    ) {
        (self.name, self.word, self.high, self.low) = (name, word, high, low)
        (self.style, self.meanings) = (style, meanings)
    }

    /// The bits of word ``word`` that belong to the field.
    public var mask: UInt64 { UInt64.ones(high - low + 1) &<< UInt64(low) }

    /// The field's value in `word`; an address keeps its place.
    public func value(in word: UInt64) -> UInt64 {
        style == .address ? word & mask : word.bits(high, low)
    }
}

/// One field of a decoded structure, ready to be printed.
public struct DescribedField: Equatable, Sendable {
    public let name: String
    public let value: UInt64
    /// The value as text: a number, an address, and what it means.
    public let text: String
}

extension Field {
    /// Describes those of `fields` that carry information: flags that are set and every other field.
    public static func describe(_ fields: [Field], words: [UInt64]) -> [DescribedField] {
        fields.compactMap { field in
            guard field.word < words.count else { return nil }
            let value = field.value(in: words[field.word])
            if field.style == .flag, value == 0 { return nil }
            return DescribedField(name: field.name, value: value, text: field.text(of: value))
        }
    }

    private func text(of value: UInt64) -> String {
        let number =
            switch style {
            case .number, .flag: String(value)
            case .hex, .address: value.hex
            }
        guard !meanings.isEmpty else { return number }
        let meaning = value < UInt64(meanings.count) ? meanings[Int(value)] : "reserved"
        return "\(number) (\(meaning))"
    }
}

extension UInt64 {
    /// As a hexadecimal literal, `0x1f`.
    public var hex: String { "0x" + String(self, radix: 16) }
}

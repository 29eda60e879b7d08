/// One JSON value (RFC 8259).
///
/// Numbers: a number written without fraction and exponent is kept exactly, as `.integer` when it fits `Int64`, else as
/// `.unsigned`; identifiers of 64 bits round trip. A number with a fraction or an exponent is a `.double`. Use
/// `JSONValue(someUInt64)` to make a number, so that each integer has one representation and `==` means what it says.
package enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// An integer above `Int64.max`; smaller ones are always `.integer`.
    case unsigned(UInt64)
    /// A finite number; JSON cannot carry the others, and the writer turns them into `null`.
    case double(Double)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// How many arrays and objects may be nested in each other before the reader gives up. It recurses once per level,
    /// and 64 levels fit every thread's stack with a wide margin; what we read has fewer than eight.
    package static let maximumDepth = 64

    /// Makes the one representation of an unsigned integer: `.integer` if it fits, else `.unsigned`.
    package init(_ value: UInt64) {
        self = Int64(exactly: value).map(JSONValue.integer) ?? .unsigned(value)
    }
}

// Reading a value: each accessor is nil when the value is of another kind, so that a lookup never traps.
extension JSONValue {
    package var isNull: Bool { self == .null }

    package var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    package var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    package var array: [JSONValue]? {
        if case .array(let value) = self { value } else { nil }
    }

    package var object: JSONObject? {
        if case .object(let value) = self { value } else { nil }
    }

    /// The integer; nil also for a number with a fraction or exponent, even a whole one such as `1.0`.
    package var integer: Int64? {
        if case .integer(let value) = self { value } else { nil }
    }

    /// The number as a double, rounded if it is an integer of more than 53 bits.
    package var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .unsigned(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    /// The unsigned integer: a number that is not negative, or a string of the form `"0x1f"` (1 to 16 digits). Addresses
    /// and registers are written as such strings, because many readers keep only 53 bits of a number.
    package var uint64: UInt64? {
        switch self {
        case .integer(let value): UInt64(exactly: value)
        case .unsigned(let value): value
        case .string(let text): JSONValue.hexadecimal(text)
        default: nil
        }
    }

    /// As `uint64`, for values of at most 32 bits.
    package var uint32: UInt32? { uint64.flatMap(UInt32.init(exactly:)) }

    /// The member of an object; nil if this is no object or has no such member.
    package subscript(key: String) -> JSONValue? { object?[key] }

    /// The element of an array; nil if this is no array or the index is outside it.
    package subscript(index: Int) -> JSONValue? {
        guard let array, array.indices.contains(index) else { return nil }
        return array[index]
    }

    /// Reads `0x` and 1 to 16 hexadecimal digits. (`UInt64(_:radix:)` would also take a sign.)
    private static func hexadecimal(_ text: String) -> UInt64? {
        let bytes = text.utf8
        guard (3...18).contains(bytes.count), bytes.starts(with: [UInt8(ascii: "0"), UInt8(ascii: "x")]) else {
            return nil
        }
        var value: UInt64 = 0
        for byte in bytes.dropFirst(2) {
            guard let digit = byte.hexadecimalDigitValue else { return nil }
            value = value << 4 | UInt64(digit)
        }
        return value
    }
}

// Literals, so that what the code writes looks like what comes out. Not nil: where a `JSONValue?` is meant it would be
// ambiguous to the reader, and the compiler would take it for `.null` in `condition ? nil : value`.
extension JSONValue: ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(floatLiteral value: Double) { self = .double(value) }
    package init(stringLiteral value: String) { self = .string(value) }
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSONValue)...) { self = .object(JSONObject(elements)) }
}

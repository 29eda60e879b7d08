/// A name in a field of fixed size: of a VM, a device, a grant.
///
/// The bytes after its end are 0, at least one of them, so that equal names are equal bytes.
package struct FixedName<let capacity: Int>: Hashable, Sendable {
    private var bytes: InlineArray<capacity, UInt8>

    /// nil when `text` is empty, too long, or has other characters than letters, digits, `-`, `_`, `.` and `:`.
    package init?(_ text: String) {
        bytes = InlineArray(repeating: 0)
        var count = 0
        for byte in text.utf8 {
            guard count < capacity else { return nil }
            bytes[count] = byte
            count += 1
        }
        if problem != nil { return nil }
    }

    /// Whatever the bytes are; ``problem`` says whether they are a name.
    init(_ bytes: InlineArray<capacity, UInt8>) { self.bytes = bytes }

    package static func == (a: Self, b: Self) -> Bool {
        for index in 0..<capacity where a.bytes[index] != b.bytes[index] { return false }
        return true
    }

    package func hash(into hasher: inout Hasher) {
        for index in 0..<count { hasher.combine(bytes[index]) }
    }

    private var count: Int {
        for index in 0..<capacity where bytes[index] == 0 { return index }
        return capacity
    }

    /// All bytes are 0: where there may be a name, there is none.
    var isUnset: Bool { self == Self(InlineArray(repeating: 0)) }

    /// What keeps the bytes of a field from being a name.
    package var problem: NameProblem? {
        let count = count
        if count == 0 { return .empty }
        if count == capacity { return .unterminated }
        for index in 0..<count where !Self.allowed(bytes[index]) { return .character }
        for index in count..<capacity where bytes[index] != 0 { return .bytesAfterEnd }
        return nil
    }

    private static func allowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
            UInt8(ascii: ":"):
            true
        default: false
        }
    }
}

/// Why the bytes of a field are no name.
package enum NameProblem: Hashable, Sendable, CaseIterable {
    case empty, unterminated, character, bytesAfterEnd

    var sentence: String {
        switch self {
        case .empty: "it is empty"
        case .unterminated: "it fills its field and has no final 0"
        case .character: "only letters, digits, '-', '_', '.' and ':' are allowed"
        case .bytesAfterEnd: "the bytes after its end must be 0"
        }
    }
}

extension FixedName: CustomStringConvertible {
    package var description: String {
        var text = ""
        for index in 0..<count { text.unicodeScalars.append(Unicode.Scalar(bytes[index])) }
        return text
    }
}

extension FixedName: WireValue {
    package static var byteCount: Int { capacity }

    package static func load(from packet: RawSpan, at offset: Int) -> Self {
        Self(InlineArray { UInt8.load(from: packet, at: offset + $0) })
    }

    package func store(into packet: inout MutableRawSpan, at offset: Int) {
        for index in 0..<capacity { bytes[index].store(into: &packet, at: offset + index) }
    }
}

/// Of a VM or a device.
package typealias Name = FixedName<64>

/// Of a field of the ID registers, as in `IDR1.SSIDSIZE`.
package typealias RegisterFieldName = FixedName<24>

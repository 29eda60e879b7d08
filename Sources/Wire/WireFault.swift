/// What is wrong with a packet by itself, whatever the state of the session. It is always the fault of who sent it.
package enum WireFault: Error, Hashable, Sendable {
    case tooShort(bytes: Int, needed: Int)
    case tooLong(bytes: Int, allowed: Int)
    case sizeMismatch(size: UInt32, bytes: Int)
    case unknownType(UInt16)
    case reservedNotZero(String)
    case wrongDescriptorCount(Int, expected: ClosedRange<Int>)
    case descriptorsTruncated
    case badName(String, NameProblem)
    case badCount(String, value: UInt32, allowed: ClosedRange<Int>)
    /// `rule` says what the value may be.
    case badValue(String, value: UInt64, rule: String)
    case badVersion(UInt32)

    package var reason: Reason {
        switch self {
        case .tooShort: .tooShort
        case .tooLong: .tooLong
        case .sizeMismatch: .sizeMismatch
        case .unknownType: .unknownType
        case .reservedNotZero: .reservedNotZero
        case .wrongDescriptorCount: .wrongDescriptorCount
        case .descriptorsTruncated: .descriptorsTruncated
        case .badName: .badName
        case .badCount: .badCount
        case .badValue: .badValue
        case .badVersion: .badVersion
        }
    }

    package var status: Status {
        switch self {
        case .unknownType, .badVersion: .notSupported
        default: .invalid
        }
    }
}

extension WireFault: CustomStringConvertible {
    /// What is wrong and what to do, in one English sentence. Makes a string: for the refusal only.
    package var description: String {
        switch self {
        case .tooShort(let bytes, let needed):
            "The packet has \(bytes) bytes and needs \(needed): send the whole structure and all that its counts announce."
        case .tooLong(let bytes, let allowed):
            "The packet has \(bytes) bytes where \(allowed) are allowed: send the structure and what its counts "
                + "announce, and nothing after it."
        case .sizeMismatch(let size, let bytes):
            "The header says \(size) bytes but the packet has \(bytes): set `size` to the length of the packet."
        case .unknownType(let type):
            "There is no message of type \(type) in version \(Limits.version): use only what HELLO agreed on."
        case .reservedNotZero(let field):
            "The reserved field `\(field)` is not 0: clear the whole structure before filling it."
        case .wrongDescriptorCount(let count, let expected):
            "\(count) descriptors came with the packet where \(Self.text(of: expected)) must: pass exactly those."
        case .descriptorsTruncated:
            "Descriptors of the packet were lost on the way: pass no more than the message needs, or raise the "
                + "daemon's limit of open files."
        case .badName(let field, let problem):
            "`\(field)` is not a name: \(problem.sentence)."
        case .badCount(let field, let value, let allowed):
            "`\(field)` is \(value) and must be \(Self.text(of: allowed)): split the request, or correct the count."
        case .badValue(let field, let value, let rule):
            "`\(field)` is \(value): \(rule)."
        case .badVersion(let version):
            "There is no version \(version): send the highest that the client speaks, from 1 on."
        }
    }

    private static func text(of range: ClosedRange<Int>) -> String {
        range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
    }
}

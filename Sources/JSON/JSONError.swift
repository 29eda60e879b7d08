/// Why a document is not JSON that we read, and where. The fault is always the document's.
package struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
    package let reason: Reason
    /// Bytes from the start of the document to the offending one, or to its end.
    package let offset: Int
    /// The line of that byte, from 1.
    package let line: Int
    /// The place of that byte in its line, in bytes, from 1.
    package let column: Int

    package enum Reason: Equatable, Sendable, CaseIterable {
        case empty
        case unexpectedEnd
        case noValue
        case badLiteral
        case badNumber
        case numberOutOfRange
        case noKey
        case noColon
        case noCommaInObject
        case noCommaInArray
        case duplicateKey
        case trailingBytes
        case tooDeep
        case badEscape
        case loneSurrogate
        case controlCharacter
        case badUTF8
    }

    package var description: String { "line \(line), column \(column): \(reason.sentence)" }

    /// Finds line and column by counting: an error is rare, and so the reader does not keep count.
    init(_ reason: Reason, at position: Int, in bytes: ArraySlice<UInt8>) {
        let before = bytes[..<position]
        let newline = UInt8(ascii: "\n")
        self.reason = reason
        offset = before.count
        line = before.count { $0 == newline } + 1
        column = position - (before.lastIndex(of: newline).map { $0 + 1 } ?? before.startIndex) + 1
    }
}

extension JSONError.Reason {
    /// What is wrong, as an English sentence.
    package var sentence: String {
        switch self {
        case .empty: "The document is empty."
        case .unexpectedEnd: "The document ends in the middle of a value."
        case .noValue: "A value must begin here, and this byte begins none."
        case .badLiteral: "This is none of the words true, false and null."
        case .badNumber: "This is not a number as JSON writes them."
        case .numberOutOfRange: "This number does not fit 64 bits."
        case .noKey: "The name of a member in double quotes must stand here."
        case .noColon: "A colon must follow the name of a member."
        case .noCommaInObject: "A comma or a closing brace must follow a member."
        case .noCommaInArray: "A comma or a closing bracket must follow an element."
        case .duplicateKey: "The object already has a member of this name."
        case .trailingBytes: "The document must end after its first value."
        case .tooDeep: "Arrays and objects are nested more than \(JSONValue.maximumDepth) deep."
        case .badEscape: "A backslash must be followed by one of \"\\/bfnrt or by u and four hexadecimal digits."
        case .loneSurrogate: "This is one half of a surrogate pair without the other."
        case .controlCharacter: "A control character in a string must be written as an escape."
        case .badUTF8: "The string is not valid UTF-8 from this byte on."
        }
    }
}

extension JSONValue {
    /// Reads one document: exactly one value in UTF-8, blanks around it.
    ///
    /// Stricter than RFC 8259 demands where leniency would hide a mistake: a repeated key, an integer beyond 64 bits and a
    /// number beyond a double are errors, as is a byte order mark. Never traps.
    /// Errors: `JSONError`, positions counted from the start of the slice.
    package init(parsing bytes: ArraySlice<UInt8>) throws(JSONError) {
        var parser = JSONParser(bytes)
        self = try parser.document()
    }

    /// As `init(parsing:)` for a slice.
    package init(parsing bytes: [UInt8]) throws(JSONError) {
        try self.init(parsing: bytes[...])
    }

    /// As `init(parsing:)` for a slice.
    package init(parsing text: String) throws(JSONError) {
        try self.init(parsing: Array(text.utf8)[...])
    }
}

/// The reader's place in a document. Strings and numbers are in files of their own.
struct JSONParser {
    let bytes: ArraySlice<UInt8>
    /// The next byte to read; `bytes.endIndex` at the end.
    var position: Int
    private var depth = 0

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    mutating func document() throws(JSONError) -> JSONValue {
        skipBlanks()
        guard next != nil else { throw failure(.empty) }
        let value = try value()
        skipBlanks()
        guard next == nil else { throw failure(.trailingBytes) }
        return value
    }

    /// The byte at `position`; nil at the end.
    var next: UInt8? { position < bytes.endIndex ? bytes[position] : nil }

    /// Steps over the byte if it is the next one.
    mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        position += 1
        return true
    }

    /// The error at this position: at the end of the document every expectation fails for the same reason.
    func failure(_ reason: JSONError.Reason) -> JSONError {
        let atEnd = position == bytes.endIndex && reason != .empty
        return failure(atEnd ? .unexpectedEnd : reason, at: position)
    }

    func failure(_ reason: JSONError.Reason, at position: Int) -> JSONError {
        JSONError(reason, at: position, in: bytes)
    }

    private mutating func skipBlanks() {
        while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
    }

    private mutating func value() throws(JSONError) -> JSONValue {
        guard let next else { throw failure(.unexpectedEnd) }
        return switch next {
        case UInt8(ascii: "{"): try nested { parser throws(JSONError) in .object(try parser.object()) }
        case UInt8(ascii: "["): try nested { parser throws(JSONError) in .array(try parser.array()) }
        case UInt8(ascii: "\""): .string(try string())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try number()
        case UInt8(ascii: "t"): try literal("true", .bool(true))
        case UInt8(ascii: "f"): try literal("false", .bool(false))
        case UInt8(ascii: "n"): try literal("null", .null)
        default: throw failure(.noValue)
        }
    }

    private mutating func nested(
        _ body: (inout JSONParser) throws(JSONError) -> JSONValue
    ) throws(JSONError) -> JSONValue {
        guard depth < JSONValue.maximumDepth else { throw failure(.tooDeep) }
        depth += 1
        defer { depth -= 1 }
        position += 1
        skipBlanks()
        return try body(&self)
    }

    private mutating func literal(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        let start = position
        for byte in word.description.utf8 where !take(byte) {
            throw next == nil ? failure(.unexpectedEnd) : failure(.badLiteral, at: start)
        }
        return value
    }

    private mutating func object() throws(JSONError) -> JSONObject {
        var object = JSONObject()
        if take(UInt8(ascii: "}")) { return object }
        while true {
            let start = position
            guard next == UInt8(ascii: "\"") else { throw failure(.noKey) }
            let key = try string()
            skipBlanks()
            guard take(UInt8(ascii: ":")) else { throw failure(.noColon) }
            skipBlanks()
            guard object.insertNew(try value(), for: key) else { throw failure(.duplicateKey, at: start) }
            skipBlanks()
            if take(UInt8(ascii: "}")) { return object }
            guard take(UInt8(ascii: ",")) else { throw failure(.noCommaInObject) }
            skipBlanks()
        }
    }

    private mutating func array() throws(JSONError) -> [JSONValue] {
        var array: [JSONValue] = []
        if take(UInt8(ascii: "]")) { return array }
        while true {
            array.append(try value())
            skipBlanks()
            if take(UInt8(ascii: "]")) { return array }
            guard take(UInt8(ascii: ",")) else { throw failure(.noCommaInArray) }
            skipBlanks()
        }
    }
}

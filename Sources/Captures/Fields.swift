import JSON

/// What is wrong with one JSON object, before the file and line are known.
struct FieldError: Error, Equatable {
    let problem: String
    init(_ problem: String) { self.problem = problem }
}

/// The members of a JSON object, read with errors that name them.
struct Fields {
    private let object: JSONObject

    /// Fails if the value is no object.
    init(_ value: JSONValue) throws(FieldError) {
        guard let object = value.object else { throw FieldError("A JSON object must stand here.") }
        self.object = object
    }

    /// The member; nil if it is missing or null.
    subscript(key: String) -> JSONValue? {
        object[key].flatMap { $0.isNull ? nil : $0 }
    }

    /// The object that is this member; nil if it is missing.
    func fields(_ key: String) throws(FieldError) -> Fields? {
        guard let value = self[key] else { return nil }
        return try Fields(value)
    }

    func string(_ key: String) throws(FieldError) -> String {
        guard let value = self[key]?.string else { throw FieldError("The string \"\(key)\" is missing.") }
        return value
    }

    func uint64(_ key: String) throws(FieldError) -> UInt64 {
        guard let value = self[key]?.uint64 else {
            throw FieldError("\"\(key)\" must be a number of at most 64 bits, not negative, or a string \"0x...\".")
        }
        return value
    }

    func uint32(_ key: String) throws(FieldError) -> UInt32 {
        guard let value = self[key]?.uint32 else {
            throw FieldError("\"\(key)\" must be a number of at most 32 bits, not negative.")
        }
        return value
    }

    /// The SubstreamID: -1 or nothing stands for none.
    func substream() throws(FieldError) -> UInt32? {
        guard let value = self["ssid"], value.integer != -1 else { return nil }
        return try uint32("ssid")
    }

    /// Whether the access writes.
    func isWrite() throws(FieldError) -> Bool {
        switch try string("access") {
        case "r": return false
        case "w": return true
        case let other: throw FieldError("\"access\" must be \"r\" or \"w\", not \"\(other)\".")
        }
    }

    /// Bytes written as pairs of hexadecimal digits.
    func bytes(_ key: String) throws(FieldError) -> [UInt8] {
        let digits = Array(try string(key).utf8)
        guard digits.count.isMultiple(of: 2) else {
            throw FieldError("\"\(key)\" has an odd number of hexadecimal digits.")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        for place in stride(from: 0, to: digits.count, by: 2) {
            guard let high = digits[place].hexadecimalDigitValue,
                let low = digits[place + 1].hexadecimalDigitValue
            else {
                throw FieldError("\"\(key)\" has something else than hexadecimal digits.")
            }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    /// The record of an event: 32 bytes, or none.
    func record(_ key: String) throws(FieldError) -> [UInt8] {
        let record = try bytes(key)
        guard record.isEmpty || record.count == 32 else {
            throw FieldError("\"\(key)\" must have 32 bytes or none, not \(record.count).")
        }
        return record
    }
}

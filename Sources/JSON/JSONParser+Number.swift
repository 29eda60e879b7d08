extension JSONParser {
    /// Reads a number: exactly if it is an integer, else as the nearest double.
    mutating func number() throws(JSONError) -> JSONValue {
        let start = position
        let isNegative = take(UInt8(ascii: "-"))
        let magnitude = try integerPart(from: start)
        let isFractional = next == UInt8(ascii: ".")
        if take(UInt8(ascii: ".")) { try digits(from: start) }
        let hasExponent = take(UInt8(ascii: "e")) || take(UInt8(ascii: "E"))
        if hasExponent {
            _ = take(UInt8(ascii: "+")) || take(UInt8(ascii: "-"))
            try digits(from: start)
        }
        if isFractional || hasExponent { return try double(from: start) }
        guard let magnitude else { throw failure(.numberOutOfRange, at: start) }
        guard isNegative else { return JSONValue(magnitude) }
        // Subtracting from zero reaches Int64.min, whose magnitude Int64 cannot hold.
        guard magnitude <= Int64.min.magnitude else { throw failure(.numberOutOfRange, at: start) }
        return .integer(Int64(truncatingIfNeeded: 0 &- magnitude))
    }

    /// Reads the digits before the point; nil if their value does not fit 64 bits (a double may still hold it).
    private mutating func integerPart(from start: Int) throws(JSONError) -> UInt64? {
        let first = position
        try digits(from: start)
        guard bytes[first] != UInt8(ascii: "0") || position == first + 1 else { throw failure(.badNumber, at: start) }
        var value: UInt64 = 0
        for byte in bytes[first..<position] {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
            if overflow || carry { return nil }
            value = sum
        }
        return value
    }

    /// Steps over digits, at least one.
    private mutating func digits(from start: Int) throws(JSONError) {
        let first = position
        while let byte = next, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { position += 1 }
        guard position > first else { throw next == nil ? failure(.unexpectedEnd) : failure(.badNumber, at: start) }
    }

    private func double(from start: Int) throws(JSONError) -> JSONValue {
        guard let value = Double(String(decoding: bytes[start..<position], as: UTF8.self)), value.isFinite else {
            throw failure(.numberOutOfRange, at: start)
        }
        return .double(value)
    }
}

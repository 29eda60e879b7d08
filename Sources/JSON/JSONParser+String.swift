extension JSONParser {
    /// Reads a string from its opening quote to past its closing one.
    mutating func string() throws(JSONError) -> String {
        position += 1
        let start = position
        try skipPlainBytes()
        if next == UInt8(ascii: "\"") {
            let text = try validated(bytes[start..<position])
            position += 1
            return text
        }
        return try stringWithEscapes(from: start)
    }

    /// Goes on from the first backslash of the string that begins at `start`. Each run between escapes is validated for
    /// itself, which is right because a UTF-8 sequence cannot contain a backslash.
    private mutating func stringWithEscapes(from start: Int) throws(JSONError) -> String {
        var text = try validated(bytes[start..<position])
        while !take(UInt8(ascii: "\"")) {
            text.unicodeScalars.append(try escape())
            let start = position
            try skipPlainBytes()
            text += try validated(bytes[start..<position])
        }
        return text
    }

    /// Stops at a quote or a backslash; anything else that cannot stand in a string is an error.
    private mutating func skipPlainBytes() throws(JSONError) {
        while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
            guard byte >= 0x20 else { throw failure(.controlCharacter) }
            position += 1
        }
        guard next != nil else { throw failure(.unexpectedEnd) }
    }

    private func validated(_ run: ArraySlice<UInt8>) throws(JSONError) -> String {
        if let text = String(validating: run, as: UTF8.self) { return text }
        throw failure(.badUTF8, at: firstInvalidByte(in: run))
    }

    private func firstInvalidByte(in run: ArraySlice<UInt8>) -> Int {
        var input = run.makeIterator()
        var decoder = Unicode.UTF8.ForwardParser()
        var offset = run.startIndex
        while case .valid(let scalar) = decoder.parseScalar(from: &input) { offset += scalar.count }
        return offset
    }

    /// Reads one escape, two if they are the halves of a surrogate pair.
    private mutating func escape() throws(JSONError) -> Unicode.Scalar {
        let start = position
        position += 1  // the backslash
        guard let kind = next else { throw failure(.unexpectedEnd) }
        if kind == UInt8(ascii: "u") {
            position += 1
            return try unicodeEscape(from: start)
        }
        guard let scalar = JSONParser.shortEscapes[kind] else { throw failure(.badEscape, at: start) }
        position += 1
        return scalar
    }

    private static let shortEscapes: [UInt8: Unicode.Scalar] = [
        UInt8(ascii: "\""): "\"", UInt8(ascii: "\\"): "\\", UInt8(ascii: "/"): "/", UInt8(ascii: "b"): "\u{8}",
        UInt8(ascii: "f"): "\u{c}", UInt8(ascii: "n"): "\n", UInt8(ascii: "r"): "\r", UInt8(ascii: "t"): "\t",
    ]

    /// Reads from behind the `u` of the escape that begins at `start`.
    private mutating func unicodeEscape(from start: Int) throws(JSONError) -> Unicode.Scalar {
        let unit = try fourDigits(of: start)
        if let scalar = Unicode.Scalar(unit) { return scalar }
        // Not a scalar, hence a surrogate: it must be the high half, and the low half must follow at once.
        guard UTF16.isLeadSurrogate(unit) else { throw failure(.loneSurrogate, at: start) }
        let second = position
        guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
            throw next == nil ? failure(.unexpectedEnd) : failure(.loneSurrogate, at: start)
        }
        let low = try fourDigits(of: second)
        guard UTF16.isTrailSurrogate(low) else { throw failure(.loneSurrogate, at: start) }
        return UTF16.decode(UTF16.EncodedScalar([unit, low]))
    }

    private mutating func fourDigits(of start: Int) throws(JSONError) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = next else { throw failure(.unexpectedEnd) }
            guard let digit = byte.hexadecimalDigitValue else { throw failure(.badEscape, at: start) }
            unit = unit << 4 | UInt16(digit)
            position += 1
        }
        return unit
    }
}

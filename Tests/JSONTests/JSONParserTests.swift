import JSON
import Testing

@Suite struct JSONParserTests {
    static let valid: [(String, JSONValue)] = [
        ("null", .null), (" true ", true), ("\t\r\nfalse\n", false),
        ("0", 0), ("-0", 0), ("-17", -17),
        ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
        ("9223372036854775808", .unsigned(1 << 63)), ("18446744073709551615", .unsigned(.max)),
        ("1.0", 1.0), ("-2.5e3", -2500.0), ("1E2", 100.0), ("1e+2", 100.0), ("25e-1", 2.5),
        ("123456789012345678901234567890.0", 123456789012345678901234567890.0), ("1e-999", 0.0),
        (#""""#, ""), (#""a\"\\\/\b\f\n\r\t""#, "a\"\\/\u{8}\u{c}\n\r\t"),
        (#""\u0000\u00e9\u20AC""#, "\u{0}é€"), (#""\ud83d\uDE00!""#, "😀!"),
        (#""é€😀""#, "é€😀"), ("\"\u{7f}\"", "\u{7f}"),
        ("[]", []), ("[ ]", []), ("[1,[2],{}]", [1, [2], [:]]),
        ("{}", [:]), (#"{ "b" : 1 , "a" : [ ] }"#, ["b": 1, "a": []]),
    ]

    @Test(arguments: valid)
    func reads(text: String, value: JSONValue) throws {
        #expect(try JSONValue(parsing: text) == value)
    }

    static let invalid: [(String, JSONError.Reason, offset: Int)] = [
        ("", .empty, 0), (" \n", .empty, 2),
        ("[", .unexpectedEnd, 1), ("[1", .unexpectedEnd, 2), ("[1,", .unexpectedEnd, 3), ("{", .unexpectedEnd, 1),
        (#"{"a""#, .unexpectedEnd, 4), (#"{"a":"#, .unexpectedEnd, 5), (#"{"a":1"#, .unexpectedEnd, 6),
        (#"{"a":1,"#, .unexpectedEnd, 7), ("\"a", .unexpectedEnd, 2), ("\"\\", .unexpectedEnd, 2),
        (#""\u12"#, .unexpectedEnd, 5), (#""\ud83d"#, .unexpectedEnd, 7), (#""\ud83d\"#, .unexpectedEnd, 8),
        ("tru", .unexpectedEnd, 3), ("-", .unexpectedEnd, 1), ("1.", .unexpectedEnd, 2), ("1e+", .unexpectedEnd, 3),
        ("]", .noValue, 0), ("[1,]", .noValue, 3), ("+1", .noValue, 0), (".5", .noValue, 0), ("\u{feff}1", .noValue, 0),
        ("'a'", .noValue, 0), ("NaN", .noValue, 0), ("trux", .badLiteral, 0), ("[nul]", .badLiteral, 1),
        ("01", .badNumber, 0), ("-a", .badNumber, 0), ("[1.]", .badNumber, 1), ("[1.e1]", .badNumber, 1),
        ("[1e]", .badNumber, 1), ("-01", .badNumber, 0), ("0x10", .trailingBytes, 1),
        ("18446744073709551616", .numberOutOfRange, 0), ("-9223372036854775809", .numberOutOfRange, 0),
        ("123456789012345678901234567890", .numberOutOfRange, 0), ("[1e999]", .numberOutOfRange, 1),
        ("{1:2}", .noKey, 1), (#"{"a":1,}"#, .noKey, 7), (#"{"a" 1}"#, .noColon, 5),
        (#"{"a":1 "b":2}"#, .noCommaInObject, 7),
        (#"{"a":1]"#, .noCommaInObject, 6), ("[1 2]", .noCommaInArray, 3), ("[1}", .noCommaInArray, 2),
        (#"{"a":1,"b":2,"a":3}"#, .duplicateKey, 13), ("1 2", .trailingBytes, 2), ("{}}", .trailingBytes, 2),
        (#""\x""#, .badEscape, 1), (#""\u12G4""#, .badEscape, 1), (#""a\'""#, .badEscape, 2),
        (#""\ud83d""#, .loneSurrogate, 1), (#""\ude00""#, .loneSurrogate, 1), (#""\ud83d\n""#, .loneSurrogate, 1),
        (#""\ud83d\u0041""#, .loneSurrogate, 1), ("\"a\nb\"", .controlCharacter, 2),
        ("\"\u{0}\"", .controlCharacter, 1),
    ]

    @Test(arguments: invalid)
    func rejects(text: String, reason: JSONError.Reason, offset: Int) {
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
        #expect(error?.reason == reason)
        #expect(error?.offset == offset)
    }

    /// Ill-formed bytes: a lone continuation, a cut sequence, an overlong form, a surrogate, a value beyond Unicode.
    static let invalidUTF8: [[UInt8]] = [
        [0x80], [0xc3], [0xe2, 0x82], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xff],
    ]

    @Test(arguments: invalidUTF8, [[UInt8](), Array(#"é\n"#.utf8)])
    func rejectsInvalidUTF8(bytes: [UInt8], before: [UInt8]) {
        let quote = UInt8(ascii: "\"")
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: [quote] + before + bytes + [quote]) }
        #expect(error?.reason == .badUTF8)
        #expect(error?.offset == 1 + before.count)
    }

    @Test func limitsDepth() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        _ = try JSONValue(parsing: nested(JSONValue.maximumDepth))
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: nested(100_000)) }
        #expect(error?.reason == .tooDeep)
        #expect(error?.offset == JSONValue.maximumDepth)
        // Depth is of nesting: what is closed does not count.
        _ = try JSONValue(parsing: "[" + Array(repeating: "[]", count: 100).joined(separator: ",") + "]")
    }

    @Test func placesErrorsByLineAndColumn() {
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: "{\n  \"é\": 1,\n  \"é\" 2\n}") }
        #expect(error?.line == 3)
        #expect(error?.column == 8)
        #expect(error?.description == "line 3, column 8: A colon must follow the name of a member.")
    }

    @Test func countsFromTheStartOfASlice() throws {
        let bytes = Array("xx[1,\n2]x".utf8)
        #expect(try JSONValue(parsing: bytes[2..<8]) == [1, 2])
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: bytes[2...]) }
        #expect(error?.offset == 6)
        #expect(error?.line == 2)
        #expect(error?.column == 3)
    }

    /// With and without the index by which long objects are searched.
    @Test(arguments: [2, 15, 16, 17, 1000])
    func findsAndRefusesRepeatedKeysAtAnySize(count: Int) throws {
        let members = (0..<count).map { "\"k\($0)\":\($0)" }
        let object = try JSONValue(parsing: "{" + members.joined(separator: ",") + "}")
        for number in 0..<count { #expect(object["k\(number)"]?.integer == Int64(number)) }
        let repeated = "{" + (members + ["\"k1\":0"]).joined(separator: ",") + "}"
        #expect(throws: JSONError.self) { try JSONValue(parsing: repeated) }
    }

    /// Every way of cutting or disturbing a document gives a value or an error.
    @Test func neverTraps() {
        let text = #"{"a": [1, -2.5e+3, "é\ud83d\ude00\n", true, null], "b": {"c": 18446744073709551615}}"#
        let document = Array(text.utf8)
        for place in document.indices {
            _ = try? JSONValue(parsing: document[..<place])
            _ = try? JSONValue(parsing: document[place...])
            for byte: UInt8 in [0x00, 0x22, 0x2d, 0x5b, 0x5c, 0x7b, 0x7d, 0x80, 0xc3, 0xff] {
                var changed = document
                changed[place] = byte
                _ = try? JSONValue(parsing: changed)
            }
        }
    }
}

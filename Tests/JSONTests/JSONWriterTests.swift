import JSON
import Testing

@Suite struct JSONWriterTests {
    static let document: JSONValue = [
        "b": [1, -2.5, .null, true, [], [:]],
        "a\"\\": "\u{1}\u{8}\u{c}\n\r\t\u{1f}\u{7f}/é😀",
        "id": .unsigned(.max),
    ]

    @Test func writesCompactly() {
        let expected =
            #"{"b":[1,-2.5,null,true,[],{}],"a\"\\":"\u0001\b\f\n\r\t\u001f"# + "\u{7f}"
            + #"/é😀","id":18446744073709551615}"#
        #expect(JSONWriterTests.document.text() == expected)
    }

    @Test func writesPrettily() {
        let value: JSONValue = ["a": [1, ["b": 2]], "c": [], "d": [:]]
        let expected = """
            {
              "a": [
                1,
                {
                  "b": 2
                }
              ],
              "c": [],
              "d": {}
            }
            """
        #expect(value.text(.pretty) == expected)
    }

    @Test(arguments: [(1.0, "1.0"), (1e300, "1e+300"), (-0.0, "-0.0"), (.infinity, "null"), (.nan, "null")])
    func writesDoubles(value: Double, text: String) {
        #expect(JSONValue.double(value).text() == text)
    }

    /// Random values read back equal from either layout.
    @Test func roundTrips() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SplitMix64(state: seed)
        for round in 0..<300 {
            let value = JSONValue.random(depth: 4, using: &generator)
            for layout in JSONLayout.allCases {
                let bytes = value.encoded(layout)
                let again = try JSONValue(parsing: bytes)
                try #require(again == value, "seed \(seed), round \(round)")
                try #require(again.encoded(layout) == bytes, "seed \(seed), round \(round)")
            }
        }
        print("JSONWriterTests.roundTrips: seed \(seed)")
    }
}

/// A generator that a printed seed reproduces (Steele, Lea, Flood 2014).
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}

extension JSONValue {
    fileprivate static func random(depth: Int, using generator: inout SplitMix64) -> JSONValue {
        switch Int.random(in: 0..<(depth == 0 ? 6 : 8), using: &generator) {
        case 0: return .null
        case 1: return .bool(.random(using: &generator))
        // A shift spreads the numbers over all magnitudes.
        case 2: return .integer(Int64(bitPattern: generator.next()) >> Int64.random(in: 0..<64, using: &generator))
        case 3: return JSONValue(generator.next())
        case 4:
            let value = Double(bitPattern: generator.next())
            return value.isFinite ? .double(value) : 0.5
        case 5: return .string(randomText(using: &generator))
        case 6:
            let count = Int.random(in: 0..<5, using: &generator)
            return .array((0..<count).map { _ in random(depth: depth - 1, using: &generator) })
        default:
            var object = JSONObject()
            for _ in 0..<Int.random(in: 0..<20, using: &generator) {
                object[randomText(using: &generator)] = random(depth: depth - 1, using: &generator)
            }
            return .object(object)
        }
    }

    /// Scalars of every UTF-8 length, surrogates left out.
    private static func randomText(using generator: inout SplitMix64) -> String {
        var text = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0..<8, using: &generator) {
            let limit = [0x20, 0x80, 0x800, 0x1_0000, 0x11_0000].randomElement(using: &generator) ?? 0x80
            text.append(Unicode.Scalar(UInt32.random(in: 0..<UInt32(limit), using: &generator)) ?? "?")
        }
        return String(text)
    }
}

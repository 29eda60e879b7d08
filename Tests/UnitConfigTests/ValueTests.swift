import Testing
import UnitConfig

@Suite struct ValueTests {
    private let all = 0...UInt64.max

    private func fault(_ work: () throws(ValueFault) -> some Any) -> String? {
        do throws(ValueFault) {
            _ = try work()
            return nil
        } catch {
            return error.reason
        }
    }

    @Test(arguments: [
        ("yes", true), ("TRUE", true), ("1", true), ("On", true), ("no", false), ("false", false), ("0", false),
        ("off", false),
    ])
    func booleans(text: String, value: Bool) throws { #expect(try Value.boolean(text) == value) }

    @Test(arguments: ["", "y", "2", "yes no", "ja"])
    func noBooleans(text: String) { #expect(fault { () throws(ValueFault) in try Value.boolean(text) } != nil) }

    @Test(
        arguments: [
            ("0", 0), ("10", 10), ("0x1f", 31), ("0XFF", 255), ("007", 7), ("18446744073709551615", .max),
        ] as [(String, UInt64)])
    func integers(text: String, value: UInt64) throws { #expect(try Value.integer(text, in: all) == value) }

    @Test(arguments: ["", "0x", "-1", "+1", "1 ", "1.5", "1_000", "a", "0b1", "18446744073709551616", "１"])
    func noIntegers(text: String) {
        #expect(
            fault { () throws(ValueFault) in try Value.integer(text, in: all) }
                == "is not a whole number such as 10 or 0x1f")
    }

    @Test func integersOutsideTheirRange() {
        let reason = "is not between 1 and 512"
        #expect(fault { () throws(ValueFault) in try Value.integer("0", in: 1...512) } == reason)
        #expect(fault { () throws(ValueFault) in try Value.integer("513", in: 1...512) } == reason)
        #expect(fault { () throws(ValueFault) in try Value.integer("512", in: 1...512) } == nil)
    }

    @Test(
        arguments: [
            ("0", 0, "0"), ("4096", 4096, "4K"), ("64K", 65536, "64K"), ("2 G", 1 << 31, "2G"), ("1T", 1 << 40, "1T"),
            ("1536M", 1536 << 20, "1536M"), ("7B", 7, "7"), ("3P", 3 << 50, "3P"),
        ] as [(String, UInt64, String)])
    func sizes(text: String, value: UInt64, normal: String) throws {
        #expect(try Value.size(text, in: all) == value)
        #expect(Value.sizeText(value) == normal)
    }

    @Test(arguments: ["", "K", "1k", "1KB", "1.5G", "-1K", "0x10K", "1 2"])
    func noSizes(text: String) {
        #expect(
            fault { () throws(ValueFault) in try Value.size(text, in: all) } == "is not a size such as 64K, 2G or 1T")
    }

    @Test func sizesThatOverflow() {
        #expect(
            fault { () throws(ValueFault) in try Value.size("99999999999999999P", in: 4096...1 << 52) }
                == "is not between 4K and 4P")
    }

    @Test(
        arguments: [
            ("30s", 30_000, "30s"), ("5min", 300_000, "5min"), ("2h", 7_200_000, "2h"), ("100ms", 100, "100ms"),
            ("10", 10_000, "10s"), ("1min 30s", 90_000, "90s"), ("1h30min", 5_400_000, "90min"),
            ("1 d", 86_400_000, "1d"),
            ("0", 0, "0ms"),
        ] as [(String, UInt64, String)])
    func durations(text: String, value: UInt64, normal: String) throws {
        #expect(try Value.duration(text, in: all) == value)
        #expect(Value.durationText(value) == normal)
    }

    @Test(arguments: ["", "s", "5 fortnights", "1.5s", "-1s", "1s,2s", "5²"])
    func noDurations(text: String) {
        #expect(
            fault { () throws(ValueFault) in try Value.duration(text, in: all) }
                == "is not a time such as 30s, 5min, 2h or 100ms")
    }

    @Test func durationsThatOverflow() {
        for text in ["18446744073709551615d", "18446744073709551615ms 1ms"] {
            #expect(
                fault { () throws(ValueFault) in try Value.duration(text, in: 1000...60_000) }
                    == "is not between 1s and 1min")
        }
    }

    @Test(arguments: [
        ("", []), ("a b,c ,, d", ["a", "b", "c", "d"]), ("\"a b\" 'c,d'", ["a b", "c,d"]), ("a\"b c\"d", ["ab cd"]),
        ("\"\"", [""]), (#""a\"b" '\\'"#, ["a\"b", "\\"]), (#"a\b"#, [#"a\b"#]), ("  ä ", ["ä"]),
    ])
    func lists(text: String, words: [String]) throws { #expect(try WordList.words(text) == words) }

    @Test(arguments: ["\"a", "'", "a \"b\\\""])
    func quotesThatAreNotClosed(text: String) {
        #expect(fault { () throws(ValueFault) in try WordList.words(text) } == "has a quote that is not closed")
    }

    private enum Colour: String, CaseIterable { case red, green }

    @Test func words() throws {
        #expect(try Value.word("red", of: Colour.self) == .red)
        #expect(
            fault { () throws(ValueFault) in try Value.word("gren", of: Colour.self) }
                == "is none of: red, green: did you mean `green`?")
        #expect(fault { () throws(ValueFault) in try Value.word("blue", of: Colour.self) } == "is none of: red, green")
    }

    @Test(arguments: [
        ("MaxMemmory", "MaxMemory"), ("maxmemory", "MaxMemory"), ("MaxMmeory", "MaxMemory"), ("Memory", "MaxMemory"),
        ("MaxMap", "MaxMaps"), ("Usr", "User"), ("Completely", nil), ("", nil), ("X", nil),
    ])
    func nearMisses(text: String, word: String?) {
        #expect(NearMiss.best(for: text, among: ["User", "MaxMemory", "MaxMaps", "MaxContexts"]) == word)
    }
}

import Testing
import UnitConfig

@Suite struct UnitFileTests {
    private func parse(_ text: String) -> (file: UnitFile, diagnostics: [Diagnostic]) {
        parse(Array(text.utf8))
    }

    private func parse(_ bytes: [UInt8]) -> (file: UnitFile, diagnostics: [Diagnostic]) {
        var diagnostics: [Diagnostic] = []
        let file = UnitFile(path: "a.conf", bytes: bytes, diagnostics: &diagnostics)
        return (file, diagnostics)
    }

    /// Sections as `[title]`, assignments as `line key=value`.
    private func summary(_ sections: [UnitSection]) -> [String] {
        sections.flatMap { section in
            ["[\(section.title)]"] + section.assignments.map { "\($0.location.line) \($0.key)=\($0.value)" }
        }
    }

    static let texts: [(text: String, summary: [String])] = [
        ("", []),
        ("[A]", ["[A]"]),
        ("[Device disk0]\nA=1\n", ["[Device disk0]", "2 A=1"]),
        ("[Device   disk 0  ]", ["[Device disk 0]"]),
        ("[A ]\nK=", ["[A]", "2 K="]),
        ("\u{feff}[A]\r\n\t K \t=  v w \r\n", ["[A]", "2 K=v w"]),
        ("[A]\n# K=1\n  ; K=2\nK=3 # no comment\n", ["[A]", "4 K=3 # no comment"]),
        ("[A]\nK==a=b", ["[A]", "2 K==a=b"]),
        ("[A]\nK=a \\\n   b\\\n# in between\nc\nL=1", ["[A]", "2 K=a b c", "6 L=1"]),
        ("[A]\nK=a\\\n\nL=1", ["[A]", "2 K=a", "4 L=1"]),
        ("[A]\nK=a\\", ["[A]", "2 K=a"]),
        ("[A]\n# comment \\\nK=1", ["[A]", "3 K=1"]),
        ("[A]\nK=1\n[B]\n[A]\nK=2", ["[A]", "2 K=1", "[B]", "[A]", "5 K=2"]),
    ]

    @Test(arguments: texts)
    func reads(text: String, expected: [String]) {
        let (file, diagnostics) = parse(text)
        #expect(summary(file.sections) == expected)
        #expect(diagnostics.isEmpty, "\(diagnostics)")
    }

    static let wrong: [(text: String, diagnostic: String)] = [
        ("K=1", "a.conf:1: error: `K=` stands before the first section"),
        ("[A]\nnonsense", "a.conf:2: error: `nonsense` is neither `[Section]` nor `Key=value` nor a comment"),
        ("[A]\n = 5", "a.conf:2: error: the key before `=` is missing"),
        ("[A", "a.conf:1: error: `[A` begins like a section and has no `]` at its end"),
        ("\n[]", "a.conf:2: error: the section has no name"),
        ("[ ]", "a.conf:1: error: the section has no name"),
        ("[A]\nK=\u{0}", "a.conf:2: error: the line is not UTF-8 text and has no effect"),
        ("x\u{1b}[31m", "a.conf:1: error: `x?[31m` is neither `[Section]` nor `Key=value` nor a comment"),
    ]

    @Test(arguments: wrong)
    func saysWhatIsWrong(text: String, diagnostic: String) {
        let (_, diagnostics) = parse(text)
        #expect(diagnostics.map { $0.description } == [diagnostic])
    }

    /// What stands below a header that cannot be read belongs to no section, least of all to the one before.
    @Test func assignmentsOfAWrongSectionHaveNoEffect() {
        let (file, diagnostics) = parse("[A]\nK=1\n[B\nK=2\nL=3\n[C]\nK=4")
        #expect(summary(file.sections) == ["[A]", "2 K=1", "[C]", "7 K=4"])
        #expect(diagnostics.map { $0.location.line } == [3])
    }

    @Test func readsAroundBytesThatAreNoText() {
        let (file, diagnostics) = parse(Array("[A]\nK=".utf8) + [0xff, 0xc0] + Array("\nL=1".utf8))
        #expect(summary(file.sections) == ["[A]", "3 L=1"])
        #expect(diagnostics.map { $0.location.line } == [2])
    }

    @Test func readsNoFileBeyondItsLimit() {
        let comment = Array(repeating: UInt8(ascii: "#"), count: UnitFile.maximumSize - 3)
        let header = Array("[A]".utf8)
        #expect(parse(header + comment).diagnostics.count == 1)
        let (file, diagnostics) = parse(header + comment + [10])
        #expect(file.sections.isEmpty)
        #expect(
            diagnostics.map { $0.description } == [
                "a.conf: error: the file has more than 1048576 bytes and is not read"
            ])
    }

    @Test func mergesSectionsOfTheSameTitle() {
        let first = parse("[A x]\nK=1\n[B]\nK=2\n[A x]\nL=3").file
        let second = parse("[C]\n[A x]\nK=4\n[A y]\nK=5").file
        #expect(
            summary([first, second].merged) == [
                "[A x]", "2 K=1", "6 L=3", "3 K=4", "[B]", "4 K=2", "[C]", "[A y]", "5 K=5",
            ])
    }

    @Test func theLastAssignmentCountsAndAnEmptyOneTakesBack() {
        let section = parse("[A]\nK=1\nK=2\nL=1\nL=\nM=1\nM=\nM=2\nM=3").file.sections[0]
        #expect(section.last(of: "K")?.value == "2")
        #expect(section.last(of: "L") == nil)
        #expect(section.last(of: "X") == nil)
        #expect(section.list(of: "K").map { $0.value } == ["1", "2"])
        #expect(section.list(of: "L").isEmpty)
        #expect(section.list(of: "M").map { $0.value } == ["2", "3"])
    }

    /// Any bytes give a file and diagnostics with lines that exist. The letters are those that mean something, so that
    /// random texts get somewhere.
    @Test func takesAnyBytes() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SplitMix(state: seed)
        let letters = Array("[]=\\#;\n\r \"',ABab019\t".utf8) + [0, 0x1b, 0x80, 0xc3, 0xff]
        for round in 0..<3000 {
            let bytes = (0..<Int.random(in: 0...120, using: &random)).map { _ in
                round % 3 == 0
                    ? UInt8.random(in: 0...255, using: &random)
                    : letters[Int.random(in: 0..<letters.count, using: &random)]
            }
            let (file, diagnostics) = parse(bytes)
            let lines = bytes.count { $0 == 10 } + 1
            let problem = diagnostics.first {
                !(1...lines).contains($0.location.line) || $0.text.unicodeScalars.contains { $0.value < 32 }
            }
            #expect(problem == nil, "seed \(seed), round \(round), \(bytes)")
            for assignment in file.sections.flatMap(\.assignments) {
                #expect((1...lines).contains(assignment.location.line), "seed \(seed), round \(round), \(bytes)")
                exerciseValueReaders(assignment.value)
            }
        }
    }

    /// Whatever a reader takes, the text of its value reads back equal.
    private func exerciseValueReaders(_ text: String) {
        let all = 0...UInt64.max
        if let size = try? Value.size(text, in: all) {
            #expect((try? Value.size(Value.sizeText(size), in: all)) == size)
        }
        if let time = try? Value.duration(text, in: all) {
            #expect((try? Value.duration(Value.durationText(time), in: all)) == time)
        }
        if let words = try? WordList.words(text) { #expect((try? WordList.words(WordList.text(words))) == words) }
        _ = try? Value.boolean(text)
        _ = try? Value.integer(text, in: all)
        _ = NearMiss.best(for: text, among: ["MaxMemory", "A"])
    }
}

/// Random numbers that a seed gives again.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

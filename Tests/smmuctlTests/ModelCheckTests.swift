import CaptureFixtures
import Foundation
import JSON
import Testing

@Suite struct ModelCheckTests {
    @Test func everyCaptureAgrees() throws {
        let directories = try CaptureFixtures.names.map { try CaptureFixtures.directory(named: $0) }
        let run = try Run(["model", "check"] + directories)
        #expect(run.status == 0)
        #expect(run.error.isEmpty)
        let oracles = CaptureFixtures.oracleRows.sorted { $0.key < $1.key }
        let total = oracles.map(\.value).reduce(272, +)
        #expect(
            run.lines == oracles.map { "\($0.key): \($0.value) rows, \($0.value) agree" } + [
                "seq-short: 272 rows, 272 agree (18 of 18 rows with an alternative got the earlier answer)",
                "5 captures: \(total) rows, \(total) agree", "",
            ])
    }

    @Test func aloneACaptureHasNoTotal() throws {
        let run = try Run(["model", "check", try CaptureFixtures.directory(named: "lin-4k-s1-plain") + "/"])
        #expect(run.output == "lin-4k-s1-plain: 5617 rows, 5617 agree\n")
    }

    /// A capture in which the first answer that is a translation leads elsewhere, and the first event is another.
    private func tampered() throws -> (directory: String, translation: Int, event: Int) {
        let directory = try copyOfCapture("lin-4k-s1-plain")
        var (translation, event) = (0, 0)
        try rewrite("\(directory)/oracle.jsonl") { number, line in
            if translation == 0, line.contains("\"result\":\"ok\"") {
                translation = number
                return line.replacingOccurrences(of: "\"pa\":\"0x", with: "\"pa\":\"0xabc")
            }
            if event == 0, line.contains("\"record\":\"10") {
                event = number
                return line.replacingOccurrences(of: "\"record\":\"10", with: "\"record\":\"11")
            }
            return nil
        }
        return (directory, translation, event)
    }

    @Test func showsBothAnswersWhereTheyDiffer() throws {
        let (directory, translation, event) = try tampered()
        let run = try Run(["model", "check", directory])
        #expect(run.status == 1)
        #expect(run.error.isEmpty)
        #expect(run.lines.first == "lin-4k-s1-plain: 5617 rows, 5615 agree")
        #expect(run.output.contains("oracle.jsonl, line \(translation): stream "), "\(run.output)")
        #expect(run.output.contains("oracle.jsonl, line \(event): stream "), "\(run.output)")
        #expect(run.row("recorded") == ["model"])
        let pa = try #require(run.row("pa"))
        #expect(pa.count == 3 && pa[0].hasPrefix("0xabc") && pa[2] == "<", "\(pa)")
        #expect(pa[0].dropFirst(5) == pa[1].dropFirst(2))
        #expect(
            run.lines.contains("    record Event      0x11 (F_ADDR_SIZE)  0x10 (F_TRANSLATION)  <"), "\(run.output)")
        // What is the same on both sides shows as well, but unmarked.
        #expect(run.lines.contains { $0.hasPrefix("    record StreamID") && !$0.hasSuffix("<") })
    }

    @Test func disagreementsAsJSON() throws {
        let (directory, translation, event) = try tampered()
        let run = try Run(["model", "check", "--json", directory, "no-such-directory"])
        #expect(run.status == 1)
        let json = try run.json()
        let capture = try #require(json["captures"]?[0])
        #expect(capture.object?.keys == ["name", "rows", "agree", "alternatives", "disagreements", "failedSteps"])
        #expect(capture["name"] == "lin-4k-s1-plain")
        #expect(capture["rows"] == 5617)
        #expect(capture["agree"] == 5615)
        #expect(capture["alternatives"] == ["rows": 0, "earlier": 0])
        #expect(capture["failedSteps"] == [])
        let rows = try #require(capture["disagreements"]?.array)
        #expect(Set(rows.map { $0["line"]?.integer }) == [Int64(translation), Int64(event)])
        let changed = try #require(rows.first { $0["line"]?.integer == Int64(event) })
        #expect(changed["recorded"]?["record"]?.string?.hasPrefix("11") == true)
        #expect(changed["model"]?["record"]?.string?.hasPrefix("10") == true)
        #expect(changed["model"]?["event"] == "F_TRANSLATION")
        #expect(json["failures"] == [["path": "no-such-directory", "reason": "there is no such directory."]])
    }

    /// A script with a command that no SMMU takes, and a store beyond the last address.
    @Test func stepsThatFailAreNamed() throws {
        let directory = try copyOfCapture("seq-short")
        var seen = 0
        try rewrite("\(directory)/steps.jsonl") { _, line in
            guard line.contains("\"op\":\"cmd\"") else { return nil }
            seen += 1
            switch seen {
            case 1:
                return line.replacingOccurrences(of: "\"data\":\"", with: "\"data\":\"ff")
                    .replacingOccurrences(of: "00\"}", with: "\"}")
            case 2: return "{\"op\":\"write\",\"pa\":\"0xffffffffffffffff\",\"data\":\"0000\"}"
            default: return nil
            }
        }
        let run = try Run(["model", "check", directory])
        #expect(run.status == 1)
        #expect(
            run.lines.contains("  steps.jsonl, line 4: opcode 0xff stopped the queue: CERROR_ILL"), "\(run.output)")
        #expect(
            run.lines.contains(
                "  steps.jsonl, line 5: the store to 0xffffffffffffffff goes beyond the end of the address space"),
            "\(run.output)")
        let steps = try Run(["model", "check", "--json", directory]).json()["captures"]?[0]?["failedSteps"]
        #expect(steps?[0]?["line"] == 4)
        #expect(steps?[1]?["problem"] == "the store to 0xffffffffffffffff goes beyond the end of the address space")
    }

    /// One damaged capture does not keep the others from being checked.
    @Test func goesOnAfterACaptureThatCannotBeRead() throws {
        let damaged = try copyOfCapture("lin-4k-s1-faults")
        try rewrite("\(damaged)/oracle.jsonl") { number, _ in number == 3 ? "{\"sid\":" : nil }
        let whole = try CaptureFixtures.directory(named: "lin-4k-s1-plain")
        let run = try Run(["model", "check", damaged, whole])
        #expect(run.status == 1)
        #expect(run.lines == ["lin-4k-s1-plain: 5617 rows, 5617 agree", "1 capture: 5617 rows, 5617 agree", ""])
        #expect(run.error.hasPrefix("Failed to check \(damaged): oracle.jsonl, line 3: Column "), "\(run.error)")
        #expect(run.error.hasSuffix("unpack its archive again, or record it again.\n"), "\(run.error)")
    }

    /// What a capture says must not steer the terminal.
    @Test func controlCharactersOfACaptureAreNotPrinted() throws {
        let directory = try copyOfCapture("lin-4k-s1-plain")
        try rewrite("\(directory)/oracle.jsonl") { number, line in
            number == 1 ? line.replacingOccurrences(of: "F_TRANSLATION", with: "\\u001b[2J") : nil
        }
        let run = try Run(["model", "check", directory])
        #expect(run.status == 1)
        #expect(run.output.contains("?[2J"), "\(run.output)")
        #expect(!run.output.contains("\u{1b}"))
    }
}

import BrokerHarness
import CaptureFixtures
import Foundation
import JSON
import Testing

/// `smmuctl replay`, as a process beside a broker that runs in this one.
@Suite struct ReplayCommandTests {
    private static let script =
        "seq-short: 272 rows, 156 agree, 116 skipped (the guest's own stage 2: 107, V=0: 9) "
        + "(11 of 15 rows with an alternative got the earlier answer)"

    @Test func saysWhatAgreesAndWhatWasSkipped() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let captures = try ["lin-4k-s1-faults", "seq-short"].map(CaptureFixtures.directory(named:))
        let run = try Run(["replay", "--socket", harness.path] + captures)
        #expect(run.error.isEmpty)
        #expect(
            run.lines == [
                "lin-4k-s1-faults: 3531 rows, 3531 agree", Self.script,
                "2 captures: 3803 rows, 3687 agree, 116 skipped", "",
            ])
        #expect(run.status == 0)
    }

    @Test func printsJSON() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let run = try Run(
            ["replay", "--json", "--socket", harness.path, try CaptureFixtures.directory(named: "seq-short")])
        #expect(run.status == 0)
        let json = try run.json()
        let capture = try #require(json["captures"]?.array?.first)
        #expect(json["failures"]?.array?.isEmpty == true)
        #expect(capture["name"]?.string == "seq-short")
        #expect(capture["rows"]?.integer == 272)
        #expect(capture["agree"]?.integer == 156)
        #expect(capture["skipped"]?["the guest's own stage 2"]?.integer == 107)
        #expect(capture["skipped"]?["V=0"]?.integer == 9)
        #expect(capture["alternatives"]?["rows"]?.integer == 15)
        #expect(capture["streams"]?.integer == 14)
        // 18 TLBI_S12_VMALL and 9 TLBI_S2_IPA.
        #expect(capture["refusedCommands"]?.integer == 27)
        #expect(capture["disagreements"]?.array?.isEmpty == true)
        #expect(capture["problems"]?.array?.isEmpty == true)
    }

    /// A capture whose recording says something else than any SMMU would: the row is shown in full.
    @Test func showsWhatDisagrees() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let changed = "\(try CaptureFixtures.scratchDirectory())/changed"
        try FileManager.default.copyItem(
            atPath: try CaptureFixtures.directory(named: "lin-4k-s1-faults"), toPath: changed)
        let rows = try String(contentsOfFile: "\(changed)/oracle.jsonl", encoding: .utf8).split(separator: "\n")
        let index = try #require(rows.firstIndex { $0.contains("\"result\":\"ok\"") })
        let wrong = rows[index].replacing("\"pa\":\"0x", with: "\"pa\":\"0x1")
        try Data("\(wrong)\n".utf8).write(to: URL(fileURLWithPath: "\(changed)/oracle.jsonl"))
        let run = try Run(["replay", "--socket", harness.path, changed])
        #expect(run.status == 1)
        #expect(run.lines.first == "changed: 1 rows, 0 agree")
        #expect(run.output.contains("oracle.jsonl, line 1: stream "))
        #expect(run.row("pa")?.count == 3)
        #expect(run.row("recorded") == ["broker"])
        #expect(run.output.contains("IDR0.VMID16: 0 in place of 1 (nesting)"))
    }

    @Test func tellsThatNobodyListens() throws {
        let socket = "\(try CaptureFixtures.scratchDirectory())/nobody.sock"
        let run = try Run(["replay", "--socket", socket, try CaptureFixtures.directory(named: "seq-short")])
        #expect(run.status == 1)
        #expect(run.output.isEmpty)
        #expect(run.error.hasPrefix("Failed to replay "))
        #expect(run.error.contains("Cannot connect to \(socket): No such file or directory"))
        #expect(run.error.split(separator: "\n").count == 2)
    }

    @Test func goesOnAfterACaptureThatIsNone() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let run = try Run([
            "replay", "--socket", harness.path, "/nonexistent", try CaptureFixtures.directory(named: "seq-short"),
        ])
        #expect(run.status == 1)
        #expect(run.lines.first == Self.script)
        #expect(run.error.hasPrefix("Failed to replay /nonexistent: there is no such directory."))
    }
}

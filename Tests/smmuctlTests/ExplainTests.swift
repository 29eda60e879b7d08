import BrokerClient
import BrokerHarness
import CaptureFixtures
import JSON
import SMMUModel
import SMMUv3
import Testing
import Wire

@testable import smmuctl

/// What `explain` says.
@Suite struct ExplainTests {
    @Test("Every event has a text of its own for each stage", arguments: EventID.allCases)
    func everyEvent(id: EventID) {
        for stage2 in [false, true] {
            let explanation = EventExplanation(id, stage2: stage2)
            #expect(explanation.doing.hasSuffix("."))
            #expect(!explanation.sides.isEmpty && !explanation.causes.isEmpty)
            #expect(Set(explanation.sides).count == explanation.sides.count)
            for other in EventID.allCases where other != id {
                #expect(EventExplanation(other, stage2: stage2).causes != explanation.causes, "\(id) \(other)")
            }
        }
        let stages = [false, true].map { EventExplanation(id, stage2: $0).doing }
        #expect((stages[0] != stages[1]) == id.isTranslationFault)
    }

    @Test("Numbers that the architecture does not give are explained too", arguments: [0x00, 0x0c, 0x30, 0xe0, 0xff])
    func unknownEvents(number: UInt64) {
        let report = ExplanationReport(EventSubject(EventRecord(number, 0, 0, 0)))
        #expect(report.text(.plain).contains("Usual causes"))
        #expect(report.json["next"]?[0]?["command"]?.string?.hasPrefix("smmuctl decode event 0x") == true)
    }

    private func fault(_ id: EventID = .translation, at address: UInt64, stage2: Bool = false) -> EventRecord {
        var record = EventRecord(id, stream: StreamID(8))
        (record.inputAddress, record.stage2) = (address, stage2)
        record.setClass(.input)
        return record
    }

    @Test(
        "Stage 1 faults in the window of MSIs are about the doorbell",
        arguments: [
            (0x07ff_ffff, false, false), (0x0800_0000, false, true), (0x080f_ffff, false, true),
            (0x0810_0000, false, false), (0x0800_0040, true, false),
        ] as [(UInt64, Bool, Bool)])
    func doorbell(address: UInt64, stage2: Bool, isDoorbell: Bool) {
        let report = ExplanationReport(EventSubject(fault(at: address, stage2: stage2)))
        #expect(report.text(.plain).contains("does not map the MSI doorbell") == isDoorbell)
        #expect(report.json["msiDoorbell"] == .bool(isDoorbell))
        #expect(!EventExplanation.isDoorbell(EventRecord(.badSTE, stream: StreamID(8))))
    }

    private func told(_ context: AdminContext?) -> EventSubject {
        let event = MonitorEvent(
            sequence: EventSequence(4), time: 0, session: 3, vsmmu: VSMMUID(1), generation: Generation(0),
            vsid: StreamID(8), vm: Name("web1"), device: Name("disk0"), record: fault(at: 0x1000))
        var subject = EventSubject(event.record)
        subject.told = EventSubject.Told(event: event, context: context)
        return subject
    }

    @Test("A fault that the broker told names VM and device, and has the installed STE") func installed() {
        let context = AdminContext(
            vsmmu: VSMMUID(1), vsid: StreamID(8), device: Name("disk0"), smmu: Name("smmu0"),
            physicalStream: StreamID(17), state: .translate, flags: .vsmmuEnabled, health: .healthy, events: 1,
            stesInstalled: 1, word0: 0x4000_000b, word1: 0)
        let report = ExplanationReport(told(context))
        let text = report.text(.plain)
        #expect(text.contains("smmuctl show web1"), "\(text)")
        #expect(text.contains("smmuctl quarantine disk0"))
        #expect(text.contains("stage 1 only: one CD at 0x40000000"), "\(text)")
        #expect(report.json["ste"]?["words"]?[0] == "0x000000004000000b")
        #expect(report.json["told"]?["vm"] == "web1")
        let gone = ExplanationReport(told(nil))
        #expect(gone.text(.plain).contains("no longer attached"))
        #expect(gone.json["ste"]?.isNull == true)
    }

    @Test("Words are explained, with the command that follows the access") func words() throws {
        let run = try Run(["explain", "0x0000002000000010", "0x0000020800000000", "0xdead0000"])
        #expect(run.status == 0)
        #expect(run.lines.first == "F_TRANSLATION: no valid translation for the address")
        #expect(run.output.contains("smmuctl translate --capture DIR --sid 32 --iova 0xdead0000 "), "\(run.output)")
        let json = try Run(["explain", "--json", "4"]).json()
        #expect(json["event"] == "C_BAD_STE" && json["atFault"]?[0] == "guest")
        #expect(json["told"] == nil && json["walk"] == nil)
    }

    @Test("With a capture the walk is shown, up to where it fails") func walk() throws {
        let directory = try CaptureFixtures.directory(named: "lin-4k-nested")
        let words = ["0x0000009800000013", "0x0000020800000000", "0x0000000040009000"]
        let run = try Run(["explain"] + words + ["--capture", directory])
        #expect(run.status == 0)
        #expect(run.output.contains("<- F_PERMISSION"), "\(run.output)")
        #expect(run.output.contains("lin-4k-nested: stream 152, unprivileged read at 0x40009000"))
        let json = try Run(["explain", "--json", "--capture", directory] + words).json()
        #expect(json["walk"]?["result"]?["event"] == "F_PERMISSION")
    }

    @Test("The access of a record is what its fields say, and nothing for fields that it lacks") func access() {
        var record = fault(at: 0x1000)
        record.words[1] |= UInt64(1) << 34
        #expect(Transaction(record).write && !Transaction(record).instruction)
        record.read = true
        #expect(Transaction(record).instruction && !Transaction(record).write)
        var bad = EventRecord(.badSubstreamID, stream: StreamID(8))
        bad.badSubstreamID = SubstreamID(7)
        #expect(Transaction(bad).substreamID == SubstreamID(7))
        #expect(Transaction(bad).address == 0 && !Transaction(bad).write)
    }

    @Test(
        "Words or --last",
        arguments: [["explain"], ["explain", "--last", "4"], ["explain", "--vm", "a"], ["explain", "z"]])
    func usage(arguments: [String]) throws {
        #expect(try Run(arguments).status == 64)
    }

    @Test("The newest fault that a broker remembers is explained with the installed STE") func newest() throws {
        let harness = try BrokerHarness()
        let none = try Run(["explain", "--last", "--socket", harness.adminPath])
        #expect(none.status == 4)
        #expect(none.error.hasPrefix("Failed to explain the newest fault: the broker remembers none."))
        let guest = try Guest.translating(harness)
        for address in [0xdead_0000, 0xbeef_0000] as [UInt64] { #expect(try guest.translate(address).recorded) }
        // What a session tells is remembered soon after it is answered.
        var json: JSONValue = .null
        let deadline = ContinuousClock.now + .seconds(30)
        while json["told"]?["iova"]?.uint64 != 0xbeef_0000 || json["ste"]?.isNull != false, .now < deadline {
            let run = try Run(["explain", "--last", "--json", "--socket", harness.adminPath])
            if run.status == 0 { json = try run.json() }
        }
        #expect(json["event"] == "F_TRANSLATION")
        #expect(json["ste"]?["state"] == "translate")
        #expect(json["ste"]?["summary"]?.string?.hasPrefix("stage 1 only: one CD at 0x") == true, "\(json.text())")
        #expect(json["live"]?["memory"] == .bool(true) && json["live"]?["problem"]?.isNull == true)
        #expect(json["live"]?["walk"]?["result"]?["event"] == "F_TRANSLATION", "\(json.text())")
        let other = try Run(["explain", "--last", "--vm", "nobody", "--socket", harness.adminPath])
        #expect(other.status == 4)
        #expect(other.error.contains("none of VM nobody"))
    }

    /// Runs until what a session tells has been remembered.
    private func run(_ arguments: [String], until text: String) throws -> Run {
        var run = try Run(arguments)
        let deadline = ContinuousClock.now + .seconds(30)
        while !run.output.contains(text), .now < deadline { run = try Run(arguments) }
        return run
    }

    @Test("The walk is shown up to where it fails, with what was invalidated before the fault") func live() throws {
        let harness = try BrokerHarness()
        let guest = try Guest.translating(harness)
        _ = try guest.broker.invalidate([.tlbi(.tlbiNHVA, asid: 1, address: 0x20_0000), .sync()], on: guest.vsmmu)
        let reply = try guest.translate(0x20_0000)
        #expect(reply.recorded)
        let last = try run(
            ["explain", "--last", "--socket", harness.adminPath], until: "by the tables as they are now")
        for text in [
            "The guest invalidated this address ", " before the fault (TLBI_NH_VA ASID 1, 0x200000)",
            "stage 1: TT0, 4K granule", "invalid  bit 0 is 0  <- F_TRANSLATION",
        ] { #expect(last.output.contains(text), "\(text): \(last.output)") }
        // The words of the record do as well, where the VM is named.
        let words = (0..<4).map { reply.event.words[$0].hexWord }
        let named = try Run(["explain"] + words + ["--vm", "guest", "--socket", harness.adminPath])
        #expect(named.status == 0)
        #expect(named.output.contains("<- F_TRANSLATION"), "\(named.output)")
        let missing = try Run(["explain"] + words + ["--vm", "nobody", "--socket", harness.adminPath])
        #expect(missing.status == 4)
        // The guest repairs its tables: the same access goes through now.
        guest.map(iova: 0x20_0000, toPageAt: 0x2_0000)
        let repaired = try Run(["explain", "--last", "--json", "--socket", harness.adminPath]).json()
        #expect(repaired["live"]?["walk"]?["result"]?["kind"] == "translated", "\(repaired.text())")
        #expect(
            repaired["live"]?["standsOut"]?.array?.contains { $0.string?.contains("translate this access now") == true }
                == true)
    }

    @Test("A session that has ended is said to be gone, and its fault is explained all the same") func gone() throws {
        let harness = try BrokerHarness()
        do {
            let guest = try Guest.translating(harness)
            let events = try guest.broker.subscribe()
            #expect(try guest.translate(0x20_0000).recorded)
            // Who has been told of it has been told after the monitors.
            _ = try events.next(waitingAtMost: 60_000)
        }
        let run = try run(["explain", "--last", "--socket", harness.adminPath], until: "its session has ended")
        #expect(run.status == 0)
        #expect(run.output.contains("its session has ended"), "\(run.output)")
    }

    @Test("Without a broker --last says so") func noBroker() throws {
        let run = try Run(["explain", "--last", "--socket", "/nonexistent/a.sock"])
        #expect(run.status == 3)
        #expect(run.error.hasPrefix("Failed to explain the newest fault: no broker listens"))
    }
}

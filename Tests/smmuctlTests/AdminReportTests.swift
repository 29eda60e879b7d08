import ArgumentParser
import BrokerClient
import BrokerHarness
import Foundation
import JSON
import SMMUv3
import Testing
import Wire

@testable import smmuctl

/// What the verbs print that ask a running broker, without one.
@Suite struct AdminReportTests {
    private static func session(_ id: UInt64, vm: String?, busy: UInt64 = 0) -> AdminSession {
        var counters = AdminCounters()
        (counters.commands, counters.events, counters.stesInstalled) = (12, 3, 2)
        return AdminSession(
            id: id, vm: vm.flatMap { Name($0) }, grant: Name("vms"), pid: 77, uid: 1000, vsmmus: 1, contexts: 1,
            maps: 2, mappedBytes: 3 << 29, busyNanoseconds: busy, counters: counters)
    }

    private static let context = AdminContext(
        vsmmu: VSMMUID(1), vsid: StreamID(8), device: Name("disk:0"), smmu: Name("smmu0"),
        physicalStream: StreamID(17), state: .translate, flags: .vsmmuEnabled, health: .healthy, events: 3,
        stesInstalled: 2, word0: 0x4000_000b, word1: 0)

    @Test("The list is a table with a header, and ends with the number of sessions") func list() {
        let report = SessionListReport(sessions: [
            Self.session(3, vm: "web1"), Self.session(12, vm: nil, busy: 65_000_000_000),
        ])
        #expect(
            report.text(.plain) == """
                SESSION  VM    PID  GRANT  VSMMUS  DEVICES  MEMORY    COMMANDS  EVENTS  HEALTH  STATE
                3        web1  77   vms    1       1        1536 MiB  12        3       good    ready
                12       -     77   vms    1       1        1536 MiB  12        3       good    busy for 1 min 5 s

                2 sessions.
                """)
        #expect(SessionListReport(sessions: []).text(.plain) == "0 sessions.")
        #expect(SessionListReport(sessions: []).text(.plain, legend: false).isEmpty)
        #expect(report.text(.plain, legend: false).hasPrefix("3  "))
        #expect(report.text(Style(colour: true)).contains("\u{1b}[31m"))
    }

    @Test("A session is shown with its counters and devices") func show() {
        var failed = Self.context
        failed.flags = [.vsmmuFailed]
        let shown = AdminClient.Shown(session: Self.session(3, vm: "web1"), contexts: [Self.context, failed])
        let text = SessionReport(shown: shown).text(.plain)
        #expect(text.hasPrefix("Session 3: web1\n"))
        #expect(text.contains("\n  STEs installed      2\n"), "\(text)")
        #expect(text.contains("\ndisk:0  1      8     smmu0  17      translate "), "\(text)")
        #expect(text.contains("abort: vSMMU failed"))
        #expect(text.hasSuffix("\n\n2 devices."))
        let json = SessionReport(shown: shown).json
        #expect(json["counters"]?["commands"]?.uint64 == 12)
        #expect(json["devices"]?[0]?["ste"]?[0]?.uint64 == 0x4000_000b)
    }

    @Test("A fault is a line that says when, who, what and where") func event() {
        var record = EventRecord(.translation, stream: StreamID(8))
        record.substreamID = SubstreamID(5)
        record.words[2] = 0x1000
        let event = MonitorEvent(
            sequence: EventSequence(4), time: 1_700_000_000_000_001_000, session: 3, vsmmu: VSMMUID(1),
            generation: Generation(0), vsid: StreamID(8), vm: Name("web1"), device: nil, record: record)
        #expect(
            EventLine.text(event, .plain)
                == "2023-11-14T22:13:20.000001Z  web1  -  F_TRANSLATION  vsid 8  ssid 5  write at 0x1000"
                + "  (no valid translation for the address)")
        let json = EventLine.json(event)
        #expect(json["event"]?.string == "F_TRANSLATION")
        #expect(json["iova"]?.uint64 == 0x1000)
        #expect(json["device"]?.isNull == true)
        #expect(EventLine.json(lost: MonitorLoss(faults: 9))["count"]?.uint64 == 9)
    }

    @Test("Every notice is a sentence", arguments: MonitorNotice.Kind.allCases) func notice(kind: MonitorNotice.Kind) {
        let notice = MonitorNotice(kind, session: 3, time: 0)
        let line = EventLine.text(notice, .plain)
        #expect(line.hasPrefix("1970-01-01T00:00:00.000000Z  session 3  "))
        #expect(EventLine.json(notice)["kind"]?.string == "\(kind)")
    }

    @Test(
        "Times are those of the calendar",
        arguments: [
            (0, "1970-01-01T00:00:00.000000Z"), (951_782_399, "2000-02-28T23:59:59.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"), (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
        ] as [(UInt64, String)])
    func timestamp(seconds: UInt64, text: String) {
        #expect(EventLine.timestamp(seconds * 1_000_000_000) == text)
    }

    @Test("Sizes and durations are for people") func units() {
        #expect(
            [0, 1023, 1024, 1536, 10 << 10, 1 << 40].map(size) == [
                "0 B", "1023 B", "1 KiB", "1536 B", "10 KiB", "1 TiB",
            ])
        #expect(
            [5, 59, 60, 3661, 90_000].map { duration($0 * 1_000_000_000) }
                == ["5 s", "59 s", "1 min 0 s", "1 h 1 min", "1 d 1 h"])
        #expect(duration(7_000_000) == "7 ms")
    }

    @Test("A refusal has the exit status of what it means") func statuses() {
        let unknown = Failure(BrokerError(Status(2), reasonCode: Reason.unknownSession.rawValue, "None."), "show 9")
        #expect(unknown.status == .noSuchObject)
        #expect(Failure(connecting: BrokerError(Status(111), "x"), "list", "/s").status == .notRunning)
        #expect(Failure(connecting: BrokerError(Status(13), "x"), "list", "/s").status == .failure)
        #expect(Failure(BrokerError(Status(32), "x"), "list").status == .notRunning)
    }

    @Test("The manual page names every verb and every option") func manualPage() throws {
        let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/man/smmuctl.1")
        let text = try String(contentsOf: page, encoding: .utf8)
        for verb in SmmuCtl.configuration.subcommands {
            let name = verb.configuration.commandName ?? "\(verb)".lowercased()
            #expect(text.contains(".It Cm \(name)"), "\(name)")
        }
        for option in [
            "socket", "json", "no\\-legend", "follow", "vm", "faults", "help", "version", "backend", "root", "last",
            "capture", "interval", "sort", "once", "output",
        ] {
            #expect(text.contains(".It Fl \\-\(option)"), "\(option)")
        }
    }
}

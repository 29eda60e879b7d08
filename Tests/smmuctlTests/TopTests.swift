import BrokerClient
import BrokerHarness
import CaptureFixtures
import Foundation
import JSON
import LinuxSystem
import SMMUv3
import Testing
import Wire

@testable import smmuctl

/// What `top` works out and shows.
@Suite struct TopTests {
    private func session(
        _ id: UInt64, _ vm: String, requests: UInt64, events: UInt64 = 0, busy: UInt64 = 0, pid: UInt32 = 7,
        devices: [(Name, UInt64)] = []
    ) -> AdminClient.Shown {
        var counters = AdminCounters()
        (counters.requests, counters.commands, counters.stesInstalled) = (requests, 2 * requests, 3 * requests)
        (counters.events, counters.eventsLost) = (events, events / 2)
        let contexts = devices.enumerated().map { index, device in
            AdminContext(
                vsmmu: VSMMUID(1), vsid: StreamID(UInt32(index)), device: device.0, smmu: Name("smmu0"),
                physicalStream: StreamID(17), state: .translate, flags: .vsmmuEnabled, health: .healthy,
                events: device.1, stesInstalled: 2 * device.1, word0: 0, word1: 0)
        }
        return AdminClient.Shown(
            session: AdminSession(
                id: id, vm: Name(vm), grant: nil, pid: pid, uid: 0, vsmmus: 1, contexts: UInt32(contexts.count),
                maps: 0,
                mappedBytes: 0, busyNanoseconds: busy, counters: counters),
            contexts: contexts)
    }

    private func snapshot(_ milliseconds: UInt64, _ sessions: [AdminClient.Shown]) -> Snapshot {
        Snapshot(time: MonotonicTime(nanoseconds: milliseconds * 1_000_000), sessions: sessions)
    }

    @Test("A rate is what was counted between two looks, by the time between them") func rates() throws {
        let old = snapshot(1000, [session(1, "web", requests: 100, devices: [("disk0", 5)])])
        let new = snapshot(
            3000, [session(1, "web", requests: 150, events: 8, devices: [("disk0", 9), ("net0", 1)])])
        let rates = Rates(from: old, to: new)
        #expect(rates.interval == 2)
        let first = try #require(rates.sessions.first)
        #expect([first.requests, first.commands, first.stes, first.events, first.lost] == [25, 50, 75, 4, 2])
        #expect(first.devices.map(\.events) == [2, 0.5])
        #expect(first.devices.map(\.stes) == [4, 1])
    }

    @Test("Who is new began at 0, who has gone is left out, and nothing goes below 0") func changes() {
        let old = snapshot(0, [session(1, "gone", requests: 9), session(2, "a", requests: 90)])
        // The broker has been started anew: other processes, and counters that went back.
        let new = snapshot(
            1000, [session(2, "b", requests: 10, pid: 8), session(3, "new", requests: 4)])
        #expect(Rates(from: old, to: new).sessions.map(\.requests) == [10, 4])
        let reset = snapshot(1000, [session(2, "a", requests: 10)])
        #expect(Rates(from: old, to: reset).sessions.map(\.requests) == [10])
        let sameTime = Rates(from: old, to: snapshot(0, [session(2, "a", requests: 100)]))
        #expect(sameTime.sessions.map(\.requests) == [0])
    }

    @Test(
        "Sorted by any column, the largest first",
        arguments: [
            (.vm, [2, 3, 1]), (.requests, [3, 1, 2]), (.commands, [3, 1, 2]), (.stes, [3, 1, 2]), (.events, [1, 2, 3]),
            (.lost, [1, 2, 3]), (.busy, [2, 1, 3]),
        ] as [(RateColumn, [UInt64])])
    func sorting(column: RateColumn, order: [UInt64]) {
        let new = snapshot(
            1000,
            [
                session(1, "c", requests: 5, events: 10), session(2, "a", requests: 1, busy: 5),
                session(3, "b", requests: 9),
            ])
        var rates = Rates(from: snapshot(0, []), to: new)
        rates.sort(by: column)
        #expect(rates.sessions.map(\.id) == order)
    }

    @Test("Devices stand below their session, sorted too") func table() {
        let new = snapshot(
            1000,
            [session(12, "web1", requests: 3000, busy: 2_000_000_000, devices: [("disk0", 0), ("net0", 250)])])
        var rates = Rates(from: snapshot(0, []), to: new)
        rates.sort(by: .events)
        let lines = RatesReport(rates: rates).lines(.plain)
        #expect(
            lines == [
                "1 session, rates per second over 1.0 s", "",
                "SESSION  VM    DEVICE  REQUESTS  COMMANDS  STES  EVENTS  LOST  BUSY",
                "12       web1          3000      6000      9000  0.0     0.0   2 s",
                "               net0                        500   250",
                "               disk0                       0.0   0.0",
            ])
        #expect(RatesReport(rates: rates).lines(.plain, rows: 3).count == 3)
        #expect(RatesReport(rates: rates).lines(Style(colour: true))[3].contains("\u{1b}[31m"))
        let none = RatesReport(rates: Rates(from: snapshot(0, []), to: snapshot(500, [])))
        #expect(none.lines(.plain) == ["0 sessions, rates per second over 0.5 s"])
        #expect(none.json["sessions"] == [])
    }

    @Test("Numbers are short and never wrong about 0") func numbers() {
        #expect(
            [0, 0.01, 0.1, 9.96, 99.94, 99.95, 12345.4, .infinity, .nan].map(RatesReport.number)
                == ["0.0", "<0.1", "0.1", "10.0", "99.9", "100", "12345", "-", "-"])
    }

    @Test(
        "An interval is a time between a tenth of a second and an hour",
        arguments: [("1", 1000), ("0.1", 100), ("2.5", 2500), ("3600", 3_600_000)] as [(String, UInt64)])
    func interval(text: String, milliseconds: UInt64) {
        #expect(Seconds(argument: text)?.milliseconds == milliseconds)
        #expect(Seconds(argument: text)?.description == text)
    }

    @Test("Other intervals are refused", arguments: ["0", "0.01", "3601", "nan", "inf", "-1", "1e3", "0x1", "", "."])
    func wrongInterval(text: String) { #expect(Seconds(argument: text) == nil) }

    @Test("Beside a broker one interval is shown, as a table and as JSON") func once() throws {
        let harness = try BrokerHarness()
        let guest = try Guest(harness)
        let arguments = ["top", "--once", "--interval", "0.1", "--socket", harness.adminPath]
        let table = try Run(arguments)
        #expect(table.status == 0, "\(table.error)")
        #expect(table.lines.first?.hasPrefix("1 session, rates per second over 0.") == true, "\(table.output)")
        let json = try Run(arguments + ["--json", "--sort", "events"]).json()
        #expect(json["sessions"]?.array?.count == 1)
        #expect(try #require(json["interval"]?.double) >= 0.1)
        withExtendedLifetime(guest) {}
    }

    @Test("On a terminal it is drawn on the alternate screen, q ends it, and all is as it was before") func live()
        throws
    {
        let harness = try BrokerHarness()
        let command = "'\(Run.smmuctl)' top --interval 0.1 --socket '\(harness.adminPath)'; echo \"status $?\"; stty -a"
        // What is typed comes after the first picture has been drawn, or waits for it.
        let run = try Run(
            program: "/bin/sh", ["-c", "(printf q; cat) | timeout -k 5 60 script -qec \"$0\" /dev/null", command])
        #expect(run.output.contains("\u{1b}[?1049h") && run.output.contains("\u{1b}[?1049l"), "\(run.output)")
        #expect(run.output.contains("status 0"), "\(run.output)")
        #expect(run.output.contains(" icanon") && run.output.contains(" echo "), "\(run.output)")
    }

    @Test("Without a broker, and with wrong options, it says so") func failures() throws {
        #expect(try Run(["top", "--socket", "/nonexistent/a.sock"]).status == 3)
        #expect(try Run(["top", "--sort", "colour"]).status == 64)
        #expect(try Run(["top", "--interval", "0"]).status == 64)
    }

    @Test("Metrics go into a file as a whole, or nowhere") func metricsFile() throws {
        let harness = try BrokerHarness()
        let directory = try CaptureFixtures.scratchDirectory()
        let file = "\(directory)/smmu.prom"
        try Data("old".utf8).write(to: URL(fileURLWithPath: file))
        let run = try Run(["metrics", "--output", file, "--socket", harness.adminPath])
        #expect((run.status, run.output) == (0, ""))
        #expect(try String(contentsOfFile: file, encoding: .utf8).hasSuffix("# EOF\n"))
        let attributes = try FileManager.default.attributesOfItem(atPath: file)
        #expect(attributes[.posixPermissions] as? Int == 0o644)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.contains(".prom") }.count == 1)
        let wrong = try Run(["metrics", "--output", "\(directory)/none/x", "--socket", harness.adminPath])
        #expect(wrong.status == 1)
        #expect(wrong.error.hasPrefix("Failed to write "))
    }
}

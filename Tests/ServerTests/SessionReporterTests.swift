import BrokerCore
import BrokerHarness
import SMMUv3
import Server
import Systemd
import Testing
import Wire

/// Faults go to the monitors many at a time, and nothing changes its place because of that.
@Suite struct SessionReporterTests {
    /// Remembers what it is given, call by call: numbers of faults, and nil for a notice.
    private final class Sink: FaultSink {
        private let shared = Shared<[[UInt64?]]>([])
        var calls: [[UInt64?]] { shared.value }

        func publish(_ records: [MonitorRecord]) {
            shared.value.append(
                records.map { if case .event(let event) = $0 { event.sequence.rawValue } else { nil } })
        }
        func publish(_ notice: SessionNotice, of session: SessionID, vm: Name?) { shared.value.append([nil]) }
    }

    private func report(_ body: (SessionReporter) -> Void) throws -> [[UInt64?]] {
        let thread = try JournalThread.start(writingTo: CollectedJournal())
        let sink = Sink()
        do {
            let reporter = SessionReporter(
                SessionID(1), PeerIdentity(pid: 1, uid: 0, gid: 0), queue: thread.journal.makeQueue(session: 1),
                share: JournalShare(), monitors: sink)
            body(reporter)
        }
        _ = thread.stop(withinMilliseconds: 60_000)
        return sink.calls
    }

    private func fault(_ number: UInt64) -> ObservedFault {
        ObservedFault(
            session: SessionID(1), vm: "vm", vsmmu: VSMMUID(1), generation: Generation(0),
            sequence: EventSequence(number), record: EventRecord(.translation, stream: StreamID(8)), device: "disk",
            journal: false, suppressed: 0)
    }

    @Test("They are kept until there are no more for now") func kept() throws {
        let calls = try report { reporter in
            for number: UInt64 in 0..<3 { reporter.sawFault(fault(number)) }
            reporter.sawAllFaults()
            reporter.sawAllFaults()
            reporter.sawFault(fault(3))
            reporter.sawAllFaults()
        }
        #expect(calls == [[0, 1, 2], [3]])
    }

    @Test("A notice comes behind the faults that were before it") func order() throws {
        let calls = try report { reporter in
            reporter.sawFault(fault(0))
            reporter.saw(.lostEvents(vsmmu: VSMMUID(1), count: 7))
            reporter.sawFault(fault(8))
            reporter.sawAllFaults()
        }
        #expect(calls == [[0], [nil], [8]])
    }

    @Test("Not too many are kept, and none when the session goes") func bounded() throws {
        let calls = try report { reporter in
            for number: UInt64 in 0..<130 { reporter.sawFault(fault(number)) }
        }
        #expect(calls.map(\.count) == [64, 64, 2])
        #expect(calls.flatMap { $0 } == (0..<130 as Range<UInt64>).map { $0 })
    }
}

import BrokerCore
import BrokerHarness
import EventLoop
import SMMUv3
import Server
import Testing
import Wire

/// What operators see of sessions that are made up.
@Suite struct AdminRecordsTests {
    private static let noTime = TurnTime(begin: Instant(nanoseconds: 0), end: Instant(nanoseconds: 0))

    private func handle(_ id: UInt64) throws -> SessionHandle {
        SessionHandle(
            id: SessionID(id), peer: PeerIdentity(pid: 1, uid: 2, gid: 3), grant: "vms", poster: try EventLoop().poster)
    }

    @Test("A session in a call that blocks is shown as such, with what it published before") func busy() throws {
        let handle = try handle(5)
        var snapshot = SessionSnapshot(id: SessionID(5), vm: Name("vm"), pid: 1, uid: 2)
        snapshot.counters.commands = 9
        handle.endTurn(snapshot, Self.noTime, contexts: nil) { _, _ in }
        #expect(AdminSession(handle, at: Instant(nanoseconds: 50)).busyNanoseconds == 0)
        handle.beginTurn(at: Instant(nanoseconds: 100))
        let session = AdminSession(handle, at: Instant(nanoseconds: 2_000_000_100))
        #expect(session.busyNanoseconds == 2_000_000_000)
        #expect(session.isStuck)
        #expect(session.counters.commands == 9)
        // The clock of whoever asks may have been read before the turn began.
        #expect(AdminSession(handle, at: Instant(nanoseconds: 10)).busyNanoseconds == 1)
    }

    @Test("Metrics are OpenMetrics: a type before each sample, totals of all, an end") func metrics() throws {
        let table = SessionTable()
        let handles = [try handle(1), try handle(2)]
        for handle in handles {
            var snapshot = SessionSnapshot(id: handle.id, vm: Name("vm-\(handle.id)"), pid: 1, uid: 2)
            snapshot.counters.commands = 100
            handle.endTurn(snapshot, Self.noTime, contexts: nil) { _, _ in }
            table.insert(handle)
        }
        table.remove(SessionID(1))
        var status = AdminStatusReply()
        status.startedNanoseconds = 1_700_000_000_007_000_000
        var metrics = Metrics(status, table, at: Instant(nanoseconds: 0))
        let text = metrics.finish()
        let lines = text.split(separator: "\n").map(String.init)
        #expect(lines.last == "# EOF")
        #expect(lines.contains("smmu_broker_commands_total 200"))
        #expect(lines.contains("smmu_broker_session_commands_total{session=\"2\",vm=\"vm-2\"} 100"))
        #expect(!text.contains("vm-1"))
        #expect(lines.contains("smmu_broker_start_time_seconds 1700000000.007000000"))
        var family = ""
        var seen: Set<String> = []
        for line in lines.dropLast() {
            let words = line.split(separator: " ").map(String.init)
            if words[1] == "TYPE" {
                family = words[2]
                #expect(seen.insert(family).inserted, "\(family) twice")
            } else if words[0] != "#" {
                #expect(line.hasPrefix(family), "\(line) is not of \(family)")
            }
        }
    }
}

import BrokerClient
import BrokerCore
import BrokerHarness
import EventLoop
import LinuxSystem
import SMMUv3
import Server
import Testing
import Wire

/// What is counted, as OpenMetrics text.
@Suite struct MetricsTests {
    private func session(_ id: UInt64, contexts: Int = 0) throws -> SessionHandle {
        let handle = SessionHandle(
            id: SessionID(id), peer: PeerIdentity(pid: 1, uid: 2, gid: 3), grant: "vms", poster: try EventLoop().poster)
        var snapshot = SessionSnapshot(id: handle.id, vm: Name("vm-\(id)"), pid: 1, uid: 2)
        (snapshot.counters.requests, snapshot.counters.batches) = (1, 1)
        var tallies = SessionTallies()
        tallies.opcodes[Command.Opcode.tlbiNHVA.place] = 7
        tallies.events[EventID.translation.place] = 5
        var stalls = LatencyHistogram()
        stalls.record(nanoseconds: 3_000_000)
        let all = (0..<contexts).map { number in
            var context = ContextSnapshot(
                vsmmu: VSMMUID(1), vsid: StreamID(UInt32(number)), device: Name("disk:\(number)") ?? "disk",
                smmu: "smmu0", physicalStream: StreamID(1), state: .translate, illegal: false, vsmmuEnabled: true,
                vsmmuFailed: false, health: ContextHealth(), events: 3, stesInstalled: 1, word0: 0, word1: 0)
            context.stalls = stalls
            return context
        }
        let time = TurnTime(
            begin: Instant(nanoseconds: 1000), end: Instant(nanoseconds: 6000), eventsWaited: 70_000)
        handle.endTurn(snapshot, time, contexts: all) { published, _ in published = tallies }
        return handle
    }

    @Test("Kinds, latencies and stalls are there, of sessions that have ended too") func content() throws {
        let table = SessionTable()
        for id in [1, 2] as [UInt64] { table.insert(try session(id, contexts: 1)) }
        table.remove(SessionID(1))
        var made = Metrics(AdminStatusReply(), table, at: Instant(nanoseconds: 0))
        let metrics = try OpenMetrics(made.finish())
        #expect(metrics.value("commands_by_opcode_total", ["opcode": "TLBI_NH_VA"]) == 14)
        #expect(metrics.value("events_by_kind_total", ["kind": "F_TRANSLATION"]) == 10)
        #expect(metrics.value("events_by_kind_total", ["kind": "other"]) == 0)
        let mine = ["session": "2", "vm": "vm-2"]
        #expect(
            metrics.value("session_commands_by_opcode_total", mine.merging(["opcode": "TLBI_NH_VA"]) { $1 }) == 7)
        #expect(metrics.value("request_seconds_count", ["type": "commands"]) == 2)
        #expect(metrics.value("request_seconds_sum", ["type": "commands"]) == 0.00001)
        #expect(metrics.value("request_seconds_bucket", ["type": "commands", "le": "0.000004096"]) == 0)
        #expect(metrics.value("request_seconds_bucket", ["type": "commands", "le": "0.000008192"]) == 2)
        #expect(metrics.value("event_delivery_seconds_count") == 2)
        let device = mine.merging(["device": "disk:0"]) { $1 }
        #expect(metrics.value("context_stall_seconds", device.merging(["quantile": "1"]) { $1 }) == 0.003)
        #expect(metrics.value("context_stall_seconds_count", device) == 1)
    }

    @Test("64 sessions of 64 devices: no step writes more than its bound, and together they write all") func steps()
        throws
    {
        let table = SessionTable()
        for id in 1...64 as ClosedRange<UInt64> { table.insert(try session(id, contexts: 64)) }
        var metrics = Metrics(AdminStatusReply(), table, at: Instant(nanoseconds: 0))
        var (before, steps, most) = (0, 0, 0)
        var isUnfinished = true
        while isUnfinished {
            isUnfinished = metrics.step()
            let lines = metrics.text.utf8.count { $0 == 10 }
            (most, before, steps) = (max(most, lines - before), lines, steps + 1)
        }
        // The rest of one session, and the two lines at the head of a family for each of those that are begun.
        let bound = Metrics.samplesInStep + 6 * 64 + 2 * 64
        #expect(most <= bound)
        #expect(steps > 40)
        #expect(metrics.isComplete && !metrics.step())
        let read = try OpenMetrics(metrics.text)
        #expect(read.families["smmu_broker_context_events"]?.samples.count == 64 * 64)
        #expect(read.families["smmu_broker_context_stall_seconds"]?.samples.count == 64 * 64 * 5)
    }

    @Test("A daemon's text is valid, and counts what its guests did") func daemon() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let guests = try (0..<3).map { _ in try Guest.translating(harness) }
        for guest in guests {
            _ = try guest.broker.invalidate([.tlbi(.tlbiNHASID, asid: 5), .sync()], on: guest.vsmmu)
            _ = try guest.broker.setSTE(guest.stage1, of: Guest.vsid, on: guest.vsmmu)
            _ = try guest.translate(0x40_0000)
        }
        let admin = try AdminClient(connectingTo: harness.adminPath)
        var read: OpenMetrics?
        #expect(
            try eventually {
                read = try OpenMetrics(try admin.metrics())
                return read?.value("events_by_kind_total", ["kind": "F_TRANSLATION"]) == 3
                    && read?.samples.count { $0.name == "smmu_broker_context_events_total" && $0.value == 1 } == 3
            }, "\(String(describing: read?.samples))")
        #expect(read?.value("commands_by_opcode_total", ["opcode": "TLBI_NH_ASID"]) == 3)
        #expect(read?.value("request_seconds_count", ["type": "commands"]) == 3)
        #expect(read?.value("request_seconds_count", ["type": "ste_set"]) == 3)
        #expect(read?.value("sessions") == 3)
    }
}

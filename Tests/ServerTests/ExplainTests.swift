import Backends
import BrokerClient
import BrokerCore
import BrokerHarness
import Configuration
import LinuxSystem
import SMMUv3
import Server
import Systemd
import Testing
import Wire

/// EXPLAIN, over the admin socket of a daemon.
@Suite struct ExplainTests {
    private func admin(_ harness: BrokerHarness) throws -> AdminClient {
        let client = try AdminClient(connectingTo: harness.adminPath)
        client.timeout = 60_000
        return client
    }

    private func ask(_ guest: Guest, _ iova: UInt64, _ session: UInt64 = 1, vsid: StreamID = Guest.vsid)
        -> AdminExplainRequest
    {
        AdminExplainRequest(session: session, vsmmu: guest.vsmmu, vsid: vsid, iova: IOVA(iova))
    }

    @Test("The context, its STE, the last invalidations and the words of the walk") func known() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let guest = try Guest.translating(harness)
        _ = try guest.broker.invalidate(
            [.tlbi(.tlbiNHVA, asid: Guest.asid, address: 0x20_0000), .sync()], on: guest.vsmmu)
        let admin = try admin(harness)
        let session = try #require(try admin.sessions().first?.id)
        let known = try admin.explain(ask(guest, 0x20_0000, session))
        #expect(known.reply.flags == [.entry, .memory])
        #expect(known.reply.ste == guest.stage1)
        #expect(known.reply.context.vsid == Guest.vsid && known.reply.context.state == .translate)
        #expect(known.invalidations.first?.first.opcode == .tlbiNHVA)
        #expect(known.invalidations.first?.first.address == 0x20_0000 && known.invalidations.first?.count == 1)
        // The STE, the CD, and at least the table at which the walk ends.
        #expect(known.words.count > 16 && known.words.count <= AdminLimits.words)
        #expect(known.words.contains { $0.value == guest.load(0x3000) })
        // Nothing of it is an event, or in the way of one.
        #expect(try guest.translate(0x20_0000).recorded)
        #expect(try eventually { try admin.show(session).session.counters.events == 1 })
    }

    @Test("What there is not is told: no session, no context") func unknown() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let guest = try Guest.translating(harness)
        let admin = try admin(harness)
        let session = try #require(try admin.sessions().first?.id)
        let noSession = #expect(throws: BrokerError.self) { try admin.explain(ask(guest, 0, session + 99)) }
        #expect(noSession?.reason == .unknownSession)
        let noContext = #expect(throws: BrokerError.self) {
            try admin.explain(ask(guest, 0, session, vsid: StreamID(77)))
        }
        #expect(noContext?.reason == .unknownVSID)
        // The connection goes on.
        #expect(try admin.status().reply.sessions == 1)
    }

    @Test("I6: a session in a call that blocks keeps its operator a second, and nobody else at all") func stuck() throws
    {
        let blocked = try Promise<Void>()
        let release = try Promise<Void>()
        let harness = try BrokerHarness(backend: { descriptors in
            let backend = FaultyBackend(wrapping: ModelBackend(descriptors: descriptors))
            backend.observer = { call in
                guard call == .resynchronize else { return }
                blocked.keep(())
                release.wait()
            }
            return backend
        })
        defer { harness.stop() }
        let guest = try Guest.translating(harness)
        let (admin, other) = (try admin(harness), try admin(harness))
        let session = try #require(try admin.sessions().first?.id)
        let reset = VSMMURequest(vsmmu: guest.vsmmu)
        let packet = guest.raw.packet { reset.encode(as: .vsmmuReset, Cookie(99), into: &$0) }
        #expect(try guest.raw.send(packet))
        blocked.wait()
        let busy = #expect(throws: BrokerError.self) { try admin.explain(ask(guest, 0, session)) }
        #expect(busy?.status == .busy)
        #expect(busy?.text.contains("in a call that blocks") == true)
        #expect(try other.status().reply.sessions == 1)
        release.keep(())
        #expect(try guest.raw.receive() != nil)
        #expect(eventually { (try? admin.explain(ask(guest, 0, session))) != nil })
    }

    @Test("An operator that goes away while it waits takes nothing along") func hangUp() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let guest = try Guest.translating(harness)
        for _ in 0..<8 {
            let leaver = try admin(harness)
            leaver.timeout = 0
            _ = try? leaver.explain(ask(guest, 0))
        }
        let admin = try admin(harness)
        let session = try #require(try admin.sessions().first?.id)
        #expect(try admin.explain(ask(guest, 0, session)).reply.context.vsid == Guest.vsid)
    }

    @Test("P29: transactions that are stalled when the VMM goes away are ended") func stalled() throws {
        let calls = Shared<[FaultyBackend.Call]>([])
        var (settings, configuration) = (SMMUSettings(), Configuration.open())
        settings.stalls = true
        let smmu = settings.smmu(named: "model0")
        let device = HostDevice(name: "stalling0", smmu: smmu, streamID: StreamID(5))
        configuration.smmus = [smmu]
        configuration.devices = [DeviceDefinition(device: device, isTemplate: false, instances: 1)]
        let harness = try BrokerHarness(
            configuration,
            backend: { descriptors in
                let backend = FaultyBackend(wrapping: ModelBackend(descriptors: descriptors))
                backend.observer = { calls.value += [$0] }
                return backend
            })
        defer { harness.stop() }
        do {
            let guest = try Guest.attached(harness, device: "stalling0")
            guest.map(iova: 0x10_0000, toPageAt: 0x1_0000)
            // CD.S: faults stall.
            guest.store(guest.load(0x3000) | 1 << 44, at: 0x3000)
            try guest.enable()
            #expect(try guest.translate(0x20_0000).stage1 == .stalled)
            #expect(eventually { harness.table.all.first?.snapshot.counters.events == 1 })
        }
        #expect(eventually { harness.table.all.isEmpty })
        #expect(calls.value.contains(.terminateStalls))
    }

    @Test("The journal says what was installed and invalidated when a device faulted") func journal() throws {
        let harness = try BrokerHarness()
        let guest = try Guest.translating(harness)
        _ = try guest.broker.invalidate([.tlbi(.tlbiNHASID, asid: 5)], on: guest.vsmmu)
        #expect(try guest.translate(0x20_0000).recorded)
        #expect(eventually { !harness.journal.records(of: .fault).isEmpty })
        harness.stop()
        let record = try #require(harness.journal.records(of: .fault).first)
        #expect(record["SMMU_STATE"] == "translate")
        #expect(record["SMMU_STE"]?.hasPrefix("0x4000300b ") == true, "\(record.fields)")
        #expect(record["SMMU_STE_SUMMARY"]?.hasPrefix("stage 1 only: one CD at 0x40003000") == true)
        #expect(record["SMMU_LAST_INVALIDATIONS"]?.hasPrefix("TLBI_NH_ASID ASID 5 (") == true)
        withExtendedLifetime(guest) {}
    }
}

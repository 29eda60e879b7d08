import BrokerClient
import BrokerCore
import BrokerHarness
import Configuration
import Foundation
import LinuxSystem
import SMMUv3
import Server
import Systemd
import Testing
import Wire

/// The admin socket of a daemon with sessions: what operators see, and what they change.
@Suite struct AdminTests {
    private func admin(_ harness: BrokerHarness) throws -> AdminClient {
        let client = try AdminClient(connectingTo: harness.adminPath)
        client.timeout = 60_000
        return client
    }

    /// The session's contexts, once the condition holds of them.
    private func shown(
        _ admin: AdminClient, _ condition: (AdminClient.Shown) -> Bool
    ) throws -> AdminClient.Shown {
        var last: AdminClient.Shown?
        let holds = try eventually {
            guard let session = try admin.sessions().first else { return false }
            let shown = try admin.show(session.id)
            last = shown
            return condition(shown)
        }
        #expect(holds, "\(String(describing: last))")
        return try #require(last)
    }

    @Test("STATUS, LIST and SHOW say what a guest has done") func asking() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let admin = try admin(harness)
        let idle = try admin.status()
        #expect(idle.reply.sessions == 0)
        #expect(idle.reply.version == AdminLimits.version)
        #expect(idle.reply.pid == OwnProcess.pid)
        #expect(idle.reply.epoch == Epoch(0x1234))
        #expect(idle.reply.backend == "model")

        let guest = try Guest.translating(harness)
        _ = try guest.translate(0x10_0000)
        let shown = try shown(admin) { $0.contexts.first?.state == .translate }
        #expect(shown.session.vm == "guest")
        #expect(shown.session.grant == "tests")
        #expect(shown.session.uid == getuid())
        #expect(shown.session.pid == OwnProcess.pid)
        #expect(shown.session.mappedBytes == 1 << 20)
        #expect((shown.session.vsmmus, shown.session.contexts, shown.session.maps) == (1, 1, 1))
        let context = try #require(shown.contexts.first)
        #expect(context.vsid == Guest.vsid)
        #expect(context.flags == .vsmmuEnabled)
        #expect(context.health == .healthy)
        #expect(context.word0 == guest.stage1.words[0])
        let status = try admin.status()
        #expect(status.reply.sessions == 1)
        #expect(status.reply.contexts == 1)
        #expect(status.reply.counters.requests >= 5)
        withExtendedLifetime(guest) {}
    }

    @Test("What sessions counted is still counted when they have ended") func totals() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let admin = try admin(harness)
        do {
            let guest = try Guest.attached(harness)
            withExtendedLifetime(guest) {}
        }
        #expect(try eventually { try admin.status().reply.endedSessions == 1 })
        let status = try admin.status()
        #expect(status.reply.sessions == 0)
        #expect(status.reply.counters.requests >= 4)
        let metrics = try admin.metrics()
        #expect(metrics.contains("\nsmmu_broker_ended_sessions_total 1\n"))
        #expect(metrics.contains("\nsmmu_broker_requests_total \(status.reply.counters.requests)\n"))
    }

    @Test("A fault reaches a monitor as the guest's event queue takes it") func monitor() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let admin = try admin(harness)
        let monitor = try admin.monitor(AdminMonitorRequest(flags: .follow))
        let guest = try Guest.translating(harness)
        let reply = try guest.translate(0x20_0000)
        #expect(reply.recorded)
        guard case .events(let events) = try monitor.next(waitingAtMost: 60_000) else {
            Issue.record("no event came")
            return
        }
        #expect(events.map(\.record) == [reply.event])
        #expect(events.first?.vm == "guest")
        #expect(events.first?.device != nil)
        #expect(events.first?.vsid == Guest.vsid)
        let past = try admin.monitor(AdminMonitorRequest(flags: [.history, .notices]))
        var kinds: [MonitorNotice.Kind?] = []
        var faults = 0
        loop: while true {
            switch try past.next(waitingAtMost: 60_000) {
            case .notices(let notices): kinds += notices.map(\.kind)
            case .events(let events): faults += events.count
            case .ended: break loop
            default: Issue.record("something else came")
            }
        }
        #expect(kinds.prefix(2) == [.began, .attached])
        #expect(faults == 1)
    }

    @Test("A quarantined device aborts until it is released, and the journal says who asked") func quarantine() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let admin = try admin(harness)
        let guest = try Guest.translating(harness)
        let device = try #require(try shown(admin) { !$0.contexts.isEmpty }.contexts.first?.device)
        _ = try admin.quarantine(device)
        _ = try shown(admin) { $0.contexts.first?.health == .quarantined }
        let aborted = try guest.translate(0x10_0000)
        #expect(aborted.stage1 == .abort)
        _ = try admin.release(device)
        _ = try shown(admin) { $0.contexts.first?.health == .recovered }
        let translated = try guest.translate(0x10_0000)
        #expect(translated.stage1 == .done)
        let none = #expect(throws: BrokerError.self) { try admin.quarantine("no-such-device") }
        #expect(none?.reason == .unknownDevice)
        harness.stop()
        let text = "\(harness.journal.records)"
        #expect(text.contains("asks for QUARANTINE \(device)"))
    }

    @Test("A session that is made here has what was said here, whatever the configuration grants") func create() throws
    {
        let harness = try BrokerHarness(Configuration())
        defer { harness.stop() }
        let admin = try admin(harness)
        var limits = AdminSessionCreateRequest.Limits()
        limits.memory = 1 << 20
        let pattern = try #require(AdminPattern("model*"))
        let created = try admin.createSession("made-here", devices: [pattern], limits: limits)
        let id = created.id
        let broker = try BrokerConnection(adopting: created.takeSocket())
        let hello = try broker.hello("vm")
        #expect(hello.maximumMemory == 1 << 20)
        let vsmmu = try broker.createVSMMU(on: "model").reply.vsmmu
        try broker.attach("model", to: vsmmu, as: StreamID(1))
        let shown = try shown(admin) { !$0.contexts.isEmpty }
        #expect(shown.session.id == id)
        #expect(shown.session.grant == "made-here")
        let refused = #expect(throws: BrokerError.self) { try broker.createVSMMU(on: "else") }
        #expect(refused?.isRefusal == true)
    }

    @Test("RELOAD answers what came of it: the new configuration, or why the old one stays") func reload() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let admin = try admin(harness)
        try harness.write("[Broker]\nMaxSessions=many\n")
        let refused = try admin.reload()
        #expect(!refused.applied)
        #expect(refused.diagnostics.count >= 2, "\(refused)")
        try harness.write("[Broker]\nMaxSessions=7\n")
        let applied = try admin.reload()
        #expect(applied.applied, "\(applied)")
        let status = try admin.status()
        #expect(status.reply.maximumSessions == 7)
        #expect((status.reply.reloads, status.reply.refusedReloads) == (1, 1))
        #expect(status.configurationFiles.count == 1)
    }

    @Test("What is wrong is refused by name, and the connection goes on") func malformed() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let socket = try SeqPacketSocket(connectingTo: harness.adminPath)
        func refusal(_ bytes: [UInt8], _ descriptors: [Int32] = []) throws -> Reason? {
            let sent = try socket.send(unsafe bytes.span.bytes, descriptors: descriptors)
            #expect(sent)
            let isThere = try socket.waitReadable(milliseconds: 60_000)
            #expect(isThere)
            var buffer = [UInt8](repeating: 0, count: Limits.packet)
            var span = buffer.mutableSpan
            var raw = unsafe span.mutableBytes
            let count = try socket.receive(into: &raw)?.byteCount ?? 0
            let reply = try AdminReply(decoding: unsafe buffer.span.bytes.extracting(first: count))
            if case .refused(let refusal) = reply.body { return refusal.reason }
            return nil
        }
        func packet(_ type: UInt8, _ size: UInt8, _ rest: [UInt8] = []) -> [UInt8] {
            [type, 0, 0, 0, size, 0, 0, 0] + [UInt8](repeating: 0, count: 8) + rest
        }
        #expect(try refusal([64, 0, 0]) == .tooShort)
        #expect(try refusal(packet(1, 16)) == .unknownType)
        #expect(try refusal(packet(64, 17)) == .sizeMismatch)
        #expect(try refusal(packet(64, 24, [UInt8](repeating: 0, count: 8))) == .tooLong)
        let all = [UInt8](repeating: 255, count: 8)
        let monitor = packet(68, 104, all + [2, 0, 0, 0, 255, 255, 255, 255] + all + [UInt8](repeating: 0, count: 64))
        #expect(try refusal(monitor) == .wrongDescriptorCount)
        let file = try OwnedFD.memory(named: "no-socket", size: 4096)
        #expect(try refusal(monitor, [file.raw]) == .badValue)
        let show = packet(66, 32, [99] + [UInt8](repeating: 0, count: 15))
        #expect(try refusal(show) == .unknownSession)
        #expect(try refusal(packet(67, 24, [9, 0, 0, 0, 0, 0, 0, 0])) == .badValue)
        #expect(try refusal(packet(64, 16)) == nil)
    }

    @Test("An operator who does not read gets no second reply, and keeps nobody waiting") func backPressure() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let silent = try SeqPacketSocket(connectingTo: harness.adminPath)
        let request: [UInt8] = [64, 0, 0, 0, 16, 0, 0, 0] + [UInt8](repeating: 0, count: 8)
        var sent = 0
        // Until its own socket is full too: then the daemon reads no more of it.
        while sent < 100_000, try silent.send(unsafe request.span.bytes) { sent += 1 }
        let other = try admin(harness)
        let status = try other.status()
        #expect(status.reply.sessions == 0)
        withExtendedLifetime(silent) {}
    }
}

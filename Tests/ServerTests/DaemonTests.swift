import BrokerClient
import BrokerCore
import BrokerHarness
import Configuration
import Foundation
import LinuxSystem
import Server
import Systemd
import Testing
import Wire

@Suite("The main loop and its sessions")
struct DaemonTests {
    @Test("A stop ends every session, and its clients see the end")
    func stop() throws {
        let harness = try BrokerHarness()
        let guests = try (0..<4).map { _ in try Guest.translating(harness) }
        let events = try guests[0].broker.subscribe()
        // What has happened before the stop is delivered before the end.
        for index in 0..<5 { _ = try guests[0].translate(0x7000_0000 + UInt64(index) << 12) }
        harness.stop()
        #expect(harness.table.all.isEmpty)
        for guest in guests { #expect(throws: BrokerError.self) { _ = try guest.translate(0x10_0000) } }
        var records = 0
        while case .delivery(let delivery) = try events.next(waitingAtMost: 60_000) {
            if case .events(let list) = delivery.content { records += list.count }
        }
        #expect(records == 5)
        #expect(harness.journal.records(of: .sessionEnded).count == 4)
        for guest in guests { #expect(OpenResources(ofMemory: guest.name).descriptors == 1) }
    }

    @Test("A session that was quarantined by an operator aborts until it is released")
    func quarantine() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let guest = try Guest.translating(harness, device: "disk0")
        let session = try #require(harness.table.all.first)
        session.order(.quarantine("disk0"))
        #expect(try eventually { try guest.translate(0x10_0000).stage1 != .done })
        #expect(eventually { session.contexts.first?.health.state == .quarantined })
        session.order(.release("disk0"))
        #expect(try eventually { try guest.translate(0x10_0000).stage1 == .done })
        harness.stop()
        #expect(harness.journal.records(of: .quarantined).count == 1)
    }

    @Test("A snapshot shows what a session has")
    func snapshots() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let guest = try Guest.translating(harness, device: "disk0")
        let session = try #require(harness.table.all.first)
        #expect(eventually { session.snapshot.contexts == 1 && session.contexts.first?.state == .translate })
        #expect(session.snapshot.vm == "guest" && session.snapshot.maps == 1 && session.snapshot.mappedBytes == 1 << 20)
        #expect(session.contexts.first?.device == "disk0")
        #expect(session.grant == "tests" && session.peer.uid == getuid())
        #expect(eventually { session.busySince == nil })
        try guest.broker.detach(Guest.vsid, from: guest.vsmmu)
        #expect(eventually { session.contexts.isEmpty })
    }

    @Test("A configuration with errors, or with other sockets, changes nothing; both say why")
    func keptConfiguration() throws {
        let harness = try BrokerHarness()
        try harness.reload("[Grant tests]\nDevices=*\nMaxMemory=much\n")
        #expect(eventually { harness.journal.records(of: .configurationKept).count == 1 })
        try harness.reload("[Broker]\nClientSocket=/elsewhere/client.sock\n")
        #expect(eventually { harness.journal.records(of: .configurationKept).count == 2 })
        try harness.reload("[Grant other]\nUser=nobody\nDevices=*\n")
        #expect(eventually { harness.journal.records(of: .configurationReloaded).count == 1 })
        harness.stop()
        #expect(harness.journal.records.contains { $0.message.contains("reload.conf:3: error:") })
    }

    @Test("Refusals that an operator can do something about reach the journal, however many, a few times")
    func thinnedRefusals() throws {
        let harness = try BrokerHarness(.open(devices: ["net0"]))
        let guest = try Guest(harness)
        for _ in 0..<100 { #expect(throws: BrokerError.self) { try guest.createVSMMU(on: "disk0") } }
        harness.stop()
        // 8, then at 16, 32 and 64.
        #expect(harness.journal.records(of: .requestRefused).count == 11)
    }
}

import BrokerClient
import BrokerCore
import BrokerHarness
import Server
import Testing
import Wire

/// Devices that operators take from guests.
@Suite struct HandBackTests {
    @Test("A device goes back to the host, is shown so, and can be had again when an operator says so") func handBack()
        throws
    {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let admin = try AdminClient(connectingTo: harness.adminPath)
        admin.timeout = 60_000
        let guest = try Guest.translating(harness)
        _ = try guest.translate(0x10_0000)
        let found = try eventually {
            try admin.sessions().first.map { try admin.show($0.id).contexts.count == 1 } ?? false
        }
        #expect(found)
        let session = try #require(try admin.sessions().first)
        let device = try #require(try admin.show(session.id).contexts.first?.device)
        // A quarantine is ended first, though nobody waits for either.
        _ = try admin.quarantine(device)
        _ = try admin.letGo(device)
        let recovered = try eventually { try admin.show(session.id).contexts.first?.health == .recovered }
        #expect(recovered)
        // Whoever says it once more may not have seen that: the guest keeps its device.
        _ = try admin.letGo(device)
        let told = try admin.handBack(device)
        #expect(told == session.id)
        let gone = try eventually { try admin.show(session.id).contexts.isEmpty }
        #expect(gone)
        let held = try admin.heldBack()
        #expect(held == [AdminHeldDevice(device: device, vm: session.vm, session: session.id, reason: .withheld)])
        #expect(try admin.status().reply.heldBack == 1)
        #expect(try admin.metrics().contains("smmu_broker_held_back_devices{reason=\"withheld\"} 1\n"))
        let unknown = #expect(throws: BrokerError.self) { _ = try guest.translate(0x10_0000) }
        #expect(unknown?.reason == .unknownVSID)
        let busy = #expect(throws: BrokerError.self) {
            try guest.broker.attach(device, to: guest.vsmmu, as: Guest.vsid)
        }
        #expect(busy?.reason == .deviceBusy)
        try admin.readmit(device)
        let twice = #expect(throws: BrokerError.self) { try admin.readmit(device) }
        #expect(twice?.reason == .unknownDevice)
        try guest.broker.attach(device, to: guest.vsmmu, as: Guest.vsid)
        #expect(try admin.heldBack().isEmpty)
        harness.stop()
        let text = "\(harness.journal.records)"
        #expect(text.contains("asks for LET_GO \(device)") && text.contains("has been taken from VM"))
    }
}

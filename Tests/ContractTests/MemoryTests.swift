import Backends
import BrokerClient
import BrokerCore
import BrokerHarness
import Foundation
import LinuxSystem
import SMMUv3
import Server
import Testing
import Wire

@Suite("Memory, devices, and the end")
struct MemoryTests {
    static let page = Guest.ramBase + 0x1_0000

    /// With a device that bypasses stage 1.
    private func bypassing(_ harness: BrokerHarness) throws -> Guest {
        let guest = try Guest.attached(harness)
        _ = try guest.broker.setState(of: guest.vsmmu, [])
        return guest
    }

    @Test("P20: a device reaches its own session's memory and nothing else, also where another session has some")
    func contained() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let (first, second) = (try bypassing(harness), try bypassing(harness))
        try second.broker.mapMemory(second.file, at: IPA(0x9000_0000), size: 0x1_0000)
        first.store(1, at: 0x1_0000)
        second.store(2, at: 0x1_0000)
        #expect(try first.deviceReads(Self.page) == 1)
        #expect(try second.deviceReads(Self.page) == 2)
        #expect(try first.deviceReads(0x9000_0000) == nil)
        #expect(try second.deviceReads(0x9000_0000) != nil)
    }

    @Test("P20, P21: memory that is mapped for reading is not written")
    func readOnly() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let guest = try bypassing(harness)
        try guest.broker.mapMemory(guest.file, at: IPA(0x9000_0000), size: 0x1000, offset: 0x1_0000, flags: .read)
        guest.store(5, at: 0x1_0000)
        #expect(try guest.deviceReads(0x9000_0000) == 5)
        let reply = try guest.broker.write([1, 2, 3, 4, 5, 6, 7, 8], to: guest.target(0x9000_0000))
        #expect(reply.size == 0 && guest.load(0x1_0000) == 5)
    }

    @Test("P22: an unmap names whole maps, and when it is answered no device reaches the memory")
    func unmap() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let guest = try bypassing(harness)
        #expect(try guest.deviceReads(Self.page) == 0)
        expectRefusal(.noSuchMap) { try guest.broker.unmapMemory(at: IPA(Guest.ramBase), size: 0x1000) }
        #expect(try guest.deviceReads(Self.page) == 0)
        try guest.broker.unmapMemory(at: IPA(Guest.ramBase), size: 1 << 20)
        #expect(try guest.deviceReads(Self.page) == nil)
        // The test's own descriptor and mapping are what is left.
        #expect(OpenResources(ofMemory: guest.name) == OpenResources(descriptors: 1, mappings: 1))
    }

    @Test("P23: a device that was detached can be had by another session at once")
    func detach() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let guest = try Guest.attached(harness, device: "disk0")
        let other = try Guest(harness)
        expectRefusal(.deviceBusy) { try other.createVSMMU(on: "disk0") }
        try guest.broker.detach(Guest.vsid, from: guest.vsmmu)
        try guest.broker.destroyVSMMU(guest.vsmmu)
        try other.createVSMMU(on: "disk0")
        try other.broker.attach("disk0", to: other.vsmmu, as: Guest.vsid)
        #expect(harness.inventory.owner(of: "disk0") == harness.table.all.last?.id)
    }

    @Test("P24: when a client goes, its devices, its memory and its descriptors are given back")
    func end() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        var guest: Guest? = try Guest.translating(harness, device: "disk0")
        let events = try guest?.broker.subscribe()
        let name = try #require(guest?.name)
        #expect(OpenResources(ofMemory: name).mappings == 2, "the model has not mapped it")
        #expect(OpenResources(ofMemory: name).descriptors == 2)
        guest = nil
        #expect(eventually { harness.table.all.isEmpty })
        #expect(eventually { OpenResources(ofMemory: name) == OpenResources(descriptors: 0, mappings: 0) })
        #expect(harness.inventory.owner(of: "disk0") == nil)
        #expect(try events?.next(waitingAtMost: 60_000) == .ended)
        _ = try Guest.translating(harness, device: "disk0")
    }

    /// A memfd stands for the vfio device, which the kernel lets nobody else have while a copy is open.
    @Test("P23: of a device's descriptor the daemon keeps no copy once the VMM has its own")
    func deviceDescriptor() throws {
        let mark = "device-\(UUID().uuidString)"
        let harness = try BrokerHarness(backend: { descriptors in
            let backend = FaultyBackend(wrapping: ModelBackend(descriptors: descriptors))
            backend.handsOver = {
                do throws(Errno) {
                    return ResourceID(rawValue: descriptors.insert(try OwnedFD.memory(named: mark, size: 4096)))
                } catch { return nil }
            }
            return backend
        })
        defer { harness.stop() }
        let guest = try Guest(harness)
        try guest.createVSMMU(on: "disk0")
        do {
            let attachment = try guest.broker.attach("disk0", to: guest.vsmmu, as: Guest.vsid)
            let received = attachment.device != nil
            #expect(received)
        }
        #expect(eventually { OpenResources(ofMemory: mark).descriptors == 0 })
    }

    @Test("P24: devices abort before memory is unmapped")
    func order() throws {
        let log = CallLog()
        let harness = try BrokerHarness(backend: { log.backend($0) })
        defer { harness.stop() }
        var guest: Guest? = try Guest.translating(harness)
        log.clear()
        _ = guest?.name
        guest = nil
        #expect(eventually { harness.table.all.isEmpty })
        harness.stop()
        let calls = log.calls
        let aborted = try #require(calls.firstIndex { $0 == .install || $0 == .detach })
        let unmapped = try #require(calls.firstIndex(of: .unmap))
        #expect(aborted < unmapped, "\(calls)")
        #expect(calls.last == .destroyVSMMU || calls.contains(.destroyVSMMU))
    }
}

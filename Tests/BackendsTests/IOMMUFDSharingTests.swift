import Backends
import BrokerCore
import FakeKernel
import IOMMUFD
import LinuxSystem
import SMMUv3
import Testing
import Wire

/// Memory, what is found out about devices, and what others do with them.
@Suite struct IOMMUFDSharingTests {
    // MARK: Memory

    @Test("guest memory is pinned in areas of 1 GiB, never mapped here; the MSI window stays free") func memory() throws
    {
        let host = try IOMMUFDHost()
        let guest = try Guest(host)
        #expect(
            !host.backend.mapsMemory && host.backend.reservedWindow == MSIWindow(base: 0x0800_0000, size: 0x10_0000))
        let file = try host.memory(named: "large", bytes: 3 << 30)
        let large = MemoryMap(ipa: 1 << 33, size: (2 << 30) + 0x1000, offset: 0x1000, writable: true, file: file)
        try host.backend.map(large)
        #expect(host.kernel.areas.dropFirst().map(\.length) == [1 << 30, 1 << 30, 0x1000])
        try guest.attach(0, as: 7, .bypass)
        for (ipa, size) in [(0x0800_0000, 0x1000), (0x07ff_f000, 0x2000), (0x080f_f000, 0x1000), (0, 0x1000_0000)]
            as [(UInt64, UInt64)]
        {
            let inTheWay = MemoryMap(ipa: ipa, size: size, offset: 0, writable: true, file: file)
            let failure = #expect(throws: BackendFailure.self) { try host.backend.map(inTheWay) }
            #expect(failure?.advice.contains("MSIs") ?? false)
        }
        // Memory may still be added on either side of it, with a device attached.
        for ipa: UInt64 in [0x07ff_f000, 0x0810_0000] {
            try host.backend.map(MemoryMap(ipa: ipa, size: 0x1000, offset: 0, writable: true, file: file))
        }
        try host.backend.unmap(large)
        #expect(host.kernel.areas.count == 3)
    }

    @Test("memory that may not be locked says how much is needed") func lockLimit() throws {
        let host = try IOMMUFDHost()
        let guest = try Guest(host)
        host.kernel.lockLimit = 32 << 20
        let file = try host.memory(named: "dimm", bytes: 32 << 20)
        let map = MemoryMap(ipa: 1 << 33, size: 32 << 20, offset: 0, writable: true, file: file)
        let failure = #expect(throws: BackendFailure.self) { try host.backend.map(map) }
        #expect(failure?.status == .noMemory && failure?.advice.contains("33554432 bytes are needed") ?? false)
        try host.backend.unmap(guest.ram)
        try host.backend.map(map)
    }

    // MARK: Devices

    @Test("probing tells what only the kernel knows, and takes nothing for long") func probe() throws {
        let host = try IOMMUFDHost()
        let stranger = IOMMUFDBackend(descriptors: DescriptorTable(), locator: host.machine.locator) {
            [machine = host.machine] in
            FakeKernel(machine)
        }
        let name = Name.test(IOMMUFDHost.address(1))
        let found = try #require(try host.backend.probe(name))
        #expect(found.smmu == host.smmu && found.hasATS && found.pasidBits == 8 && found.name == name)
        #expect(found.streamID == StreamID(0x101))
        let failure = #expect(throws: BackendFailure.self) { _ = try stranger.probe(name) }
        #expect(failure?.status == .busy && failure?.advice.contains("vfio-pci") ?? false)
        let again = try host.backend.probe(name)
        #expect(again == found && host.kernel.count(of: .bind) == 2, "asked twice, bound once")
        host.backend.endProbe()
        #expect(!host.fake(1).isBound)
        let theirs = try stranger.probe(name)
        #expect(theirs == found)
    }

    @Test("what was probed is what is attached, and it can be asked again then") func probedAndAttached() throws {
        let host = try IOMMUFDHost()
        let guest = try Guest(host)
        let name = Name.test(IOMMUFDHost.address(1))
        let binds = host.kernel.count(of: .bind)
        let found = try #require(try host.backend.probe(name))
        let attached = try host.backend.attach(found, to: guest.vsmmu, as: StreamID(7), initially: .abort)
        host.backend.endProbe()
        #expect(host.kernel.count(of: .bind) == binds + 1 && host.fake(1).isBound)
        #expect(attached.msi == MSIWindow(base: 0x0800_0000, size: 0x10_0000))
        let again = try host.backend.probe(name)
        #expect(again == found && host.kernel.count(of: .bind) == binds + 1)
    }

    @Test("names that are no devices here are refused with what to do", arguments: ["disk:0", "0000:09:00.0"])
    func names(name: String) throws {
        let host = try IOMMUFDHost()
        let failure = #expect(throws: BackendFailure.self) { _ = try host.backend.probe(.test(name)) }
        #expect(failure?.status == .noDevice && failure?.operation == "find the device \(name)")
    }

    @Test("without iommufd it says so") func noKernel() throws {
        let host = try IOMMUFDHost()
        let backend = IOMMUFDBackend(descriptors: host.descriptors, locator: host.machine.locator) { () throws(Errno) in
            throw .notFound
        }
        let failure = #expect(throws: BackendFailure.self) { _ = try backend.probe(.test(IOMMUFDHost.address(1))) }
        #expect(failure?.advice.contains("CONFIG_IOMMUFD") ?? false)
    }

    // MARK: The VMM's copy of the descriptor

    @Test("a VMM that attaches its device by itself stays within its memory, and is put on ABORT all the same")
    func ownAttachment() throws {
        let host = try IOMMUFDHost()
        let guest = try Guest(host)
        let space = guest.makeSpace()
        let answer = try host.backend.attach(
            host.device(0, ats: false), to: guest.vsmmu, as: StreamID(7), initially: space.installation)
        let resource = try #require(answer.descriptor)
        let copy = try #require(host.descriptors.raw(resource.rawValue))
        let old = try #require(host.fake(0).attached)
        // Everything that exists, one after the other.
        for id: UInt32 in 1...16 {
            _ = try? host.kernel.attach(raw: copy, to: id)
            try guest.install(.abort, for: 7)
            #expect(host.fake(0).installed.aborts, "after \(id)")
        }
        #expect(host.fake(0).attached != old)
        try guest.install(space.installation, for: 7)
        #expect(host.fake(0).installed.translates)
    }

    @Test("a session ends although its VMM's copy lives on; the last copy frees the device") func orphan() throws {
        let host = try IOMMUFDHost()
        var resource: ResourceID?
        do {
            let guest = try Guest(host)
            resource = try host.backend.attach(
                host.device(0, ats: false), to: guest.vsmmu, as: StreamID(7), initially: guest.makeSpace().installation
            ).descriptor
        }
        host.end()
        #expect(host.fake(0).isBound && host.fake(0).installed == .blocked)
        #expect(host.kernel.liveObjects == ["device"])
        let copy = try #require(resource)
        // Nothing is left that it could be attached to.
        let raw = try #require(host.descriptors.raw(copy.rawValue))
        for id: UInt32 in 1...16 { _ = try? host.kernel.attach(raw: raw, to: id) }
        #expect(host.fake(0).installed == .blocked)
        host.descriptors.remove(copy.rawValue)
        #expect(!host.fake(0).isBound && host.kernel.liveObjects == [])
    }

    @Test("a device whose VMM's copy was left attached keeps what it is attached to, and nothing else fails")
    func heldObject() throws {
        let host = try IOMMUFDHost()
        let guest = try Guest(host)
        let space = guest.makeSpace()
        let answer = try host.backend.attach(
            host.device(0, ats: false), to: guest.vsmmu, as: StreamID(7), initially: space.installation)
        let resource = try #require(answer.descriptor)
        try host.backend.detach(StreamID(7), from: guest.vsmmu)
        // It still belongs to this session's iommufd, and so does all it can be attached to.
        let raw = try #require(host.descriptors.raw(resource.rawValue))
        let parent = try #require((1...16).first { (try? host.kernel.attach(raw: raw, to: $0)) != nil })
        #expect(parent > 0)
        host.backend.destroyVSMMU(guest.vsmmu)
        #expect(host.kernel.liveObjects.contains("nest parent") || host.kernel.liveObjects.contains("nested HWPT"))
        try host.backend.unmap(guest.ram)
        #expect(host.kernel.areas.isEmpty, "its memory is gone for the device too")
    }
}

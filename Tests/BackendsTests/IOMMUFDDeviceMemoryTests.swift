import Backends
import BrokerCore
import FakeKernel
import LinuxSystem
import SMMUv3
import Testing
import Wire

/// BARs of devices as memory of the guest, which the kernel takes away by itself.
@Suite struct IOMMUFDDeviceMemoryTests {
    private static let place: UInt64 = 0x10_0000_0000

    /// A BAR of the session's device, as a VMM passes it.
    private func lend(_ talk: IOMMUFDConversation, _ kind: ReceivedFile.Kind = .deviceMemory) throws -> ReceivedFile {
        let resource = try talk.host.memory(named: "bar", bytes: 1 << 16)
        talk.host.machine.lend(try #require(talk.host.descriptors.raw(resource.rawValue)), of: talk.host.fake(0))
        return ReceivedFile(resource: resource, kind: kind, size: 1 << 16)
    }

    @discardableResult
    private func map(
        _ talk: IOMMUFDConversation, _ file: ReceivedFile, _ flags: MemoryMapRequest.Flags = [.read, .write, .dmabuf]
    ) throws -> Reply {
        try talk.ask(MemoryMapRequest(ipa: IPA(Self.place), size: 1 << 16, offset: 0, flags: flags), files: [file])
    }

    @discardableResult
    private func unmap(_ talk: IOMMUFDConversation) throws -> Reply {
        try talk.ask(MemoryUnmapRequest(ipa: IPA(Self.place), size: 1 << 16))
    }

    @Test("a BAR is mapped, and no memory is locked for it") func mapped() throws {
        let talk = try IOMMUFDConversation()
        try talk.begin()
        talk.host.kernel.lockLimit = 16 << 20
        let reply = try map(talk, lend(talk))
        #expect(reply.header.status == .done, "\(reply)")
        #expect(talk.host.kernel.reachableBARs == [Self.place])
        let gone = try unmap(talk)
        #expect(gone.header.status == .done && talk.host.kernel.reachableBARs == [])
    }

    @Test("a reset takes it away without a word; unmapped and mapped again it is back, and so after VSMMU_RESET")
    func revoked() throws {
        let talk = try IOMMUFDConversation()
        try talk.begin()
        let file = try lend(talk)
        try map(talk, file)
        talk.host.kernel.revoke(talk.host.fake(0))
        #expect(talk.host.kernel.reachableBARs == [])
        let overlapping = try map(talk, file)
        #expect(overlapping.header.reason == .overlap)
        try unmap(talk)
        let again = try map(talk, lend(talk))
        #expect(again.header.status == .done && talk.host.kernel.reachableBARs == [Self.place])
        talk.host.kernel.revoke(talk.host.fake(0))
        try talk.ask(VSMMURequest(vsmmu: VSMMUID(1)), as: .vsmmuReset)
        #expect(talk.host.kernel.reachableBARs == [Self.place])
    }

    @Test("a BAR that VSMMU_RESET cannot map again is told of") func notRenewed() throws {
        let talk = try IOMMUFDConversation()
        try talk.begin()
        try map(talk, lend(talk))
        let before = talk.session.counters.hostFailures
        talk.host.kernel.fail(.mapFile, .noMemory)
        let reset = try talk.ask(VSMMURequest(vsmmu: VSMMUID(1)), as: .vsmmuReset)
        #expect(reset.header.status == .done && talk.host.kernel.reachableBARs == [])
        #expect(talk.session.counters.hostFailures == before + 1)
        #expect(
            talk.observer.notices.contains {
                if case .deviceMemoryLost(_, at: Self.place) = $0 { true } else { false }
            })
        // The next one has more luck.
        try talk.ask(VSMMURequest(vsmmu: VSMMUID(1)), as: .vsmmuReset)
        #expect(talk.host.kernel.reachableBARs == [Self.place])
    }

    @Test("the BARs of a session stay while another vSMMU of it is enabled, which a reset does not concern")
    func others()
        throws
    {
        let talk = try IOMMUFDConversation()
        try talk.begin()
        try map(talk, lend(talk))
        try talk.ask(VSMMUCreateRequest(device: .test(IOMMUFDHost.address(0)), wanted: IDRegisters()))
        let before = talk.host.kernel.count(of: .unmap)
        try talk.ask(VSMMURequest(vsmmu: VSMMUID(2)), as: .vsmmuReset)
        #expect(talk.host.kernel.count(of: .unmap) == before)
        try talk.ask(VSMMURequest(vsmmu: VSMMUID(1)), as: .vsmmuReset)
        #expect(talk.host.kernel.count(of: .unmap) == before + 1 && talk.host.kernel.reachableBARs == [Self.place])
    }

    @Test("while its memory is disabled it cannot be mapped, which the refusal says") func disabled() throws {
        let talk = try IOMMUFDConversation()
        try talk.begin()
        let file = try lend(talk)
        talk.host.fake(0).isMemoryEnabled = false
        let refused = try map(talk, file)
        guard case .refused(let refusal) = refused.body else { throw Errno.invalid }
        #expect(refusal.reason == .hostFailure && refusal.text.contains("memory enabled"), "\(refusal.text)")
        // One that was there before a reset, with memory not enabled yet when the guest is reset.
        talk.host.fake(0).isMemoryEnabled = true
        try map(talk, lend(talk))
        talk.host.fake(0).isMemoryEnabled = false
        talk.host.kernel.revoke(talk.host.fake(0))
        let reset = try talk.ask(VSMMURequest(vsmmu: VSMMUID(1)), as: .vsmmuReset)
        #expect(reset.header.status == .done && talk.host.kernel.reachableBARs == [])
        let gone = try unmap(talk)
        #expect(gone.header.status == .done)
    }

    @Test("what is no BAR, or without DMABUF, or of a session without a device, is refused") func refusals() throws {
        let talk = try IOMMUFDConversation()
        try talk.begin()
        for kind in [ReceivedFile.Kind.shmem, .other, .eventFD] {
            let refused = try map(talk, lend(talk, kind))
            #expect(refused.header.reason == .notMemory)
        }
        let unsaid = try map(talk, lend(talk), [.read])
        #expect(unsaid.header.reason == .notMemory)
        try talk.ask(DeviceRequest(vsmmu: VSMMUID(1), vsid: StreamID(7)), as: .deviceDetach)
        let nobodys = try map(talk, lend(talk))
        #expect(nobodys.header.reason == .notMemory)
    }

    @Test("the end of a session takes its BARs first, and a device that goes takes its own") func ends() throws {
        let talk = try IOMMUFDConversation()
        try talk.begin()
        try map(talk, lend(talk))
        try talk.ask(DeviceRequest(vsmmu: VSMMUID(1), vsid: StreamID(7)), as: .deviceDetach)
        talk.closeCopies()
        #expect(!talk.host.fake(0).isBound && talk.host.kernel.liveObjects.contains("IOAS"))
        #expect(talk.host.kernel.reachableBARs == [], "the kernel has revoked it with the last descriptor")
        #expect(talk.session.end(at: Instant(nanoseconds: 0)) == nil)
        #expect(talk.host.kernel.areas.isEmpty)
    }
}

import Backends
import BrokerCore
import SMMUv3
import Testing
import Wire

/// Devices that translate ahead, on the model.
@Suite struct ModelATSTests {
    /// A device with one page mapped and used, whose table is then changed and invalidated but for the device itself.
    private func change(ats: Bool, installed: Bool) throws -> (guest: Guest, old: UInt64, new: UInt64, sawNew: Bool) {
        let guest = try Guest(ModelHost())
        let space = guest.makeSpace()
        let (old, new) = (guest.allocate(), guest.allocate())
        guest.map(space, 0x1000, to: old)
        try guest.attach(0, as: 7, installed ? space.installationWithATS : space.installation, ats: ats)
        let before = guest.reaches(old, by: 7, at: 0x1000)
        #expect(before)
        guest.map(space, 0x1000, to: new)
        _ = guest.invalidate(.make(.tlbiNHAll))
        return (guest, old, new, guest.reaches(new, by: 7, at: 0x1000))
    }

    @Test("a device with ATS keeps what it has until ATC_INV")
    func keeps() throws {
        let (guest, old, new, sawNew) = try change(ats: true, installed: true)
        let keptOld = guest.reaches(old, by: 7, at: 0x1000)
        #expect(!sawNew && keptOld)
        let outcome = guest.invalidate(.atcInv(StreamID(7)))
        let after = guest.reaches(new, by: 7, at: 0x1000)
        #expect(outcome == .completed && after)
    }

    @Test("a device keeps nothing when it has no ATS, whatever EATS says, or EATS does not allow it")
    func keepsNothing() throws {
        let withoutATS = try change(ats: false, installed: true)
        let withoutEATS = try change(ats: true, installed: false)
        #expect(withoutATS.sawNew && withoutEATS.sawNew)
    }

    @Test("a device that does not answer is reported, and the commands beside it are done")
    func timesOut() throws {
        let host = ModelHost()
        let guest = try Guest(host)
        let space = guest.makeSpace()
        let (old, new) = (guest.allocate(), guest.allocate())
        for page in [0x1000, 0x2000] as [UInt64] { guest.map(space, page, to: old) }
        try guest.attach(0, as: 7, space.installationWithATS, ats: true)
        try guest.attach(1, as: 8, space.installation)
        let before = guest.reaches(old, by: 8, at: 0x1000)
        host.model.setUnresponsive(true, StreamID(7), on: guest.vsmmu)
        guest.map(space, 0x1000, to: new)
        let outcome = guest.invalidate(.atcInv(StreamID(7)), .tlbi(.tlbiNHASID, asid: 1))
        let after = guest.reaches(new, by: 8, at: 0x1000)
        #expect(before && outcome == .deviceTimedOut && after)
        let without = guest.invalidate(.tlbi(.tlbiNHASID, asid: 1))
        #expect(without == .completed, "only a batch with ATC_INV")
        let failure = #expect(throws: BackendFailure.self) { try host.backend.resynchronize(guest.vsmmu) }
        #expect(failure?.status == .timedOut && failure?.isTransient == true)
        host.model.setUnresponsive(false, StreamID(7), on: guest.vsmmu)
        try host.backend.resynchronize(guest.vsmmu)
    }

    @Test("memory that is unmapped is out of reach of a device that does not answer, and stays so")
    func unmapWithoutAnswer() throws {
        let host = ModelHost()
        let guest = try Guest(host)
        let file = try host.memory(named: "dimm", bytes: 0x2000)
        let dimm = MemoryMap(ipa: 0x8000_0000, size: 0x2000, offset: 0, writable: true, file: file)
        try host.backend.map(dimm)
        let space = guest.makeSpace()
        guest.map(space, 0x1000, to: dimm.ipa)
        try guest.attach(0, as: 7, space.installationWithATS, ats: true)
        let before = guest.access(7, 0x1000, write: true)
        #expect(before.stage2 == .done)
        host.model.setUnresponsive(true, StreamID(7), on: guest.vsmmu)
        try host.backend.unmap(dimm)
        let after = guest.access(7, 0x1000, write: true)
        #expect(after.stage2 == .fault && after.event.id == .translation)
        // Other memory at the same address, which the device may only read: what it kept said that it may write.
        var other = dimm
        other.writable = false
        try host.backend.map(other)
        let write = guest.access(7, 0x1000, write: true)
        #expect(write.stage2 == .fault && write.event.id == .permission)
        try guest.install(space.installationWithATS, for: 7)
        let reinstalled = guest.access(7, 0x1000, write: true)
        #expect(reinstalled.stage2 == .fault)
        host.model.setUnresponsive(false, StreamID(7), on: guest.vsmmu)
        try guest.install(space.installationWithATS, for: 7)
        let answering = [guest.access(7, 0x1000, write: true), guest.access(7, 0x1000)]
        #expect(answering.map(\.stage2) == [.fault, .done])
    }

    @Test("a device that is detached and attached again has nothing left of what it kept")
    func comesBack() throws {
        let guest = try Guest(ModelHost())
        let (space, other) = (guest.makeSpace(asid: 1), guest.makeSpace(asid: 2))
        let (old, new) = (guest.allocate(), guest.allocate())
        guest.map(space, 0x1000, to: old)
        guest.map(other, 0x1000, to: new)
        try guest.attach(0, as: 7, space.installationWithATS, ats: true)
        let before = guest.reaches(old, by: 7, at: 0x1000)
        try guest.host.backend.detach(StreamID(7), from: guest.vsmmu)
        try guest.attach(0, as: 7, other.installationWithATS, ats: true)
        let after = guest.reaches(new, by: 7, at: 0x1000)
        try guest.install(space.installationWithATS, for: 7)
        let exchanged = guest.reaches(old, by: 7, at: 0x1000)
        #expect(before && after && exchanged)
    }

    @Test("faults of a device with ATS are told and recorded")
    func faults() throws {
        let guest = try Guest(ModelHost())
        let space = guest.makeSpace()
        try guest.attach(0, as: 7, space.installationWithATS, ats: true)
        let reply = guest.access(7, 0x1000)
        #expect(reply.stage1 == .fault && reply.recorded)
        let events = guest.takeEvents()
        #expect(events.records == [reply.event])
    }
}

import BrokerCore
import SMMUv3
import Testing
import Wire

/// What the model's replies to accesses say, beyond what every backend does.
@Suite struct ModelAccessTests {
    @Test("a DMA stops at the first page that does not come through, and says why")
    func stops() throws {
        let guest = try Guest(ModelHost())
        let space = guest.makeSpace()
        let ipa = guest.allocate()
        guest.map(space, 0x1000, to: ipa)
        try guest.attach(0, as: 7, space.installation)
        var bytes = [UInt8](repeating: 0xaa, count: 4096)
        let reply = guest.transfer(7, 0x1100, write: true, &bytes)
        #expect(reply.size == 0xf00 && reply.stage1 == .fault && reply.event.inputAddress == 0x2000)
        let events = guest.takeEvents()
        #expect(events.records == [reply.event])
        #expect(guest[ipa + 0xff8] == 0xaaaa_aaaa_aaaa_aaaa && guest[ipa + 0xf8] == 0)
    }

    @Test("an access that ends quietly (CD.A = 0) counts as done: reads give 0, writes vanish")
    func quiet() throws {
        let guest = try Guest(ModelHost())
        let space = guest.makeSpace(flipping: [46])
        let ipa = guest.allocate()
        guest.map(space, 0x2000, to: ipa)
        guest[ipa] = 0x1111_1111_1111_1111
        try guest.attach(0, as: 7, space.installation)
        var bytes = [UInt8](repeating: 0xaa, count: 16)
        let reply = guest.transfer(7, 0x1ff8, write: false, &bytes)
        #expect(reply.size == 16 && reply.stage1 == .fault && reply.recorded && reply.event.inputAddress == 0x1ff8)
        #expect(bytes == [UInt8](repeating: 0, count: 8) + [UInt8](repeating: 0x11, count: 8))
    }

    @Test("faults that the CD does not have recorded are told, and no event comes")
    func unrecorded() throws {
        let guest = try Guest(ModelHost())
        let space = guest.makeSpace(flipping: [45])
        try guest.attach(0, as: 7, space.installation)
        let reply = guest.access(7, 0x1000)
        #expect(reply.stage1 == .fault && !reply.recorded && reply.event.id == .translation)
        let events = guest.takeEvents()
        #expect(events.records.isEmpty)
    }

    @Test("tables outside of memory end both stages, with the IPA that could not be read")
    func tablesOutside() throws {
        let guest = try Guest(ModelHost())
        try guest.attach(0, as: 7, .stage1(word0: 1 | 5 << 1 | 0x9000_0000, word1: 0))
        let context = guest.access(7, 0x1000)
        #expect(context.stage1 == .fault && context.stage2 == .fault && context.ipa == IPA(0))
        #expect(context.event.eventClass == .contextDescriptor && context.event.ipa == 0x9000_0000)
        let space = guest.makeSpace()
        guest[space.context + 8] = 0xa000_0000
        try guest.install(space.installation, for: 7)
        let table = guest.access(7, 0x1000)
        #expect(table.stage1 == .fault && table.stage2 == .fault && table.permissions == [])
        #expect(table.event.eventClass == .tableDescriptor && table.event.ipa == 0xa000_0000)
    }

    @Test("stage 1's permissions are told when stage 2 ends the access, cached or not")
    func permissionsBeforeStage2() throws {
        let host = ModelHost()
        let guest = try Guest(host)
        let file = try host.memory(named: "rom", bytes: 0x1000)
        try host.backend.map(MemoryMap(ipa: 0x8000_0000, size: 0x1000, offset: 0, writable: false, file: file))
        let space = guest.makeSpace()
        for (iova, ipa, writable) in [
            (0x1000, 0x8000_0000, true), (0x2000, 0x8000_0000, false), (0x3000, 0x9000_0000, true),
        ] as [(UInt64, UInt64, Bool)] {
            guest.map(space, iova, to: ipa, writable: writable)
        }
        try guest.attach(0, as: 7, space.installation)
        for _ in 0..<2 {
            let replies = [0x1000, 0x2000, 0x3000].map { guest.access(7, $0, write: true) }
            #expect(replies.map(\.permissions) == [[.read, .write], [], [.read, .write]])
            #expect(replies.map(\.stage1) == [.done, .fault, .done])
            #expect(replies.map(\.stage2) == [.fault, .notReached, .fault])
            let reads = [0x1000, 0x2000].map { guest.access(7, $0) }
            #expect(reads.map(\.permissions) == [[.read, .write], [.read]])
        }
    }

    @Test("substreams have their own CDs; S1DSS may let accesses without one bypass stage 1")
    func substreams() throws {
        let guest = try Guest(ModelHost())
        let space = guest.makeSpace()
        let table = guest.allocate()
        for word in 0..<8 { guest[table + 64 + UInt64(word * 8)] = guest[space.context + UInt64(word * 8)] }
        let ipa = guest.allocate()
        guest.map(space, 0x1000, to: ipa)
        // Two CDs; S1DSS 1.
        try guest.attach(0, as: 7, .stage1(word0: 1 | 5 << 1 | table | 1 << 59, word1: 1))
        let translated = guest.access(7, 0x1008, substream: 1)
        #expect(translated.stage1 == .done && translated.ipa == IPA(ipa + 8))
        let bypassed = guest.access(7, ipa)
        #expect(bypassed.stage1 == .bypass && bypassed.stage2 == .done)
        let beyond = guest.access(7, 0x9000_0000)
        #expect(beyond.stage1 == .bypass && beyond.stage2 == .fault && beyond.ipa == IPA(0x9000_0000))
        let none = guest.access(7, 0x1000, substream: 2)
        #expect(none.stage1 == .fault && none.event.id == .badSubstreamID)
    }

    @Test("a stalled access is told by its tag, and goes on, ends or is repeated as it is answered")
    func stalls() throws {
        let host = ModelHost(ids: .nested(stallModel: 0), stalls: true)
        let guest = try Guest(host)
        #expect(host.backend.features.contains(.pageResponse))
        let space = guest.makeSpace(flipping: [44])
        try guest.attach(0, as: 7, space.installation)
        try guest.attach(1, as: 8, space.installation)
        var tags: [StallTag] = []
        for _ in 0..<4 {
            let reply = guest.access(7, 0x1000)
            #expect(reply.stage1 == .stalled && reply.stage2 == .notReached && reply.recorded)
            tags.append(StallTag(UInt32(try #require(reply.event.stallTag))))
        }
        let full = guest.access(7, 0x1000)
        #expect(full.stage1 == .stalled && !full.recorded && full.event == EventRecord(), "IDR5.STALL_MAX is 4")
        let events = guest.takeEvents()
        #expect(events.records.map { StallTag(UInt32($0.stallTag ?? 99)) } == tags)
        let foreign = try host.backend.respond(.retry, to: tags[0], of: StreamID(8), on: guest.vsmmu)
        let first = try host.backend.respond(.retry, to: tags[0], of: StreamID(7), on: guest.vsmmu)
        let again = try host.backend.respond(.retry, to: tags[0], of: StreamID(7), on: guest.vsmmu)
        let huge = try host.backend.respond(.abort, to: StallTag(.max), of: StreamID(7), on: guest.vsmmu)
        #expect(!foreign && first && !again && !huge)
        try host.backend.terminateStalls(of: StreamID(8), on: guest.vsmmu)
        let still = guest.access(7, 0x1000)
        #expect(still.recorded)
        let none = guest.access(7, 0x1000)
        #expect(!none.recorded, "the others wait on")
        try host.backend.terminateStalls(of: nil, on: guest.vsmmu)
        let afterwards = try tags.map { try host.backend.respond(.retry, to: $0, of: StreamID(7), on: guest.vsmmu) }
        #expect(afterwards == [false, false, false, false])
        let room = guest.access(8, 0x1000)
        #expect(room.recorded)
    }

    @Test("where stalling is forced, faults of stage 2 stall as well")
    func forcedStalls() throws {
        let host = ModelHost(ids: .nested(stallModel: 2), stalls: true)
        let guest = try Guest(host)
        try guest.attach(0, as: 7, .bypass, ats: true)
        let reply = guest.access(7, 0x9000_0123)
        #expect(reply.stage1 == .bypass && reply.stage2 == .stalled && reply.ipa == IPA(0x9000_0123))
        let tag = StallTag(UInt32(try #require(reply.event.stallTag)))
        let space = guest.makeSpace(flipping: [44])
        let ipa = guest.allocate()
        guest.map(space, 0x1000, to: ipa)
        try guest.install(space.installationWithATS, for: 7)
        #expect(guest.reaches(ipa, by: 7, at: 0x1000))
        let answered = try host.backend.respond(.terminate, to: tag, of: StreamID(7), on: guest.vsmmu)
        #expect(answered)
    }

    @Test("MSIs reach a doorbell that is bound, until its device is detached")
    func doorbell() throws {
        let host = ModelHost()
        let guest = try Guest(host)
        try guest.attach(0, as: 7, .bypass)
        try guest.attach(1, as: 8, .bypass)
        let ipa: UInt64 = 0x0808_0040
        var message: [UInt8] = [1, 0, 0, 0]
        let before = guest.transfer(7, ipa, write: true, &message)
        #expect(before.size == 0 && before.stage2 == .fault)
        let doorbell = Doorbell(iova: IOVA(ipa), ipa: IPA(ipa))
        for vsid in [7, 8, 7] as [UInt32] {
            let window = try host.backend.bindDoorbell(doorbell, of: StreamID(vsid), on: guest.vsmmu)
            #expect(window == MSIWindow(base: 0x0808_0000, size: 4096))
        }
        let bound = guest.transfer(7, ipa, write: true, &message)
        #expect(bound.size == 4 && bound.stage2 == .done)
        let failure = #expect(throws: BackendFailure.self) {
            let file = try host.memory(named: "over", bytes: 0x2000)
            try host.backend.map(MemoryMap(ipa: 0x0807_f000, size: 0x2000, offset: 0, writable: true, file: file))
        }
        #expect(failure?.status == .exists)
        #expect(throws: BackendFailure.self) {
            let inMemory = Doorbell(iova: IOVA(0), ipa: IPA(Guest.ramBase))
            _ = try host.backend.bindDoorbell(inMemory, of: StreamID(7), on: guest.vsmmu)
        }
        try host.backend.detach(StreamID(7), from: guest.vsmmu)
        let shared = guest.transfer(8, ipa, write: true, &message)
        #expect(shared.size == 4, "the other device has it still")
        try guest.attach(0, as: 7, .bypass)
        try host.backend.detach(StreamID(8), from: guest.vsmmu)
        let gone = guest.transfer(7, ipa, write: true, &message)
        #expect(gone.size == 0 && gone.stage2 == .fault)
    }
}

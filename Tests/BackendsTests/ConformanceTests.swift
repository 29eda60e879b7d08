import BrokerCore
import SMMUv3
import Testing
import Wire

/// What every backend has to do, against each of them.
@Suite struct ConformanceTests {
    @Test("a device reads and writes what both stages map, and nothing else changes", arguments: HostKind.allCases)
    func transfers(_ kind: HostKind) throws {
        let guest = try Guest(kind.make())
        let space = guest.makeSpace()
        let target = guest.allocate(2 * Guest.page)
        guest.map(space, 0x1000, to: target)
        try guest.attach(0, as: 7, space.installation)
        var bytes: [UInt8] = Array(1...16)
        let reply = guest.transfer(7, 0x1ff0, write: true, &bytes)
        #expect(reply.stage1 == .done && reply.stage2 == .done && reply.size == 16)
        #expect(reply.ipa == IPA(target + 0xff0) && reply.permissions == [.read, .write])
        #expect(guest[target + 0xff0] == 0x0807_0605_0403_0201 && guest[target + 0x1000] == 0)
        #expect(guest.reaches(target + 0x10, by: 7, at: 0x1010))
        let events = guest.takeEvents()
        #expect(events.records.isEmpty && events.losses.isEmpty)
    }

    @Test(
        "a device that has been attached with ABORT reaches nothing, and nobody hears of it",
        arguments: HostKind.allCases)
    func abort(_ kind: HostKind) throws {
        let guest = try Guest(kind.make())
        try guest.attach(0, as: 7, .abort)
        let reply = guest.access(7, Guest.ramBase)
        #expect(reply.stage1 == .abort && reply.stage2 == .notReached && !reply.recorded)
        let events = guest.takeEvents()
        #expect(events.records.isEmpty)
    }

    @Test("a bypassing device uses IPAs: mapped ones, and no others", arguments: HostKind.allCases)
    func bypass(_ kind: HostKind) throws {
        let guest = try Guest(kind.make())
        try guest.attach(0, as: 7, .bypass)
        let ipa = guest.allocate()
        let reply = guest.access(7, ipa + 8)
        #expect(reply.stage1 == .bypass && reply.stage2 == .done && reply.ipa == IPA(ipa + 8))
        #expect(guest.reaches(ipa, by: 7, at: ipa))
        let beyond = guest.access(7, Guest.ramBase + Guest.ramSize)
        #expect(beyond.stage1 == .bypass && beyond.stage2 == .fault && beyond.event.id == .translation)
    }

    @Test(
        "a hole in stage 2 is a fault of stage 2 with the IPA, what stage 1 said is told", arguments: HostKind.allCases)
    func hole(_ kind: HostKind) throws {
        let guest = try Guest(kind.make())
        let space = guest.makeSpace()
        guest.map(space, 0x5000, to: 0x9000_0000, writable: false)
        try guest.attach(0, as: 7, space.installation)
        let reply = guest.access(7, 0x5678)
        #expect(reply.stage1 == .done && reply.stage2 == .fault)
        #expect(reply.ipa == IPA(0x9000_0678) && reply.permissions == [.read])
        let event = reply.event
        #expect(event.id == .translation && event.stage2 && event.ipa == 0x9000_0000 && event.eventClass == .input)
        #expect(event.streamID == StreamID(7) && event.inputAddress == 0x5678)
        let events = guest.takeEvents()
        #expect(events.records == (guest.host.forwardsStage2Faults ? [event] : []))
    }

    @Test("memory that was mapped read-only is never written", arguments: HostKind.allCases)
    func readOnly(_ kind: HostKind) throws {
        let guest = try Guest(kind.make())
        let file = try guest.host.memory(named: "rom", bytes: 0x4000)
        let rom = MemoryMap(ipa: 0x1_0000_0000, size: 0x4000, offset: 0, writable: false, file: file)
        try guest.host.backend.map(rom)
        let space = guest.makeSpace()
        guest.map(space, 0x1000, to: rom.ipa)
        try guest.attach(0, as: 7, space.installation)
        // The second access finds the translation cached.
        for _ in 0..<2 {
            let read = guest.access(7, 0x1000)
            #expect(read.stage2 == .done && read.permissions == [.read, .write])
            let write = guest.access(7, 0x1008, write: true)
            #expect(write.stage1 == .done && write.stage2 == .fault && write.permissions == [.read, .write])
            #expect(write.event.id == .permission && write.event.stage2 && write.ipa == IPA(rom.ipa + 8))
        }
    }

    @Test("a fault of stage 1 wakes whoever waits, and comes with the vSID, once", arguments: HostKind.allCases)
    func event(_ kind: HostKind) throws {
        let guest = try Guest(kind.make())
        let space = guest.makeSpace()
        try guest.attach(0, as: 7, space.installation)
        let quiet = try guest.eventSourceIsReadable
        #expect(!quiet)
        let reply = guest.access(7, 0xdead_0000, write: true)
        #expect(reply.stage1 == .fault && reply.stage2 == .notReached && reply.recorded)
        #expect(reply.event.id == .translation && reply.event.streamID == StreamID(7))
        let signalled = try guest.eventSourceIsReadable
        #expect(signalled)
        let events = guest.takeEvents()
        #expect(events.records == [reply.event])
        let after = try guest.eventSourceIsReadable
        #expect(!after)
    }

    @Test("what has been unmapped is out of reach, cached or not", arguments: HostKind.allCases, [false, true])
    func unmap(_ kind: HostKind, ats: Bool) throws {
        let guest = try Guest(kind.make())
        let file = try guest.host.memory(named: "dimm", bytes: 0x20_0000)
        let dimm = MemoryMap(ipa: 0x8000_0000, size: 0x20_0000, offset: 0, writable: true, file: file)
        try guest.host.backend.map(dimm)
        let space = guest.makeSpace()
        guest.map(space, 0x1000, to: dimm.ipa)
        guest.map(space, 0x2000, to: guest.allocate())
        try guest.attach(0, as: 7, ats ? space.installationWithATS : space.installation, ats: ats)
        try guest.attach(1, as: 8, .bypass)
        for _ in 0..<2 {
            let replies = [guest.access(7, 0x1000), guest.access(8, dimm.ipa), guest.access(7, 0x2000)]
            #expect(replies.allSatisfy { $0.stage2 == .done })
        }
        try guest.host.backend.unmap(dimm)
        let replies = [guest.access(7, 0x1000), guest.access(8, dimm.ipa)]
        #expect(replies.allSatisfy { $0.stage2 == .fault && $0.event.id == .translation && $0.event.stage2 })
        let other = guest.access(7, 0x2000)
        #expect(other.stage2 == .done, "the rest stays")
    }

    @Test("after an invalidation new tables count", arguments: HostKind.allCases, [false, true])
    func invalidation(_ kind: HostKind, ats: Bool) throws {
        let guest = try Guest(kind.make())
        let space = guest.makeSpace(asid: 5)
        let (old, new) = (guest.allocate(), guest.allocate())
        try guest.attach(0, as: 7, ats ? space.installationWithATS : space.installation, ats: ats)
        let ways: [Command] = [
            .tlbi(.tlbiNHVA, asid: 5, address: 0x3000), .tlbi(.tlbiNHASID, asid: 5), .tlbi(.tlbiNHVAA, address: 0x3000),
            .make(.tlbiNHAll), .make(.tlbiNSNHAll),
        ]
        for command in ways {
            guest.map(space, 0x3000, to: old)
            _ = guest.invalidate(.make(.tlbiNSNHAll), .atcInv(StreamID(7)))
            let before = guest.reaches(old, by: 7, at: 0x3000)
            guest.map(space, 0x3000, to: new)
            let outcome = guest.invalidate(command, .atcInv(StreamID(7), address: 0x3000, size: 0))
            let after = guest.reaches(new, by: 7, at: 0x3000)
            #expect(before && after && outcome == .completed, "\(command)")
        }
    }

    @Test("a changed CD counts after CFGI_CD, CFGI_CD_ALL, or the STE's own installation", arguments: HostKind.allCases)
    func contexts(_ kind: HostKind) throws {
        let guest = try Guest(kind.make())
        let (space, other) = (guest.makeSpace(asid: 1), guest.makeSpace(asid: 2))
        let (target, otherTarget) = (guest.allocate(), guest.allocate())
        guest.map(space, 0x1000, to: target)
        guest.map(other, 0x1000, to: otherTarget)
        try guest.attach(0, as: 7, space.installation)
        let saved = (0..<8).map { guest[space.context + $0 * 8] }
        func place(_ words: [UInt64]) {
            for (index, word) in words.enumerated() { guest[space.context + UInt64(index) * 8] = word }
        }
        for change in 0..<3 {
            place(saved)
            try guest.install(space.installation, for: 7)
            let before = guest.reaches(target, by: 7, at: 0x1000)
            place((0..<8).map { guest[other.context + $0 * 8] })
            switch change {
            case 0: _ = guest.invalidate(.cfgiCD(StreamID(7), SubstreamID(0)))
            case 1: _ = guest.invalidate(.cfgiCDAll(StreamID(7)))
            default: try guest.install(space.installation, for: 7)
            }
            let after = guest.reaches(otherTarget, by: 7, at: 0x1000)
            #expect(before && after, "change \(change)")
        }
    }

    @Test("commands for streams that are not there do nothing, and the others are done", arguments: HostKind.allCases)
    func foreignStreams(_ kind: HostKind) throws {
        let guest = try Guest(kind.make())
        try guest.attach(0, as: 7, .bypass)
        let outcome = guest.invalidate(
            .cfgiCD(StreamID(0x100), SubstreamID(0)), .cfgiCDAll(StreamID(9)), .atcInv(StreamID(9)),
            .atcInv(StreamID(7)), .make(.tlbiNSNHAll))
        #expect(outcome == .completed)
        let reply = guest.access(7, Guest.ramBase)
        #expect(reply.stage2 == .done)
    }

    @Test("resynchronizing forgets everything cached and leaves everything installed", arguments: HostKind.allCases)
    func resynchronize(_ kind: HostKind) throws {
        let guest = try Guest(kind.make())
        let space = guest.makeSpace()
        let (old, new) = (guest.allocate(), guest.allocate())
        guest.map(space, 0x1000, to: old)
        try guest.attach(0, as: 7, space.installationWithATS, ats: true)
        let before = guest.reaches(old, by: 7, at: 0x1000)
        guest.map(space, 0x1000, to: new)
        try guest.host.backend.resynchronize(guest.vsmmu)
        let after = guest.reaches(new, by: 7, at: 0x1000)
        #expect(before && after)
    }

    @Test("a device goes from one installation to any other", arguments: HostKind.allCases)
    func transitions(_ kind: HostKind) throws {
        let guest = try Guest(kind.make())
        let (first, second) = (guest.makeSpace(asid: 1), guest.makeSpace(asid: 2))
        let ipa = guest.allocate()
        guest.map(first, 0x1000, to: ipa)
        guest.map(second, 0x2000, to: ipa)
        try guest.attach(0, as: 7, .abort, ats: true)
        let all: [Installation] = [
            .abort, .illegal, .bypass, first.installation, second.installation, first.installationWithATS,
            second.installationWithATS,
        ]
        for from in all {
            for to in all {
                for (step, installed) in [from, to].enumerated() {
                    try guest.install(installed, for: 7)
                    let uses =
                        [guest.reaches(ipa, by: 7, at: ipa)]
                        + [0x1000, 0x2000].map { guest.reaches(ipa, by: 7, at: $0) }
                    let inFirst = installed == first.installation || installed == first.installationWithATS
                    let inSecond = installed == second.installation || installed == second.installationWithATS
                    #expect(uses == [installed == .bypass, inFirst, inSecond], "\(from) to \(to), step \(step)")
                }
            }
        }
    }

    @Test("a detached device is gone, and can come back under another vSID", arguments: HostKind.allCases)
    func detach(_ kind: HostKind) throws {
        let guest = try Guest(kind.make())
        try guest.attach(0, as: 7, .bypass)
        try guest.attach(1, as: 8, .bypass)
        try guest.host.backend.detach(StreamID(7), from: guest.vsmmu)
        let (gone, other) = (guest.access(7, Guest.ramBase), guest.access(8, Guest.ramBase))
        #expect(gone.stage1 == .abort && other.stage2 == .done)
        #expect(throws: BackendFailure.self) { try guest.host.backend.detach(StreamID(7), from: guest.vsmmu) }
        try guest.attach(0, as: 9, .bypass)
        let back = guest.access(9, Guest.ramBase)
        #expect(back.stage2 == .done)
    }

    @Test("a rebound device keeps its translation; what it did before keeps the old vSID", arguments: HostKind.allCases)
    func rebind(_ kind: HostKind) throws {
        let guest = try Guest(kind.make())
        let space = guest.makeSpace()
        let ipa = guest.allocate()
        guest.map(space, 0x1000, to: ipa)
        try guest.attach(0, as: 7, space.installation)
        _ = guest.access(7, 0x9000)
        try guest.host.backend.rebind(StreamID(7), to: StreamID(70), on: guest.vsmmu)
        _ = guest.access(70, 0x9000)
        let events = guest.takeEvents()
        #expect(events.records.map(\.streamID) == [StreamID(7), StreamID(70)])
        #expect(guest.reaches(ipa, by: 70, at: 0x1000))
        let old = guest.access(7, 0x1000)
        #expect(old.stage1 == .abort)
    }

    @Test("vSMMUs of a session share memory and nothing else", arguments: HostKind.allCases)
    func severalVSMMUs(_ kind: HostKind) throws {
        let guest = try Guest(kind.make())
        let second = VSMMUID(2)
        try guest.host.backend.createVSMMU(second, on: guest.host.smmu, advertised: guest.host.advertised)
        try guest.attach(0, as: 7, .bypass)
        _ = try guest.host.backend.attach(
            guest.host.device(1, ats: false), to: second, as: StreamID(7), initially: .abort)
        func access(_ ipa: UInt64) -> AccessReply { guest.access(7, ipa, on: second) }
        let (first, other) = (guest.access(7, Guest.ramBase), access(Guest.ramBase))
        #expect(first.stage2 == .done && other.stage1 == .abort)
        try guest.host.backend.install(.bypass, for: StreamID(7), on: second)
        let reached = access(Guest.ramBase)
        #expect(reached.stage2 == .done)
        _ = access(0x10)
        let readable = try guest.eventSourceIsReadable
        let otherReadable = try guest.host.isReadable(guest.host.backend.eventSource(of: second))
        #expect(!readable && otherReadable == guest.host.forwardsStage2Faults)
        try guest.host.backend.unmap(guest.ram)
        let (firstGone, otherGone) = (guest.access(7, Guest.ramBase), access(Guest.ramBase))
        #expect(firstGone.stage2 == .fault && otherGone.stage2 == .fault)
        try guest.host.backend.detach(StreamID(7), from: second)
        guest.host.backend.destroyVSMMU(second)
        #expect(guest.host.backend.eventSource(of: second) == nil)
        try guest.host.backend.createVSMMU(second, on: guest.host.smmu, advertised: guest.host.advertised)
    }

    @Test("what is asked of things that do not exist fails and changes nothing", arguments: HostKind.allCases)
    func unknown(_ kind: HostKind) throws {
        let guest = try Guest(kind.make())
        let backend = guest.host.backend
        try guest.attach(0, as: 7, .bypass)
        let (nobody, nowhere) = (StreamID(9), VSMMUID(9))
        #expect(throws: BackendFailure.self) { try backend.install(.bypass, for: nobody, on: guest.vsmmu) }
        #expect(throws: BackendFailure.self) { try backend.install(.bypass, for: StreamID(7), on: nowhere) }
        #expect(throws: BackendFailure.self) { try backend.rebind(nobody, to: StreamID(3), on: guest.vsmmu) }
        #expect(throws: BackendFailure.self) { try backend.resynchronize(nowhere) }
        #expect(throws: BackendFailure.self) {
            try backend.createVSMMU(guest.vsmmu, on: guest.host.smmu, advertised: guest.host.advertised)
        }
        #expect(throws: BackendFailure.self) { try guest.attach(1, as: 7, .bypass) }
        #expect(throws: BackendFailure.self) { try backend.map(guest.ram) }
        var other = guest.ram
        other.ipa = 0x9000_0000
        #expect(throws: BackendFailure.self) { try backend.unmap(other) }
        let outcome = backend.invalidate([Command.make(.tlbiNHAll)].span, on: nowhere)
        guard case .failed = outcome else {
            Issue.record("\(outcome)")
            return
        }
        let reply = guest.access(7, Guest.ramBase)
        #expect(reply.stage2 == .done)
    }

    @Test("sessions have nothing in common, however alike they are", arguments: HostKind.allCases)
    func sessions(_ kind: HostKind) throws {
        let guests = [try Guest(kind.make(), named: "one"), try Guest(kind.make(), named: "two")]
        for guest in guests { try guest.attach(0, as: 7, .bypass) }
        var bytes: [UInt8] = [1, 2, 3, 4]
        let reply = guests[0].transfer(7, Guest.ramBase, write: true, &bytes)
        #expect(reply.size == 4 && guests[0][Guest.ramBase] == 0x0403_0201 && guests[1][Guest.ramBase] == 0)
        try guests[0].host.backend.unmap(guests[0].ram)
        #expect(guests[1].reaches(Guest.ramBase, by: 7, at: Guest.ramBase))
    }
}

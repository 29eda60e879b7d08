import Backends
import BrokerCore
import FakeKernel
import LinuxSystem
import SMMUv3
import Testing
import Wire

/// Transactions that stall until the guest answers them, and those that must not.
@Suite struct IOMMUFDStallTests {
    private static func host(stallModel: UInt32 = 0, canStall: Bool = true) throws -> (IOMMUFDHost, Guest) {
        let host = try IOMMUFDHost(ids: .nested(stallModel: stallModel), canStall: canStall)
        let guest = try Guest(host)
        try guest.attach(0, as: 7, guest.makeSpace().installation)
        return (host, guest)
    }

    private static func read(_ host: IOMMUFDHost, _ guest: Guest, _ count: Int = 16) -> [EventRecord] {
        var records = [EventRecord](repeating: EventRecord(), count: count)
        var slots = records.mutableSpan
        let read = host.backend.readEvents(of: guest.vsmmu, into: &slots)
        return Array(records.prefix(read.count))
    }

    @Test("a stalled transaction comes as an event with a tag of its own, and is answered by it, once")
    func answers() throws {
        let (host, guest) = try Self.host()
        let source = host.backend.eventSource(of: guest.vsmmu)
        #expect(host.backend.features.contains(.pageResponse))
        let idle = try host.isReadable(source)
        #expect(!idle)
        let first = host.kernel.stall(host.fake(0), at: 0x1234_5000, write: true, pasid: 5)
        let second = host.kernel.stall(host.fake(0), at: 0x1234_6000)
        let readable = try host.isReadable(source)
        #expect(readable)
        let records = Self.read(host, guest)
        let record = try #require(records.first)
        #expect(records.count == 2 && record.id == .translation && record.streamID == StreamID(7))
        #expect(record.substreamID == SubstreamID(5) && record.inputAddress == 0x1234_5000 && !record.read)
        #expect(record.eventClass == .input && records[1].read && records[1].substreamID == nil)
        let tags = try records.map { StallTag(UInt32(try #require($0.stallTag))) }
        #expect(tags[0] != tags[1])
        let other = try host.backend.respond(.retry, to: StallTag(999), of: StreamID(7), on: guest.vsmmu)
        let retried = try host.backend.respond(.retry, to: tags[0], of: StreamID(7), on: guest.vsmmu)
        let again = try host.backend.respond(.retry, to: tags[0], of: StreamID(7), on: guest.vsmmu)
        #expect(!other && retried && !again && first.state == .retried && second.state == .waiting)
        // The kernel knows no other end than an abort.
        let ended = try host.backend.respond(.terminate, to: tags[1], of: StreamID(7), on: guest.vsmmu)
        #expect(ended && second.state == .aborted)
    }

    @Test("another device's tag answers nothing") func foreignTag() throws {
        let (host, guest) = try Self.host()
        try guest.attach(1, as: 8, guest.makeSpace().installation)
        let stall = host.kernel.stall(host.fake(0), at: 0x1000)
        let tag = StallTag(UInt32(try #require(Self.read(host, guest).first?.stallTag)))
        let known = try host.backend.respond(.retry, to: tag, of: StreamID(8), on: guest.vsmmu)
        #expect(!known && stall.state == .waiting)
        try host.backend.terminateStalls(of: StreamID(8), on: guest.vsmmu)
        #expect(stall.state == .waiting)
        try host.backend.terminateStalls(of: StreamID(7), on: guest.vsmmu)
        #expect(stall.state == .aborted)
    }

    enum End: CaseIterable { case replace, abort, detach, rebind, terminate, session }

    @Test("nothing stays stalled, read or not", arguments: End.allCases) func ends(_ end: End) throws {
        let (host, guest) = try Self.host()
        let stalls = (0..<8).map { host.kernel.stall(host.fake(0), at: $0 << 12) }
        let tag = StallTag(UInt32(try #require(Self.read(host, guest).first?.stallTag)))
        let unread = host.kernel.stall(host.fake(0), at: 0x9000)
        switch end {
        case .replace: try guest.install(guest.makeSpace(asid: 2).installation, for: 7)
        case .abort: try guest.install(.abort, for: 7)
        case .detach: try host.backend.detach(StreamID(7), from: guest.vsmmu)
        case .rebind: try host.backend.rebind(StreamID(7), to: StreamID(9), on: guest.vsmmu)
        case .terminate:
            _ = Self.read(host, guest)
            try host.backend.terminateStalls(of: nil, on: guest.vsmmu)
        case .session: host.end()
        }
        #expect((stalls + [unread]).allSatisfy { $0.state == .aborted })
        if end == .detach || end == .session || end == .rebind { return }
        let known = try host.backend.respond(.retry, to: tag, of: StreamID(7), on: guest.vsmmu)
        #expect(!known && Self.read(host, guest).isEmpty)
    }

    @Test(
        "what was read from the kernel before its device was replaced or detached answers nobody else's transaction",
        arguments: [End.replace, .rebind, .detach])
    func unreadRecords(_ end: End) throws {
        let (host, guest) = try Self.host()
        try guest.attach(1, as: 8, guest.makeSpace().installation)
        let old = (0..<4).map { host.kernel.stall(host.fake(0), at: $0 << 12) }
        // The kernel hands over all four, and gives their cookies to others once it has aborted them.
        #expect(Self.read(host, guest, 1).count == 1)
        switch end {
        case .rebind: try host.backend.rebind(StreamID(7), to: StreamID(9), on: guest.vsmmu)
        case .detach: try host.backend.detach(StreamID(7), from: guest.vsmmu)
        default: try guest.install(guest.makeSpace(asid: 2).installation, for: 7)
        }
        #expect(old.allSatisfy { $0.state == .aborted })
        let others = (0..<4).map { host.kernel.stall(host.fake(1), at: 0x10_0000 + $0 << 12) }
        let records = Self.read(host, guest)
        let stale = records.prefix(3)
        #expect(records.count == 7 && stale.map(\.inputAddress) == [0x1000, 0x2000, 0x3000])
        #expect(stale.allSatisfy { $0.stallTag == nil && $0.streamID == StreamID(end == .rebind ? 9 : 7) })
        #expect(records.dropFirst(3).allSatisfy { $0.stallTag != nil && $0.streamID == StreamID(8) })
        #expect(others.allSatisfy { $0.state == .waiting })
        if end == .replace { try host.backend.terminateStalls(of: StreamID(7), on: guest.vsmmu) }
        #expect(others.allSatisfy { $0.state == .waiting })
        for (stall, record) in zip(others, records.dropFirst(3)) {
            let tag = StallTag(UInt32(try #require(record.stallTag)))
            let known = try host.backend.respond(.retry, to: tag, of: StreamID(8), on: guest.vsmmu)
            #expect(known && stall.state == .retried)
        }
    }

    @Test("CMD_STALL_TERM ends what nobody has been told of too, and nothing of another stream") func terminateUnread()
        throws
    {
        let (host, guest) = try Self.host()
        try guest.attach(1, as: 8, guest.makeSpace().installation)
        var (own, others): ([FakeStall], [FakeStall]) = ([], [])
        // More than the kernel gives at once.
        for index: UInt64 in 0..<100 {
            own.append(host.kernel.stall(host.fake(0), at: index << 12))
            others.append(host.kernel.stall(host.fake(1), at: index << 12))
            if index == 10 { #expect(Self.read(host, guest, 2).count == 2) }
        }
        try host.backend.terminateStalls(of: StreamID(7), on: guest.vsmmu)
        #expect(own.allSatisfy { $0.state == .aborted } && others.allSatisfy { $0.state == .waiting })
        let readable = try host.isReadable(host.backend.eventSource(of: guest.vsmmu))
        #expect(readable, "what has been kept is told of")
        let records = guest.takeEvents().records
        let still = try host.isReadable(host.backend.eventSource(of: guest.vsmmu))
        #expect(records.count == 198 && !still, "no event is lost")
        #expect(records.allSatisfy { ($0.streamID == StreamID(8)) == ($0.stallTag != nil) })
        try host.backend.terminateStalls(of: nil, on: guest.vsmmu)
        #expect(others.allSatisfy { $0.state == .aborted })
    }

    @Test("a guest that never reads makes nothing grow by CMD_STALL_TERM: what is beyond that is a loss, exactly")
    func terminateForEver() throws {
        let (host, guest) = try Self.host()
        for index: UInt64 in 0..<5000 {
            let stall = host.kernel.stall(host.fake(0), at: index << 12)
            try host.backend.terminateStalls(of: StreamID(7), on: guest.vsmmu)
            #expect(stall.state == .aborted)
        }
        let events = guest.takeEvents()
        #expect(events.records.count == 4096 && events.losses.map(\.count) == [904])
        let readable = try host.isReadable(host.backend.eventSource(of: guest.vsmmu))
        #expect(!readable)
    }

    @Test("what there is no tag for is aborted, and the guest is told of a fault that does not stall") func flood()
        throws
    {
        let (host, guest) = try Self.host()
        var told = 0
        var plain: [EventRecord] = []
        var last = host.kernel.stall(host.fake(0), at: 0)
        for index: UInt64 in 1...4100 {
            for record in Self.read(host, guest) {
                told += 1
                if record.stallTag == nil { plain.append(record) }
            }
            last = host.kernel.stall(host.fake(0), at: index << 12)
        }
        for record in Self.read(host, guest) {
            told += 1
            if record.stallTag == nil { plain.append(record) }
        }
        #expect(told == 4101 && plain.count == 5 && last.state == .aborted)
        try host.backend.terminateStalls(of: nil, on: guest.vsmmu)
        let stall = host.kernel.stall(host.fake(0), at: 0x1000)
        #expect(Self.read(host, guest).first?.stallTag != nil && stall.state == .waiting)
    }

    @Test("a device of which the kernel knows no stalls is kept from stalling: nobody would ever answer")
    func neverHung() throws {
        let (host, guest) = try Self.host(canStall: false)
        #expect(host.fake(0).installed.words[1] >> 27 & 1 == 1)
        let stall = host.kernel.stall(host.fake(0), at: 0x1000)
        #expect(stall.state == .aborted && Self.read(host, guest).isEmpty)
    }

    @Test(
        "where the SMMU has no stalls, or always stalls, S1STALLD is as the guest has it",
        arguments: [1, 2] as [UInt32])
    func othersModels(model: UInt32) throws {
        let (host, guest) = try Self.host(stallModel: model, canStall: model == 2)
        #expect(host.fake(0).installed.words[1] >> 27 & 1 == 0)
        #expect(host.kernel.liveObjects.contains("fault queue") == (model == 2))
        _ = guest.takeEvents()
    }

    @Test("a kernel that cannot hand stalls over gets a stage 1 that does not stall") func withoutSVA() throws {
        let host = try IOMMUFDHost(ids: .nested(stallModel: 0), canStall: true)
        host.machine.hasSVA = false
        let guest = try Guest(host)
        try guest.attach(0, as: 7, guest.makeSpace().installation)
        #expect(host.fake(0).installed.translates && host.fake(0).installed.words[1] >> 27 & 1 == 1)
        let refused = host.kernel.count(of: .attach)
        try guest.install(guest.makeSpace(asid: 2).installation, for: 7)
        #expect(host.kernel.count(of: .attach) == refused + 1, "asked once")
    }

    @Test("no fault queue is left, whatever way a vSMMU goes") func objects() throws {
        let (host, guest) = try Self.host()
        #expect(host.kernel.liveObjects.contains("fault queue"))
        try host.backend.detach(StreamID(7), from: guest.vsmmu)
        host.backend.destroyVSMMU(guest.vsmmu)
        #expect(host.kernel.liveObjects == ["IOAS"])
    }
}

import BrokerClient
import BrokerCore
import BrokerHarness
import Foundation
import LinuxSystem
import SMMUv3
import Server
import Testing
import Wire

/// A guest that has its event queue, and the page with its registers, in its RAM, which the daemon fills.
private final class QueueGuest {
    static let records: UInt64 = 0x2_0000
    static let registers: UInt64 = 0x4_00a8

    let guest: Guest
    let signal: EventFD
    let log2: UInt32
    /// What the driver has in its CONS register.
    private(set) var cons: UInt32 = 0
    private(set) var overflows = 0

    init(_ guest: Guest, log2: UInt32) throws {
        (self.guest, self.log2) = (guest, log2)
        signal = try EventFD()
    }

    var place: EventsSubscribeRequest.Queue {
        EventsSubscribeRequest.Queue(base: Self.records, registers: Self.registers, log2: log2)
    }
    private var mask: UInt32 { 2 << log2 - 1 }
    var prod: UInt32 { guest.loadRegister(Self.registers) }

    /// The guest enables its event queue.
    func subscribe(notices: Int32? = nil) throws {
        cons = 0
        guest.storeRegister(0, at: Self.registers)
        guest.storeRegister(0, at: Self.registers + 4)
        try guest.broker.subscribe(
            to: guest.vsmmu, queueIn: guest.file, at: place, signalling: signal, notices: notices)
    }

    /// The driver's interrupt handler.
    func take() -> [EventRecord] {
        var taken: [EventRecord] = []
        while (prod ^ cons) & mask != 0 {
            let slot = Self.records + UInt64(cons & (1 << log2 - 1)) * 32
            taken.append(
                EventRecord(guest.load(slot), guest.load(slot + 8), guest.load(slot + 16), guest.load(slot + 24)))
            move(to: cons & ~mask | (cons + 1) & mask)
        }
        let now = prod
        if (now ^ cons) >> 31 != 0 {
            overflows += 1
            move(to: cons ^ 1 << 31)
        }
        return taken
    }

    func move(to cons: UInt32) {
        self.cons = cons
        guest.storeRegister(cons, at: Self.registers + 4)
    }
}

@Suite("Shared event queues")
struct SharedQueueTests {
    static let iova: UInt64 = 0x10_0000
    /// Faults of distinct pages, none of which is mapped.
    static func unmapped(_ index: Int) -> UInt64 { 0x4000_0000_0 + UInt64(index) << 12 }

    private func translating(_ harness: BrokerHarness, log2: UInt32) throws -> QueueGuest {
        try QueueGuest(try Guest.translating(harness, iova: Self.iova), log2: log2)
    }

    @Test("P26: a fault is in the guest's own queue, byte for byte, and its eventfd signalled, with nobody in between")
    func oneFault() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let queue = try translating(harness, log2: 7)
        try queue.subscribe()
        let reply = try queue.guest.translate(Self.unmapped(0))
        #expect(reply.stage1 == .fault && reply.recorded)
        #expect(try eventually { try queue.signal.take() > 0 })
        #expect(queue.prod == 1)
        #expect(queue.take() == [reply.event])
        _ = try queue.guest.translate(Self.unmapped(1))
        #expect(try eventually { try queue.signal.take() > 0 })
        #expect(queue.take().map { $0.words[2] } == [Self.unmapped(1)])
    }

    @Test("P2, P25: a guest that leaves its queue full delays no request; when it goes on it gets all, in order")
    func full() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let queue = try translating(harness, log2: 2)
        try queue.subscribe()
        for index in 0..<200 { _ = try queue.guest.translate(Self.unmapped(index)) }
        #expect(try queue.guest.translate(Self.iova).stage1 == .done, "requests have stopped")
        #expect(queue.prod == 4)
        var all: [EventRecord] = []
        // Nobody tells the daemon that CONS has moved.
        #expect(
            eventually {
                all += queue.take()
                return all.count == 200
            })
        #expect(all.map { $0.words[2] } == (0..<200).map(Self.unmapped) && queue.overflows == 0)
    }

    @Test("P25: what the SMMU's own queue has lost toggles OVFLG, and is counted on the socket for notices")
    func loss() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let queue = try translating(harness, log2: 5)
        let pair = try SeqPacketSocket.pair()
        try queue.subscribe(notices: pair.second.fd.raw)
        let notices = EventReceiver(adopting: pair.closingSecond())
        let count = 12_000
        for index in 0..<count { _ = try queue.guest.translate(Self.unmapped(index)) }
        var (all, lost): ([EventRecord], UInt64) = ([], 0)
        let isComplete = try eventually {
            all += queue.take()
            while case .delivery(let delivery) = try notices.next() {
                if case .lost(let notice) = delivery.content { lost += notice.count }
            }
            return UInt64(all.count) + lost == UInt64(count)
        }
        #expect(isComplete, "\(all.count) records and \(lost) lost")
        let addresses = all.map { $0.words[2] }
        #expect(addresses == addresses.sorted() && Set(addresses).count == all.count)
        #expect(lost > 0 && queue.overflows > 0)
    }

    @Test("P9: a CONS that is no possible one stops the queue, and nothing else, until it is one")
    func hostileConsumer() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let queue = try translating(harness, log2: 3)
        try queue.subscribe()
        _ = try queue.guest.translate(Self.unmapped(0))
        #expect(eventually { queue.prod == 1 })
        queue.move(to: 5)
        for index in 1..<4 { _ = try queue.guest.translate(Self.unmapped(index)) }
        queue.guest.storeRegister(0xffff_ffff, at: QueueGuest.registers)
        #expect(try queue.guest.translate(Self.iova).stage1 == .done)
        queue.move(to: 0)
        #expect(eventually { queue.prod == 4 }, "PROD is the daemon's: what others write there is not believed")
        #expect(queue.take().map { $0.words[2] } == (0..<4).map(Self.unmapped))
    }

    @Test("An eventfd that is full, and blocks whoever writes to it, delays nobody")
    func blockingSignal() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let queue = try translating(harness, log2: 5)
        try queue.subscribe()
        let raw = queue.signal.fd.raw
        var most = UInt64.max - 1
        #expect(unsafe write(raw, &most, 8) == 8)
        #expect(fcntl(raw, F_SETFL, fcntl(raw, F_GETFL) & ~O_NONBLOCK) == 0)
        for index in 0..<10 { _ = try queue.guest.translate(Self.unmapped(index)) }
        #expect(eventually { queue.prod == 10 })
        #expect(try queue.guest.translate(Self.iova).stage1 == .done)
    }

    @Test("P5, P27: VSMMU_RESET ends the subscription and unmaps the queue; a new one begins with the new generation")
    func reset() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let queue = try translating(harness, log2: 2)
        let before = OpenResources(ofMemory: queue.guest.name)
        try queue.subscribe()
        let during = OpenResources(ofMemory: queue.guest.name)
        #expect(during.mappings == before.mappings + 2, "\(before), \(during)")
        #expect(during.descriptors == before.descriptors + 2)
        for index in 0..<20 { _ = try queue.guest.translate(Self.unmapped(index)) }
        #expect(eventually { queue.prod == 4 })
        _ = try queue.guest.broker.reset(queue.guest.vsmmu)
        #expect(OpenResources(ofMemory: queue.guest.name) == before)
        _ = queue.take()
        try queue.guest.enable()
        _ = try queue.guest.translate(Self.unmapped(100))
        #expect(eventually { harness.table.all.first?.snapshot.counters.events == 21 })
        #expect(queue.prod == 4, "the guest's queue is not its own any more")
        try queue.subscribe()
        #expect(eventually { queue.prod == 1 })
        #expect(queue.take().map { $0.words[2] } == [Self.unmapped(100)])
        #expect(eventually { harness.table.all.first?.snapshot.counters.eventsOutdated == 16 })
        #expect(harness.table.all.first?.snapshot.counters.eventsWaiting == 0)
    }

    @Test("P24: with the VMM its queue goes, however full it is; the next session has a queue of its own")
    func gone() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let name: String
        do {
            let queue = try translating(harness, log2: 1)
            name = queue.guest.name
            try queue.subscribe()
            for index in 0..<20 { _ = try queue.guest.translate(Self.unmapped(index)) }
            #expect(eventually { harness.table.all.first?.snapshot.counters.events == 20 })
            #expect(queue.prod == 2)
        }
        #expect(eventually { harness.table.all.isEmpty })
        #expect(OpenResources(ofMemory: name) == OpenResources(descriptors: 0, mappings: 0))
        let counters = harness.table.ended.counters
        #expect(counters.events == 20 && counters.eventsDelivered == 2, "\(counters)")
        #expect(counters.eventsDiscarded == 18)
        let next = try translating(harness, log2: 3)
        try next.subscribe()
        _ = try next.guest.translate(Self.unmapped(7))
        #expect(eventually { next.prod == 1 })
    }

    @Test("P5, P7: what is refused is closed and unmapped, and the subscription before it goes on")
    func refused() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let queue = try translating(harness, log2: 3)
        let guest = queue.guest
        try queue.subscribe()
        let name = "queue-\(UUID().uuidString)"
        func attempt(
            _ reason: Reason, seals: FileSeals = .shrink, size: UInt64 = 0x2000,
            _ place: EventsSubscribeRequest.Queue = .init(base: 0, registers: 0x1000, log2: 3), prod: UInt32 = 0
        ) throws {
            let memory = try OwnedFD.memory(named: name, size: size)
            if prod != 0 {
                let view = try Mapping(memory, offset: 0x1000, count: 0x1000, writable: true)
                let stored = view.storeReleasing(prod, at: 0)
                #expect(stored)
            }
            try memory.seal(seals)
            let signal = try EventFD()
            expectRefusal(reason) {
                try guest.broker.subscribe(to: guest.vsmmu, queueIn: memory, at: place, signalling: signal)
            }
            #expect(OpenResources(ofMemory: name) == OpenResources(descriptors: 1, mappings: 0))
        }
        try attempt(.notSealed, seals: [])
        try attempt(.hostFailure, seals: [.shrink, .write])
        try attempt(.beyondFile, size: 0x1000)
        try attempt(.beyondFile, .init(base: 0, registers: 0x1000, log2: 10))
        try attempt(.notAligned, .init(base: 32, registers: 0x1000, log2: 3))
        try attempt(.notAligned, .init(base: 0, registers: 0x1004, log2: 3))
        try attempt(.addressOverflow, .init(base: 0, registers: UInt64.max - 7, log2: 3))
        try attempt(.badValue, prod: 9)
        _ = try guest.translate(Self.unmapped(0))
        #expect(eventually { queue.prod == 1 })
    }
}

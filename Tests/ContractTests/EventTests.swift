import BrokerClient
import BrokerCore
import BrokerHarness
import Configuration
import Foundation
import LinuxSystem
import SMMUv3
import Server
import Synchronization
import Systemd
import Testing
import Wire

@Suite("Events")
struct EventTests {
    static let iova: UInt64 = 0x10_0000
    /// Faults of distinct pages, none of which is mapped.
    static func unmapped(_ index: Int) -> UInt64 { 0x4000_0000_0 + UInt64(index) << 12 }

    /// Reads events until `count` records have come, or nothing comes for a minute.
    private func records(_ count: Int, from events: EventReceiver) throws -> [(EventSequence, EventRecord)] {
        var all: [(EventSequence, EventRecord)] = []
        while all.count < count {
            guard case .delivery(let delivery) = try events.next(waitingAtMost: 60_000) else { break }
            guard case .events(let records) = delivery.content else { continue }
            for (index, record) in records.enumerated() {
                all.append((EventSequence(delivery.header.sequence.rawValue + UInt64(index)), record))
            }
        }
        return all
    }

    @Test("P26: a fault arrives as the guest's event queue takes it, byte for byte")
    func oneFault() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let guest = try Guest.translating(harness, iova: Self.iova)
        let events = try guest.broker.subscribe()
        let reply = try guest.translate(Self.unmapped(0))
        #expect(reply.stage1 == .fault && reply.recorded)
        let received = try records(1, from: events)
        #expect(received.map(\.1) == [reply.event])
        #expect(reply.event.words[2] == Self.unmapped(0))
    }

    @Test(
        "P2, P25: an owner that reads no events delays no request; nothing is lost, and the order is that of the faults"
    )
    func backPressure() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let guest = try Guest.translating(harness, iova: Self.iova)
        let events = try guest.broker.subscribe()
        // More than the owner's socket and the session's ring hold together; what the model's queue cannot take is
        // counted by it.
        let count = 12_000
        for index in 0..<count { _ = try guest.translate(Self.unmapped(index)) }
        #expect(try guest.translate(Self.iova).stage1 == .done, "requests have stopped")
        let (all, lost) = try drain(events, until: UInt64(count))
        #expect(UInt64(all.count) + lost == UInt64(count))
        #expect(all.count > EventRing.capacity, "less has waited than the session's ring holds")
        #expect(all.map(\.0) == all.map(\.0).sorted() && Set(all.map(\.0)).count == all.count)
        let addresses = all.map(\.1.words[2])
        #expect(addresses == addresses.sorted())
        // After it has caught up, the next one comes at once.
        _ = try guest.translate(Self.unmapped(count))
        #expect(try records(1, from: events).first?.1.words[2] == Self.unmapped(count))
    }

    /// Everything until `count` records have come or are counted as lost.
    private func drain(_ events: EventReceiver, until count: UInt64) throws -> ([(EventSequence, EventRecord)], UInt64)
    {
        var all: [(EventSequence, EventRecord)] = []
        var lost: UInt64 = 0
        while UInt64(all.count) + lost < count,
            case .delivery(let delivery) = try events.next(waitingAtMost: 60_000)
        {
            switch delivery.content {
            case .events(let records):
                for (index, record) in records.enumerated() {
                    all.append((EventSequence(delivery.header.sequence.rawValue + UInt64(index)), record))
                }
            case .lost(let notice): lost += notice.count
            default: break
            }
        }
        return (all, lost)
    }

    @Test("P25: events wait for the next subscriber when the last one has gone")
    func resubscribe() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let guest = try Guest.translating(harness, iova: Self.iova)
        var first: EventReceiver? = try guest.broker.subscribe()
        _ = try guest.translate(Self.unmapped(1))
        #expect(try records(1, from: try #require(first)).count == 1)
        first = nil
        let second = try guest.broker.subscribe()
        _ = try guest.translate(Self.unmapped(2))
        #expect(try records(1, from: second).map(\.1.words[2]) == [Self.unmapped(2)])
    }

    @Test("P27: records of before a reset bear the generation of before it")
    func generations() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let guest = try Guest.translating(harness, iova: Self.iova)
        _ = try guest.translate(Self.unmapped(1))
        #expect(eventually { harness.table.all.first?.snapshot.counters.events == 1 })
        let reset = try guest.broker.reset(guest.vsmmu)
        try guest.enable()
        _ = try guest.translate(Self.unmapped(2))
        let events = try guest.broker.subscribe()
        var generations: [UInt64: Generation] = [:]
        while generations.count < 2, case .delivery(let delivery) = try events.next(waitingAtMost: 60_000) {
            if case .events(let records) = delivery.content {
                for record in records { generations[record.words[2]] = delivery.header.generation }
            }
        }
        #expect(generations[Self.unmapped(2)] == reset.generation)
        #expect(generations[Self.unmapped(1)].map { $0 < reset.generation } == true)
    }

    @Test("A stalled transaction is delivered with its tag, and answered once")
    func stalls() throws {
        var configuration = Configuration.open()
        var settings = SMMUSettings()
        settings.stalls = true
        configuration.smmus = [settings.smmu(named: "model0")]
        for index in configuration.devices.indices { configuration.devices[index].device.smmu = configuration.smmus[0] }
        let harness = try BrokerHarness(configuration)
        defer { harness.stop() }
        let guest = try Guest.attached(harness)
        guest.map(iova: Self.iova, toPageAt: 0x1_0000)
        // CD.S: faults stall.
        guest.store(guest.load(0x3000) | 1 << 44, at: 0x3000)
        let events = try guest.broker.subscribe()
        #expect(try guest.enable().contexts.first?.state == .translate)
        let reply = try guest.translate(Self.unmapped(3))
        #expect(reply.stage1 == .stalled)
        let record = try #require(try records(1, from: events).first?.1)
        let tag = StallTag(UInt32(truncatingIfNeeded: record.words[1] & 0xffff))
        try guest.broker.respond(.terminate, to: tag, of: Guest.vsid, on: guest.vsmmu)
        expectRefusal(.unknownStallTag) {
            try guest.broker.respond(.terminate, to: tag, of: Guest.vsid, on: guest.vsmmu)
        }
    }

    @Test("A storm of one context reaches the journal up to its limit, with the exact number of the others")
    func journal() throws {
        var configuration = Configuration.open()
        configuration.journal.faultBurst = 3
        let harness = try BrokerHarness(configuration)
        defer { harness.stop() }
        do {
            let guest = try Guest.translating(harness, iova: Self.iova)
            for index in 0..<20 { _ = try guest.translate(Self.unmapped(index)) }
            #expect(eventually { harness.table.all.first?.snapshot.counters.events == 20 })
        }
        #expect(eventually { harness.table.all.isEmpty })
        harness.stop()
        #expect(harness.journal.records(of: .fault).count == 3)
        let suppressed = harness.journal.records(of: .suppressedFaults)
        #expect(suppressed.count == 1 && suppressed.first?.message.contains("17") == true)
    }
}

import BrokerCore
import SMMUv3
import Testing
import Wire

/// How the model's event source counts and orders.
@Suite struct ModelEventTests {
    private func faultyGuest() throws -> Guest {
        let guest = try Guest(ModelHost())
        try guest.attach(0, as: 7, guest.makeSpace().installation)
        return guest
    }

    /// Causes one event for each page from `first` on.
    private func fault(_ guest: Guest, _ pages: Range<UInt64>) {
        for page in pages { _ = guest.access(7, page << 12) }
    }

    private func pages(_ events: Guest.Events) -> [UInt64] { events.records.map { $0.inputAddress >> 12 } }

    @Test("each access under an ILLEGAL STE is recorded as C_BAD_STE, and under an aborting one not at all")
    func illegalSTE() throws {
        let guest = try Guest(ModelHost())
        try guest.attach(0, as: 7, .illegal)
        let replies = [guest.access(7, 0x1000), guest.access(7, 0x2000, write: true)]
        #expect(replies.allSatisfy { $0.stage1 == .fault && $0.recorded && $0.event.id == .badSTE })
        try guest.install(.abort, for: 7)
        #expect(guest.access(7, 0x1000).stage1 == .abort)
        #expect(guest.takeEvents().records == replies.map(\.event))
        #expect(replies[0].event.streamID == StreamID(7))
    }

    @Test("events come in order and whole, by however many at a time", arguments: [1, 3, 128, 1000])
    func order(_ step: Int) throws {
        let guest = try faultyGuest()
        for round in 0..<3 as Range<UInt64> {
            fault(guest, round * 500..<round * 500 + 500)
            let events = guest.takeEvents(by: step)
            #expect(pages(events) == Array(round * 500..<round * 500 + 500) && events.losses.isEmpty)
        }
    }

    @Test("what a full queue loses is counted exactly, where it is missing", arguments: [1, 100, 512, 600])
    func loss(_ step: Int) throws {
        let guest = try faultyGuest()
        fault(guest, 0..<512 + 7)
        // Some room, filled again, and lost again.
        var slots = [EventRecord](repeating: EventRecord(), count: 100)
        var span = slots.mutableSpan
        let first = guest.host.backend.readEvents(of: guest.vsmmu, into: &span)
        #expect(first == EventsRead(count: 100))
        fault(guest, 1000..<1000 + 103)
        let events = guest.takeEvents(by: step)
        #expect(pages(events) == Array(100..<512) + Array(1000..<1100))
        #expect(events.losses.map(\.before) == [412, 512] && events.losses.map(\.count) == [7, 3])
        let readable = try guest.eventSourceIsReadable
        #expect(!readable)
        fault(guest, 5..<6)
        let later = guest.takeEvents()
        #expect(pages(later) == [5] && later.losses.isEmpty)
    }

    @Test("a loss behind the last record wakes whoever waits, and is told without a record")
    func lossAtTheEnd() throws {
        let guest = try faultyGuest()
        fault(guest, 0..<514)
        var slots = [EventRecord](repeating: EventRecord(), count: 512)
        var span = slots.mutableSpan
        let all = guest.host.backend.readEvents(of: guest.vsmmu, into: &span)
        let readable = try guest.eventSourceIsReadable
        var more = slots.mutableSpan
        let rest = guest.host.backend.readEvents(of: guest.vsmmu, into: &more)
        let after = try guest.eventSourceIsReadable
        #expect(all == EventsRead(count: 512) && readable && rest == EventsRead(count: 0, lost: 2) && !after)
    }

    @Test("a detached device's events are still there, with its vSID")
    func detached() throws {
        let guest = try faultyGuest()
        fault(guest, 1..<3)
        try guest.host.backend.detach(StreamID(7), from: guest.vsmmu)
        let events = guest.takeEvents()
        #expect(events.records.map(\.streamID) == [StreamID(7), StreamID(7)])
    }

    @Test("every stalled access is told, though the queue was full")
    func stallsBehindAFullQueue() throws {
        let host = ModelHost(ids: .nested(stallModel: 0), stalls: true)
        let guest = try Guest(host)
        try guest.attach(0, as: 7, guest.makeSpace().installation)
        try guest.attach(1, as: 8, guest.makeSpace(asid: 2, flipping: [44]).installation)
        fault(guest, 0..<512)
        let stalled = guest.access(8, 0x7000)
        #expect(stalled.stage1 == .stalled)
        let events = guest.takeEvents()
        #expect(events.records.count == 513 && events.records.last == stalled.event && events.losses.isEmpty)
    }
}

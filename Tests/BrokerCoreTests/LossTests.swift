import BrokerCore
import SMMUv3
import Testing
import Wire

/// Records that differ: the number is in word 3.
private func records(_ range: Range<Int>) -> [EventRecord] {
    range.map { index in
        var record = EventRecord(.translation, stream: StreamID(1))
        record.words[3] = UInt64(index)
        // Otherwise they would be told as one.
        record.inputAddress = UInt64(index) << 12
        return record
    }
}

private let first = VSMMUID(1)

/// What becomes of records when there is no room for them and no time to wait.
@Suite("Records at a reset")
struct LossTests {
    /// Everything that there is to deliver: records with their generations, and losses.
    private func deliverAll(_ harness: Harness) throws -> [(EventHeader, records: [EventRecord], lost: UInt64)] {
        var all: [(EventHeader, records: [EventRecord], lost: UInt64)] = []
        while let (message, records) = try harness.nextDelivery() {
            harness.session.delivered()
            if case .lost(let notice) = message.body {
                #expect(notice.place == .subscriber)
                all.append((message.header, [], notice.count))
            } else {
                all.append((message.header, records, 0))
            }
        }
        return all
    }

    private func fullHarness(more: Int) throws -> Harness {
        let harness = try Harness.translating()
        harness.backend.source[first] = records(0..<EventRing.capacity + more)
        while harness.session.hasRoomForEvents(of: first) { _ = harness.session.readSource(of: first, at: harness.now) }
        return harness
    }

    @Test("P25, P27: a reset while the owner's ring is full: older records get no newer generation, and are counted")
    func reset() throws {
        let harness = try fullHarness(more: 300)
        try harness.reset()
        harness.backend.source[first] = records(2000..<2001)
        try harness.subscribe()
        let all = try deliverAll(harness)
        #expect(all.filter { $0.0.generation == Generation(0) }.reduce(0) { $0 + $1.records.count } == 1024)
        #expect(all.map(\.lost).reduce(0, +) == 300)
        #expect(all.last?.lost == 300 && all.last?.0.generation == Generation(0))
        #expect(all.last?.0.sequence == EventSequence(1024))
        #expect(harness.observer.faults.count == 1324, "the journal and monitors have them all")
        #expect(harness.observer.faults.allSatisfy { $0.generation == Generation(0) })
        _ = harness.session.readSource(of: first, at: harness.now)
        let next = try #require(try harness.nextDelivery())
        #expect(next.0.header.generation == Generation(1) && next.0.header.sequence == EventSequence(1324))
        #expect(harness.session.counters.eventsDiscarded == 300)
    }

    @Test("P25: so are those of a vSMMU that is destroyed while the ring is full")
    func destroy() throws {
        let harness = try fullHarness(more: 5)
        try harness.detach(vsid: 1)
        try harness.detach(vsid: 2)
        #expect(try harness.destroy().isDone)
        try harness.subscribe()
        #expect(try deliverAll(harness).map(\.lost).reduce(0, +) == 5)
    }

    @Test("A client that resets again and again and reads nothing makes no more of it than a bounded amount")
    func manyResets() throws {
        let harness = try fullHarness(more: 0)
        for round in 0..<2 * EventRing.noticeLimit {
            harness.backend.source[first] = records(round..<round + 1)
            try harness.reset()
        }
        try harness.subscribe()
        let all = try deliverAll(harness)
        #expect(all.count <= 8 + EventRing.noticeCapacity)
        #expect(all.map(\.lost).reduce(0, +) == UInt64(2 * EventRing.noticeLimit))
    }
}

@Suite("Stalled transactions that nobody answers")
struct StallTests {
    private func stalled(_ tag: UInt16, stream: UInt32 = 1) -> EventRecord {
        var record = EventRecord(.translation, stream: StreamID(stream))
        record.stallTag = tag
        return record
    }

    private func harness(_ records: [EventRecord]) throws -> Harness {
        let harness = try Harness.translating()
        harness.backend.stalled = Set(records.compactMap(\.stallTag).map { StallTag(UInt32($0)) })
        harness.backend.source[first] = records
        _ = harness.session.readSource(of: first, at: harness.now)
        return harness
    }

    private func responses(_ harness: Harness) -> [Call] {
        harness.backend.calls.filter { if case .respond = $0 { true } else { false } }
    }

    @Test("P29: after its deadline the daemon answers with abort, once")
    func deadline() throws {
        let harness = try harness([stalled(3), stalled(4, stream: 2)])
        let deadline = try #require(harness.session.deadline)
        #expect(deadline > harness.now)
        _ = harness.session.timeout(at: Instant(nanoseconds: deadline.nanoseconds - 1))
        #expect(responses(harness).isEmpty)
        _ = harness.session.timeout(at: deadline)
        #expect(
            responses(harness) == [
                .respond(.abort, StallTag(3), ContextKey(first, StreamID(1))),
                .respond(.abort, StallTag(4), ContextKey(first, StreamID(2))),
            ])
        #expect(harness.observer.notices.contains(.stallTimedOut(device: name("disk"))))
        #expect(harness.session.deadline == nil)
    }

    @Test("P29: what has been answered, terminated or detached is not answered again")
    func answered() throws {
        let harness = try harness([stalled(3), stalled(4), stalled(5, stream: 2)])
        try harness.send(
            PageResponseRequest(vsmmu: first, vsid: StreamID(1), stag: StallTag(3), code: .retry))
        harness.backend.calls = []
        try harness.detach(vsid: 2)
        try harness.reset()
        #expect(harness.session.deadline == nil)
        _ = harness.session.timeout(at: Instant(nanoseconds: .max))
        #expect(responses(harness).isEmpty)
    }

    @Test("P29: a device that has been bound anew is answered for under its new vSID; a host that fails is asked again")
    func rebound() throws {
        let harness = try harness([stalled(3)])
        try harness.send(
            DeviceRebindRequest(vsmmu: first, vsid: StreamID(1), newVSID: StreamID(7)))
        harness.backend.fail = { if case .respond = $0 { .broken } else { nil } }
        _ = harness.session.timeout(at: try #require(harness.session.deadline))
        harness.backend.fail = { _ in nil }
        harness.backend.calls = []
        _ = harness.session.timeout(at: try #require(harness.session.deadline))
        #expect(responses(harness) == [.respond(.abort, StallTag(3), ContextKey(first, StreamID(7)))])
    }
}

@Suite("What a client must not get out of")
struct EvasionTests {
    @Test("I6: attaching a device anew gives the journal no more faults than its whole quota of contexts would")
    func reattach() throws {
        let harness = try Harness.ready(journalLimit: JournalLimit(burst: 2, intervalMilliseconds: 1000))
        for round in 0..<50 {
            harness.backend.source[first] = records(round * 10..<round * 10 + 10)
            _ = harness.session.readSource(of: first, at: harness.now)
            try harness.detach(vsid: 1)
            try harness.attach("disk", vsid: 1)
        }
        let logged = harness.observer.faults.count(where: \.journal)
        #expect(logged == 2 * Harness.grant.quota.contexts)
        var suppressed = harness.observer.faults.reduce(0) { $0 + $1.suppressed }
        for case .suppressedFaults(_, let count) in harness.observer.notices { suppressed += count }
        #expect(suppressed == UInt64(500 - logged))
        #expect(harness.session.counters.journalSuppressed == UInt64(500 - logged))
    }

    @Test("A new limit of the journal counts from the next fault on")
    func newLimit() throws {
        let harness = try Harness.ready(journalLimit: JournalLimit(burst: 1, intervalMilliseconds: 1000))
        harness.backend.source[first] = records(0..<3)
        _ = harness.session.readSource(of: first, at: harness.now)
        harness.session.journalLimit = JournalLimit(burst: 3, intervalMilliseconds: 1000)
        harness.backend.source[first] = records(3..<6)
        _ = harness.session.readSource(of: first, at: harness.now)
        #expect(harness.observer.faults.count(where: \.journal) == 3)
    }

    @Test("I1: a quarantine that the host refuses is asked for again until it is so")
    func quarantine() throws {
        let harness = try Harness.translating()
        harness.backend.fail = { if case .install(_, .abort) = $0 { .broken } else { nil } }
        #expect(harness.session.quarantine(name("disk"), at: harness.now))
        #expect(harness.inEffect() != .abort)
        for _ in 0..<3 {
            harness.now = max(harness.now, try #require(harness.session.deadline))
            _ = harness.session.timeout(at: harness.now)
            #expect(try #require(harness.session.deadline) > harness.now)
        }
        harness.backend.fail = { _ in nil }
        _ = harness.session.timeout(at: try #require(harness.session.deadline))
        #expect(harness.inEffect() == .abort && harness.session.deadline == nil)
        #expect(harness.session.release(name("disk"), at: harness.now))
        #expect(harness.inEffect()?.state == .translate)
    }

    @Test("A connection that said no HELLO leaves no trace in the journal")
    func noHello() {
        let harness = Harness()
        #expect(harness.session.end(at: harness.now) == nil)
        #expect(harness.observer.notices.isEmpty)
    }
}

import BrokerCore
import SMMUv3
import Testing
import Wire

/// Records that differ: the number is in word 3.
private func records(_ range: Range<Int>, stream: UInt32 = 1) -> [EventRecord] {
    range.map { index in
        var record = EventRecord(.translation, stream: StreamID(stream))
        record.words[3] = UInt64(index)
        // Otherwise they would be told as one.
        record.inputAddress = UInt64(index) << 12
        return record
    }
}

private let first = VSMMUID(1)
private let second = VSMMUID(2)

@Suite("Events")
struct EventTests {
    /// All that there is to deliver, one packet after the other.
    private func deliverAll(_ harness: Harness) throws -> [(EventMessage, [EventRecord])] {
        var all: [(EventMessage, [EventRecord])] = []
        while let next = try harness.nextDelivery() {
            all.append(next)
            harness.session.delivered()
        }
        return all
    }

    private func read(_ harness: Harness, _ vsmmu: VSMMUID = first) -> Session.Effects {
        harness.session.readSource(of: vsmmu, at: harness.now)
    }

    @Test("I5, P25, P26: records come in packets of up to 128, in order, numbered from 0")
    func batches() throws {
        let harness = try Harness.translating()
        try harness.subscribe()
        harness.backend.source[first] = records(0..<300)
        #expect(read(harness) == .delivery)
        let all = try deliverAll(harness)
        #expect(all.map(\.1.count) == [128, 128, 44])
        #expect(all.map(\.0.header.sequence.rawValue) == [0, 128, 256])
        #expect(all.flatMap(\.1) == records(0..<300))
        #expect(read(harness) == [], "nothing more")
        #expect(harness.session.counters.events == 300 && harness.session.counters.eventsDelivered == 300)
    }

    @Test("I5, P25: while nobody reads, the source is not read; nothing is lost")
    func backPressure() throws {
        let harness = try Harness.translating()
        harness.backend.source[first] = records(0..<3000)
        while harness.session.hasRoomForEvents(of: first) { _ = read(harness) }
        #expect(harness.backend.source[first]?.count == 3000 - EventRing.capacity)
        #expect(read(harness) == [])
        try harness.subscribe()
        var got: [EventRecord] = []
        while got.count < 3000 {
            let next = try #require(try harness.nextDelivery())
            #expect(next.0.header.sequence.rawValue == UInt64(got.count))
            got += next.1
            harness.session.delivered()
            _ = read(harness)
        }
        #expect(got == records(0..<3000))
    }

    @Test("P26: a packet stays until it has been delivered, for another subscriber too")
    func atLeastOnce() throws {
        let harness = try Harness.translating()
        let socket = try harness.subscribe()
        harness.backend.source[first] = records(0..<3)
        _ = read(harness)
        #expect(try harness.nextDelivery()?.1 == records(0..<3))
        #expect(try harness.nextDelivery()?.1 == records(0..<3))
        harness.session.subscriberGone(socket)
        #expect(harness.session.sockets.isEmpty && harness.session.takeDiscarded() == [socket])
        #expect(try harness.nextDelivery() == nil)
        let next = try harness.subscribe()
        #expect(try harness.nextDelivery()?.1 == records(0..<3))
        let third = try harness.subscribe()
        #expect(harness.session.takeDiscarded() == [next] && harness.session.sockets == [third])
        #expect(try harness.nextDelivery()?.1 == records(0..<3))
    }

    @Test("I5, P25: what the source lost comes as LOST, in its place, and uses up its numbers")
    func lost() throws {
        let harness = try Harness.translating()
        try harness.subscribe()
        harness.backend.source[first] = records(0..<2)
        _ = read(harness)
        (harness.backend.lost[first], harness.backend.source[first]) = (5, records(7..<9))
        _ = read(harness)
        let all = try deliverAll(harness)
        #expect(all.map(\.1) == [records(0..<2), [], records(7..<9)])
        #expect(all.map(\.0.header.sequence.rawValue) == [0, 2, 7])
        #expect(all[1].0.body == .lost(LossNotice(count: 5, place: .kernelQueue)))
        #expect(
            harness.session.counters.eventsLost == 5 && harness.session.state.vsmmus[0].nextSequence == EventSequence(9)
        )
        #expect(harness.observer.notices.contains(.lostEvents(vsmmu: first, count: 5)))
    }

    @Test("P26: each vSMMU has numbers of its own, and its own subscription; EVERY is for those that have none")
    func ownSubscriptions() throws {
        let harness = try Harness.translating()
        try harness.create()
        let own = try harness.subscribe(second)
        for (vsmmu, range) in [(first, 0..<2), (second, 2..<4), (first, 4..<5), (second, 5..<6)] {
            harness.backend.source[vsmmu] = records(range)
            _ = read(harness, vsmmu)
        }
        #expect(try harness.nextDelivery(to: own)?.1 == records(2..<4) + records(5..<6))
        harness.session.delivered()
        #expect(try harness.nextDelivery(to: own) == nil)
        let every = try harness.subscribe()
        let (message, waited) = try #require(try harness.nextDelivery(to: every))
        #expect(waited == records(0..<2) + records(4..<5))
        #expect(message.header.vsmmu == first && message.header.sequence == EventSequence(0))
        harness.session.delivered()
        // Without its own, the second's go where the others go.
        harness.session.subscriberGone(own)
        harness.backend.source[second] = records(6..<7)
        _ = read(harness, second)
        #expect(try harness.nextDelivery(to: every)?.0.header.sequence == EventSequence(3))
    }

    @Test("I6: a vSMMU whose events nobody reads holds up no other's")
    func noHeadOfLine() throws {
        let harness = try Harness.translating()
        try harness.create()
        let own = try harness.subscribe(second)
        harness.backend.source[first] = records(0..<3000)
        _ = read(harness)
        #expect(!harness.session.hasRoomForEvents(of: first) && harness.session.hasRoomForEvents(of: second))
        harness.backend.source[second] = records(0..<3)
        _ = read(harness, second)
        #expect(try harness.nextDelivery(to: own)?.1 == records(0..<3))
    }

    @Test("One socket for several vSMMUs takes their packets in turns")
    func turns() throws {
        let harness = try Harness.translating()
        try harness.create()
        try harness.subscribe()
        for vsmmu in [first, second] {
            harness.backend.source[vsmmu] = records(0..<300)
            _ = read(harness, vsmmu)
        }
        let all = try deliverAll(harness)
        #expect(all.map(\.0.header.vsmmu) == [first, second, first, second, first, second])
    }

    @Test("One packet has records of one vSMMU and one generation")
    func grouping() throws {
        let harness = try Harness.translating()
        try harness.create()
        try harness.subscribe()
        for (vsmmu, range) in [(first, 0..<2), (second, 2..<4)] {
            harness.backend.source[vsmmu] = records(range)
            _ = read(harness, vsmmu)
        }
        try harness.reset()
        harness.backend.source[first] = records(4..<6)
        _ = read(harness)
        let all = try deliverAll(harness)
        #expect(all.map(\.0.header.vsmmu) == [first, second, first])
        #expect(all.map(\.0.header.generation.rawValue) == [0, 0, 1])
        #expect(all.map(\.0.header.sequence.rawValue) == [0, 0, 2])
    }

    @Test("What may not be subscribed")
    func refused() throws {
        let harness = try Harness.ready()
        func subscribe(_ delivery: EventsSubscribeRequest.Delivery, _ kinds: [ReceivedFile.Kind], _ vsmmu: UInt32 = 1)
            throws -> Reason?
        {
            try harness.send(
                EventsSubscribeRequest(delivery: delivery, vsmmu: VSMMUID(vsmmu)),
                files: kinds.map { ReceivedFile(resource: harness.resource(), kind: $0) }
            ).reason
        }
        #expect(
            try subscribe(
                .queue(EventsSubscribeRequest.Queue(base: 0, registers: 0, log2: 4)), [.shmem, .shmem, .eventFD])
                == .notSupported)
        #expect(try subscribe(.socket, [.shmem]) == .notSocket)
        #expect(try subscribe(.socket, [.seqPacketSocket], 9) == .unknownVSMMU)
        #expect(harness.session.sockets.isEmpty && !harness.answer.keepsFiles)
    }

    @Test("The journal's limit lets a burst through per interval and counts the rest exactly")
    func journal() throws {
        let harness = try Harness.ready(journalLimit: JournalLimit(burst: 3, intervalMilliseconds: 1000))
        harness.backend.source[first] = records(0..<10) + records(0..<2, stream: 2)
        _ = read(harness)
        #expect(
            harness.observer.faults.map(\.journal) == [true, true, true] + Array(repeating: false, count: 7) + [
                true, true,
            ])
        #expect(harness.session.counters.journalSuppressed == 7)
        let deadline = try #require(harness.session.deadline)
        #expect(deadline == Instant(nanoseconds: 1_000_000_000))
        _ = harness.session.timeout(at: Instant(nanoseconds: 999_999_999))
        #expect(!harness.observer.notices.contains { if case .suppressedFaults = $0 { true } else { false } })
        _ = harness.session.timeout(at: deadline)
        #expect(harness.observer.notices.last == .suppressedFaults(device: name("disk"), count: 7))
        #expect(harness.session.deadline == nil)
    }

    @Test("Faults suppressed before the next one that is not are told with it")
    func suppressedCount() throws {
        let harness = try Harness.ready(journalLimit: JournalLimit(burst: 1, intervalMilliseconds: 1000))
        harness.backend.source[first] = records(0..<5)
        _ = read(harness)
        harness.now = Instant(nanoseconds: 2_000_000_000)
        harness.backend.source[first] = records(5..<6)
        _ = read(harness)
        #expect(harness.observer.faults.last?.suppressed == 4 && harness.observer.faults.last?.journal == true)
    }

    @Test("A fault names the device; one of an unknown stream names none")
    func observed() throws {
        let harness = try Harness.ready()
        harness.backend.source[first] = records(0..<1) + records(1..<2, stream: 99)
        _ = read(harness)
        #expect(harness.observer.faults.map(\.device) == [name("disk"), nil])
        #expect(harness.observer.faults.map(\.sequence) == [EventSequence(0), EventSequence(1)])
        #expect(harness.session.contextSnapshots().map(\.events) == [1, 0])
    }

    @Test("I5: whatever comes in whatever order, each record arrives once or is counted as lost")
    func random() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = Seeded(state: seed)
        let harness = try Harness.translating()
        try harness.create()
        try harness.subscribe()
        var (made, lostMade) = (0, UInt64(0))
        var next: [VSMMUID: UInt64] = [:]
        var (got, lostGot): ([UInt64], UInt64) = ([], 0)
        func take() throws {
            guard let (message, records) = try harness.nextDelivery() else { return }
            let vsmmu = message.header.vsmmu
            #expect(message.header.sequence.rawValue == next[vsmmu, default: 0], "seed \(seed)")
            if case .lost(let notice) = message.body {
                lostGot += notice.count
                next[vsmmu, default: 0] += notice.count
            }
            got += records.map { $0.words[3] }
            next[vsmmu, default: 0] += UInt64(records.count)
            harness.session.delivered()
        }
        for _ in 0..<3000 {
            let vsmmu = random.next() % 2 == 0 ? first : second
            switch random.next() % 8 {
            case 0...2:
                let count = Int(random.next() % 200)
                harness.backend.source[vsmmu, default: []] += records(made..<made + count)
                made += count
            case 3:
                if harness.session.hasRoomForEvents(of: vsmmu) {
                    harness.backend.lost[vsmmu] = 3
                    lostMade += 3
                    _ = read(harness, vsmmu)
                }
            case 4:
                _ =
                    harness.session.quarantine(name("disk"), at: harness.now)
                    && harness.session.release(name("disk"), at: harness.now)
            case 5: _ = read(harness, vsmmu)
            default: try take()
            }
        }
        for _ in 0..<10_000 {
            for vsmmu in [first, second] { _ = read(harness, vsmmu) }
            try take()
        }
        #expect(got.sorted() == (0..<UInt64(made)).map { $0 }, "seed \(seed)")
        #expect(lostGot == lostMade, "seed \(seed)")
    }
}

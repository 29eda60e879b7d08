import BrokerCore
import SMMUv3
import Testing
import Wire

/// Records that differ: the number is in word 3.
private func records(_ range: Range<Int>) -> [EventRecord] {
    range.map { index in
        var record = EventRecord(.translation, stream: StreamID(1))
        record.words[3] = UInt64(index)
        // Otherwise they would be told as one, and the session would wait for more of them.
        record.inputAddress = UInt64(index) << 12
        return record
    }
}

private let first = VSMMUID(1)
private let second = VSMMUID(2)

/// A session whose guest has its event queue in shared memory.
@Suite("Shared event queues")
struct SharedQueueTests {
    private func harness() throws -> (Harness, FakeEventMapper) {
        let mapper = FakeEventMapper()
        let harness = Harness(queues: mapper)
        try harness.hello([.model, .pageResponse, .sharedEvents])
        try harness.create()
        try harness.attach("disk", vsid: 1)
        return (harness, mapper)
    }

    /// Reads all that there is, and fills the queues.
    private func pump(_ harness: Harness, _ vsmmu: VSMMUID = first) {
        _ = harness.session.readSource(of: vsmmu, at: harness.now)
        harness.session.fillQueues(at: harness.now)
    }

    /// The session wants to be woken soon, and not just for the journal's limits.
    private func looksAgain(_ harness: Harness) -> Bool {
        harness.session.deadline.map { $0 < harness.now.advanced(byMilliseconds: 1000) } ?? false
    }

    private func balance(_ harness: Harness, _ vsmmu: VSMMUID = first) throws -> EventLedger {
        let ledger = try #require(harness.session.eventLedger(of: vsmmu))
        #expect(ledger.isBalanced, "\(ledger)")
        return ledger
    }

    @Test("SHARED_EVENTS is offered where there are shared queues")
    func feature() throws {
        func features(_ harness: Harness) throws -> Features? {
            guard case .hello(let reply) = try harness.hello([.sharedEvents, .model]).body else { return nil }
            return reply.features
        }
        #expect(try features(Harness(queues: FakeEventMapper())) == [.sharedEvents, .model])
        #expect(try features(Harness()) == [.model])
    }

    @Test("P25: a guest's queue that is full stops the reading; CONS is looked at again, less and less often")
    func backPressure() throws {
        let (harness, mapper) = try harness()
        try harness.subscribeQueue(log2: 3)
        harness.backend.source[first] = records(0..<3000)
        pump(harness)
        #expect(harness.backend.source[first]?.count == 3000 - EventRing.capacity && mapper.memory.signals == 1)
        #expect(try balance(harness).waiting == UInt64(EventRing.capacity - 8))
        var pauses: [UInt64] = []
        for _ in 0..<9 {
            let deadline = try #require(harness.session.deadline)
            pauses.append((deadline.nanoseconds - harness.now.nanoseconds) / 1_000_000)
            harness.now = deadline
            _ = harness.session.timeout(at: harness.now)
            harness.session.fillQueues(at: harness.now)
        }
        #expect(pauses == [1, 2, 4, 8, 16, 32, 64, 64, 64])
        var got: [EventRecord] = []
        while got.count < 3000 {
            got += mapper.memory.take(5)
            pump(harness)
        }
        #expect(got == records(0..<3000) && mapper.memory.overwritten == 0)
        #expect(!looksAgain(harness), "nothing is left to be looked at")
        #expect(try balance(harness).delivered == 3000)
    }

    @Test("P25: what the source has lost is shown by OVFLG, and told on the socket for notices in its place")
    func loss() throws {
        let (harness, mapper) = try harness()
        let notices = try harness.subscribeQueue(log2: 4, notices: true).last
        harness.backend.source[first] = records(0..<2)
        pump(harness)
        (harness.backend.lost[first], harness.backend.source[first]) = (5, records(7..<9))
        pump(harness)
        #expect(mapper.memory.take() == records(0..<2) && mapper.memory.hasOverflow)
        let message = try #require(try harness.nextDelivery(to: notices)).0
        #expect(message.body == .lost(LossNotice(count: 5, place: .kernelQueue)))
        #expect(message.header.sequence == EventSequence(2))
        harness.session.delivered()
        harness.session.fillQueues(at: harness.now)
        #expect(mapper.memory.take() == records(7..<9))
        #expect(try harness.nextDelivery(to: notices) == nil, "records do not go there")
        #expect(try balance(harness).lost == 5)
    }

    @Test("Notices go to the session's socket when the queue has none of its own, and nowhere without either")
    func notices() throws {
        let (harness, mapper) = try harness()
        try harness.subscribeQueue()
        func lose(_ count: UInt64) {
            harness.backend.lost[first] = count
            pump(harness)
        }
        lose(1)
        #expect(mapper.memory.hasOverflow)
        mapper.memory.acknowledge()
        let every = try harness.subscribe()
        #expect(try harness.nextDelivery(to: every) == nil, "it went nowhere before")
        lose(2)
        #expect(try harness.nextDelivery(to: every)?.0.body == .lost(LossNotice(count: 2, place: .kernelQueue)))
        // It is shown once, however often it is looked at.
        mapper.memory.acknowledge()
        harness.session.fillQueues(at: harness.now)
        #expect(!mapper.memory.hasOverflow)
        harness.session.delivered()
        #expect(try balance(harness).lost == 3)
    }

    @Test("P25: when the reader of notices has gone the queue goes on without")
    func noticesGone() throws {
        let (harness, mapper) = try harness()
        let resources = try harness.subscribeQueue(notices: true)
        harness.backend.lost[first] = 5
        harness.backend.source[first] = records(0..<2)
        pump(harness)
        #expect(mapper.memory.take().isEmpty)
        harness.session.subscriberGone(resources[3])
        #expect(harness.session.takeDiscarded() == [resources[3]])
        #expect(harness.session.sockets.isEmpty)
        harness.session.fillQueues(at: harness.now)
        #expect(mapper.memory.take() == records(0..<2))
    }

    @Test("P27: VSMMU_RESET ends the subscription; a new one gets nothing of an older generation")
    func reset() throws {
        let (harness, mapper) = try harness()
        let resources = try harness.subscribeQueue(log2: 3)
        harness.backend.source[first] = records(0..<20)
        pump(harness)
        let old = mapper.memory
        try harness.reset()
        #expect(Set(harness.session.takeDiscarded()) == Set(resources) && !looksAgain(harness))
        #expect(old.take().count == 8)
        mapper.memory = FakeEventMemory(log2: 3)
        try harness.subscribeQueue()
        harness.backend.source[first] = records(20..<22)
        pump(harness)
        #expect(mapper.memory.take() == records(20..<22) && old.take().isEmpty)
        let ledger = try balance(harness)
        #expect(ledger.delivered == 10 && ledger.outdated == 12 && ledger.waiting == 0)
        #expect(harness.session.counters.eventsOutdated == 12 && harness.session.counters.eventsWaiting == 0)
    }

    @Test("A loss from before a reset is not shown to the guest that came after")
    func olderLoss() throws {
        let (harness, mapper) = try harness()
        harness.backend.lost[first] = 5
        _ = harness.session.readSource(of: first, at: harness.now)
        try harness.reset()
        try harness.subscribeQueue()
        pump(harness)
        #expect(!mapper.memory.hasOverflow && mapper.memory.signals == 0)
        harness.backend.lost[first] = 1
        pump(harness)
        #expect(mapper.memory.hasOverflow)
        #expect(try balance(harness).lost == 6)
    }

    @Test("P25: with the vSMMU its guest's queue goes, and what was for it is counted as lost")
    func destroy() throws {
        let (harness, _) = try harness()
        let resources = try harness.subscribeQueue(log2: 3)
        harness.backend.source[first] = records(0..<20)
        pump(harness)
        try harness.detach()
        #expect(try harness.destroy().isDone)
        #expect(Set(harness.session.takeDiscarded()) == Set(resources))
        #expect(harness.session.eventLedger(of: first) == nil)
        #expect(harness.session.counters.eventsDelivered == 8 && harness.session.counters.eventsDiscarded == 12)
        #expect(harness.observer.notices.contains(.discardedEvents(vsmmu: first, count: 12)))
    }

    @Test("What is refused, and leaves the subscription as it was")
    func refused() throws {
        let (harness, mapper) = try harness()
        let size: UInt64 = 32 << 4
        func reason(
            _ queue: EventsSubscribeRequest.Queue = .init(base: 0, registers: 0x1000, log2: 4), at index: Int = 0,
            vsmmu: UInt32 = 1, _ change: (inout ReceivedFile) -> Void = { _ in }
        ) throws -> Reason? {
            var files = harness.queueFiles(notices: true)
            change(&files[index])
            let request = EventsSubscribeRequest(delivery: .queue(queue), vsmmu: VSMMUID(vsmmu))
            let reply = try harness.send(request, files: files)
            #expect(harness.answer.keepsFiles == reply.isDone)
            return reply.reason
        }
        #expect(try reason(vsmmu: 9) == .unknownVSMMU)
        for memory in 0...1 {
            #expect(try reason(at: memory) { $0.kind = .other } == .notMemory)
            #expect(try reason(at: memory) { $0.kind = .eventFD } == .notMemory)
            #expect(try reason(at: memory) { $0.kind = .hugetlb } == .hugetlbUnsupported)
            #expect(try reason(at: memory) { $0.writable = false } == .descriptorNotWritable)
            #expect(try reason(at: memory) { $0.readable = false } == .descriptorNotWritable)
            #expect(try reason(at: memory) { $0.sealedAgainstShrinking = false } == .notSealed)
        }
        #expect(try reason(at: 2) { $0.kind = .shmem } == .notEventFD)
        #expect(try reason(at: 3) { $0.kind = .eventFD } == .notSocket)
        #expect(try reason(.init(base: size / 2, registers: 0, log2: 4)) == .notAligned)
        #expect(try reason(.init(base: 0, registers: 4, log2: 4)) == .notAligned)
        #expect(try reason(.init(base: 0 &- size, registers: 0, log2: 4)) == .addressOverflow)
        #expect(try reason(.init(base: 0, registers: 0 &- 8, log2: 4)) == .addressOverflow)
        #expect(try reason(.init(base: 0, registers: 0, log2: 4)) { $0.size = size - 1 } == .beyondFile)
        #expect(try reason(.init(base: 0, registers: 0x1000, log2: 4), at: 1) { $0.size = 0x1007 } == .beyondFile)
        mapper.memory = FakeEventMemory(log2: 4)
        mapper.memory.producer = 17
        #expect(try reason() == .badValue)
        mapper.memory.producer = 0
        mapper.fail = .broken
        #expect(try reason() == .hostFailure)
        mapper.fail = nil
        #expect(harness.session.sockets.isEmpty && harness.session.state.subscriptions.isEmpty)
        #expect(try reason() == Reason.none)
        #expect(mapper.mapped.last?.place == .init(base: 0, registers: 0x1000, log2: 4))
        // Without SHARED_EVENTS from HELLO.
        let other = Harness(queues: mapper)
        try other.hello([.model])
        try other.create()
        let request = EventsSubscribeRequest(delivery: .queue(.init(base: 0, registers: 0, log2: 4)), vsmmu: first)
        #expect(try other.send(request, files: other.queueFiles()).reason == .notSupported)
    }

    @Test("A vSMMU that is gone counts against the quota until its events have been read")
    func lingering() throws {
        let (harness, _) = try harness()
        harness.backend.source[first] = records(0..<5)
        pump(harness)
        try harness.detach()
        #expect(try harness.destroy().isDone)
        #expect(try harness.create().isDone)
        #expect(try harness.create().isDone)
        let refusal = try #require(try harness.create().refusal)
        #expect(refusal.reason == .quota && refusal.text.contains("nobody has read"))
        try harness.subscribe()
        #expect(try harness.nextDelivery()?.1 == records(0..<5))
        harness.session.delivered()
        #expect(harness.session.eventLedger(of: first) == nil)
        #expect(try harness.create().isDone)
    }
}

import BrokerCore
import SMMUv3
import Testing
import Wire

/// Every record of every source is accounted for: delivered, waiting, or lost where and why.
@Suite("Ledger of the owner's events")
struct LedgerTests {
    /// Three vSMMUs, whose guests and VMM do what they like.
    private final class Run {
        let mapper = FakeEventMapper()
        let harness: Harness
        let seed: UInt64
        var random: Seeded
        /// Of each vSMMU: what its source has been given, and has lost.
        var made: [VSMMUID: UInt64] = [:]
        var lost: [VSMMUID: UInt64] = [:]
        /// What has come out, by socket and by queue.
        var sent: [VSMMUID: UInt64] = [:]
        var told: [VSMMUID: UInt64] = [:]
        var queues: [VSMMUID: FakeEventMemory] = [:]
        var taken: UInt64 = 0
        var alive: [VSMMUID] = []

        init(seed: UInt64) throws {
            (self.seed, random) = (seed, Seeded(state: seed))
            harness = Harness(queues: mapper)
            try harness.hello([.model, .pageResponse, .sharedEvents])
        }

        func below(_ count: UInt64) -> UInt64 { random.next() % count }

        func step() throws {
            let roll = below(100)
            guard let vsmmu = alive.isEmpty ? nil : alive[Int(below(UInt64(alive.count)))] else { return try begin() }
            switch roll {
            case 0..<30: storm(vsmmu)
            case 30..<50: _ = harness.session.readSource(of: vsmmu, at: harness.now)
            case 50..<60: harness.session.fillQueues(at: harness.now)
            case 60..<72: try deliver()
            case 72..<84: readQueue(vsmmu)
            case 84..<88: try subscribe(vsmmu)
            case 88..<90: try harness.subscribe()
            case 90..<92: harness.session.sockets.first.map(harness.session.subscriberGone)
            case 92..<95: try reset(vsmmu)
            case 95..<96: try destroy(vsmmu)
            case 96..<98: try create()
            default:
                harness.now = harness.now.advanced(byMilliseconds: below(200))
                _ = harness.session.timeout(at: harness.now)
            }
            _ = harness.session.takeDiscarded()
            try check()
        }

        /// What those that are gone have left takes their places until it has been read.
        private func begin() throws {
            try harness.subscribe()
            try deliver()
            try create()
        }

        private func create() throws {
            let reply = try harness.create()
            guard case .vsmmuCreate(let created, _) = reply.body else { return #expect(reply.reason == .quota) }
            alive.append(created.vsmmu)
        }

        private func storm(_ vsmmu: VSMMUID) {
            let count = Int(below(700))
            let new = EventRecord(.translation, stream: StreamID(1))
            harness.backend.source[vsmmu, default: []] += Array(repeating: new, count: count)
            made[vsmmu, default: 0] += UInt64(count)
            if below(4) == 0 {
                let count = 1 + below(9)
                harness.backend.lost[vsmmu, default: 0] += count
                lost[vsmmu, default: 0] += count
            }
        }

        private func deliver() throws {
            for socket in harness.session.sockets {
                for _ in 0..<below(12) {
                    guard let (message, records) = try harness.nextDelivery(to: socket) else { break }
                    sent[message.header.vsmmu, default: 0] += UInt64(records.count)
                    if case .lost(let notice) = message.body { told[message.header.vsmmu, default: 0] += notice.count }
                    harness.session.delivered()
                }
            }
        }

        private func readQueue(_ vsmmu: VSMMUID) {
            guard let queue = queues[vsmmu] else { return }
            taken += UInt64(queue.take(Int(below(64))).count)
            if below(2) == 0 { queue.acknowledge() }
            #expect(queue.overwritten == 0, "seed \(seed)")
        }

        private func subscribe(_ vsmmu: VSMMUID) throws {
            if below(3) == 0 {
                try harness.subscribe(vsmmu)
                return
            }
            let log2 = UInt32(1 + below(6))
            mapper.memory = FakeEventMemory(log2: log2)
            queues[vsmmu] = mapper.memory
            try harness.subscribeQueue(vsmmu.rawValue, log2: log2, notices: below(2) == 0)
        }

        private func reset(_ vsmmu: VSMMUID) throws {
            #expect(try harness.reset(vsmmu: vsmmu.rawValue).isDone)
        }

        private func destroy(_ vsmmu: VSMMUID) throws {
            #expect(try harness.destroy(vsmmu: vsmmu.rawValue).isDone)
            // What is still in the source nobody has ever had.
            made[vsmmu, default: 0] -= UInt64(harness.backend.source.removeValue(forKey: vsmmu)?.count ?? 0)
            alive.removeAll { $0 == vsmmu }
        }

        /// produced = delivered + waiting + lost by the source + discarded + outdated, of each source and of all.
        func check() throws {
            let counters = harness.session.counters
            var waiting: UInt64 = 0
            for (vsmmu, made) in made {
                guard let ledger = harness.session.eventLedger(of: vsmmu) else { continue }
                #expect(ledger.isBalanced, "seed \(seed): \(ledger)")
                let unread = UInt64(harness.backend.source[vsmmu]?.count ?? 0)
                let unnoticed = harness.backend.lost[vsmmu] ?? 0
                #expect(ledger.produced == made + lost[vsmmu, default: 0] - unread - unnoticed, "seed \(seed)")
                #expect(ledger.lost == lost[vsmmu, default: 0] - unnoticed, "seed \(seed)")
                waiting += ledger.waiting
            }
            #expect(counters.eventsWaiting == waiting, "seed \(seed)")
        }
    }

    @Test(
        "I5: produced = delivered + waiting + lost, by reason, under storms, full queues, resets and VMMs that go",
        arguments: 0..<6)
    func random(round: Int) throws {
        let run = try Run(seed: UInt64.random(in: 0...UInt64.max))
        for _ in 0..<2500 { try run.step() }
        let written = run.queues.values.reduce(0) { $0 + UInt64($1.take().count) }
        // What replaced or reset queues held unread was delivered as well; sockets and queues together have no more.
        let counters = run.harness.session.counters
        #expect(counters.eventsDelivered >= run.sent.values.reduce(0, +) + written, "seed \(run.seed)")
        #expect(counters.events + counters.eventsLost > 10_000, "seed \(run.seed)")
        // The VMM goes: what waits is lost, and counted.
        while let retry = run.harness.session.end(at: run.harness.now) { run.harness.now = retry }
        let ended = run.harness.session.counters
        #expect(ended.eventsWaiting == 0, "seed \(run.seed)")
        #expect(ended.eventsDiscarded == counters.eventsDiscarded + counters.eventsWaiting, "seed \(run.seed)")
        #expect(
            ended.events == ended.eventsDelivered + ended.eventsDiscarded + ended.eventsOutdated, "seed \(run.seed)")
        #expect(run.harness.session.state.subscriptions.isEmpty)
    }

    @Test("I5: exactly what the counters call delivered has come out of sockets and queues")
    func exact() throws {
        let mapper = FakeEventMapper()
        mapper.memory = FakeEventMemory(log2: 6)
        let harness = Harness(queues: mapper)
        try harness.hello([.model, .sharedEvents])
        try harness.create()
        try harness.create()
        try harness.subscribeQueue(1, log2: 6)
        let socket = try harness.subscribe()
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = Seeded(state: seed)
        var (queued, sent) = (0, 0)
        for _ in 0..<2000 {
            for number in 1...2 as ClosedRange<UInt32> {
                let new = EventRecord(.translation, stream: StreamID(number))
                harness.backend.source[VSMMUID(number), default: []] += Array(
                    repeating: new, count: Int(random.next() % 100))
                _ = harness.session.readSource(of: VSMMUID(number), at: harness.now)
            }
            harness.session.fillQueues(at: harness.now)
            queued += mapper.memory.take(Int(random.next() % 100)).count
            while random.next() % 3 != 0, let (_, records) = try harness.nextDelivery(to: socket) {
                harness.session.delivered()
                sent += records.count
            }
        }
        queued += mapper.memory.take().count
        let ledgers = try [1, 2].map { try #require(harness.session.eventLedger(of: VSMMUID($0))) }
        #expect(ledgers.map(\.delivered) == [UInt64(queued), UInt64(sent)], "seed \(seed)")
        let balanced = ledgers.allSatisfy(\.isBalanced)
        #expect(balanced, "seed \(seed)")
    }
}

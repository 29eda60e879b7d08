import BrokerCore
import SMMUv3
import Scenarios
import Testing
import Wire

private let vsmmu = VSMMUID(1)

@Suite("How long stalled transactions wait")
struct StallTimeTests {
    private func stalled(_ tag: UInt16, stream: UInt32 = 1) -> EventRecord {
        var record = EventRecord(.translation, stream: StreamID(stream))
        record.stallTag = tag
        return record
    }

    private func stall(_ harness: Harness, _ records: [EventRecord]) {
        harness.backend.stalled.formUnion(records.compactMap(\.stallTag).map { StallTag(UInt32($0)) })
        harness.backend.source[vsmmu] = records
        _ = harness.session.readSource(of: vsmmu, at: harness.now)
    }

    private func respond(_ harness: Harness, _ tag: UInt32, _ code: PageResponseRequest.Code = .retry) throws -> Reply {
        try harness.send(PageResponseRequest(vsmmu: vsmmu, vsid: StreamID(1), stag: StallTag(tag), code: code))
    }

    private func stalls(_ harness: Harness) throws -> LatencyHistogram {
        try #require(harness.session.contextSnapshots().first { $0.vsid == StreamID(1) }).stalls
    }

    @Test("P29: the deadline is the grant's, and a reload counts for those that come after it")
    func timeout() throws {
        let harness = try Harness.translating()
        var grant = Harness.grant
        grant.stallTimeoutMilliseconds = 5000
        harness.session.replaceGrant(grant, at: harness.now)
        stall(harness, [stalled(1)])
        #expect(harness.session.deadline == Instant(nanoseconds: 5_000_000_000))
        grant.stallTimeoutMilliseconds = 50
        harness.session.replaceGrant(grant, at: harness.now)
        stall(harness, [stalled(2)])
        #expect(harness.session.deadline == Instant(nanoseconds: 50_000_000))
        _ = harness.session.timeout(at: Instant(nanoseconds: 50_000_000))
        #expect(harness.backend.stalled == [StallTag(1)])
        harness.session.replaceGrant(nil, at: harness.now)
        stall(harness, [stalled(3)])
        _ = harness.session.timeout(at: Instant(nanoseconds: 5_000_000_000))
        #expect(harness.backend.stalled == [StallTag(3)])
        #expect(harness.session.deadline == Instant(nanoseconds: 10_000_000_000))
    }

    @Test("An answer that finds nothing is told what has become of the transaction")
    func sentences() throws {
        let harness = try Harness.translating()
        stall(harness, [stalled(1), stalled(2), stalled(3)])
        #expect(try respond(harness, 1).isDone)
        let twice = try respond(harness, 1)
        #expect(twice.reason == .unknownStallTag)
        #expect(twice.refusal?.text.contains("has been answered by a PAGE_RESPONSE before") == true)
        _ = harness.session.timeout(at: Instant(nanoseconds: 10_000_000_000))
        let late = try respond(harness, 2)
        #expect(late.reason == .unknownStallTag)
        #expect(late.refusal?.text.contains("within 10000 ms") == true)
        #expect(late.refusal?.text.contains("StallTimeout=") == true)
        let never = try respond(harness, 77)
        #expect(never.refusal?.text.contains("none was lately") == true)
        // A tag that is used again is another transaction.
        stall(harness, [stalled(1)])
        #expect(try respond(harness, 1).isDone)
        stall(harness, [stalled(4)])
        try harness.reset()
        harness.backend.stalled = []
        #expect(try respond(harness, 4).refusal?.text.contains("VSMMU_RESET") == true)
    }

    @Test("Each context counts how long its transactions waited, whoever answered")
    func histogram() throws {
        let harness = try Harness.translating()
        stall(harness, [stalled(1), stalled(2), stalled(3, stream: 2)])
        #expect(try stalls(harness).count == 0)
        harness.now = Instant(nanoseconds: 3_000_000)
        #expect(try respond(harness, 1).isDone)
        #expect(try respond(harness, 1).reason == .unknownStallTag)
        _ = harness.session.timeout(at: Instant(nanoseconds: 10_000_000_000))
        let both = try stalls(harness)
        #expect(both.count == 2 && both.maximum == 10_000_000_000 && both.sum == 10_003_000_000)
        #expect(both.quantile(permille: 500) == 1 << 22, "3 ms are within 4.2 ms")
        stall(harness, [stalled(5), stalled(6)])
        #expect(try respond(harness, 0, .terminateAll).isDone)
        #expect(try stalls(harness).count == 4)
    }

    @Test("P29: when the VMM is gone, all outstanding transactions are ended, before its memory goes")
    func end() throws {
        let harness = try Harness.translating()
        try harness.map()
        stall(harness, [stalled(1), stalled(2, stream: 2)])
        harness.backend.calls = []
        #expect(harness.session.end(at: harness.now) == nil)
        let terminated = try #require(harness.backend.calls.firstIndex(of: .terminateStalls(nil)))
        let unmapped = try #require(harness.backend.calls.firstIndex(of: .unmap(0x4000_0000)))
        #expect(terminated < unmapped)
        #expect(harness.session.deadline == nil)
    }

    @Test("P29: none waits without a deadline: what there is none for is aborted at once, and an answer is told so")
    func full() throws {
        let harness = try Harness.translating()
        _ = try harness.subscribe()
        var aborted = 0
        for tag: UInt16 in 0..<4200 {
            stall(harness, [stalled(tag)])
            // Once in a while its owner takes all.
            if tag % 500 == 0 { while try harness.nextDelivery() != nil { harness.session.delivered() } }
            if !harness.backend.stalled.contains(StallTag(UInt32(tag))) { aborted += 1 }
        }
        #expect(aborted == 104)
        let late = try respond(harness, 4199)
        #expect(late.reason == .unknownStallTag && late.refusal?.text.contains("4096 others") == true)
        _ = harness.session.timeout(at: Instant(nanoseconds: 10_000_000_000))
        #expect(harness.backend.stalled.isEmpty)
    }

    @Test("More answers than are remembered, and any order of them: never a wrong one")
    func many() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SplitMix64(seed: seed)
        let harness = try Harness.translating()
        var open: Set<UInt32> = []
        // About half of them are events, all of which the owner's ring has room for.
        for _ in 0..<1500 {
            let tag = UInt32(random.below(100))
            if random.chance(50) {
                stall(harness, [stalled(UInt16(tag))])
                open.insert(tag)
            } else {
                #expect(try respond(harness, tag).isDone == (open.remove(tag) != nil), "seed \(seed)")
            }
        }
        #expect(harness.backend.stalled == Set(open.map { StallTag($0) }), "seed \(seed)")
        _ = harness.session.timeout(at: Instant(nanoseconds: .max))
        #expect(harness.backend.stalled.isEmpty, "seed \(seed)")
    }
}

@Suite("Histograms of latencies")
struct LatencyHistogramTests {
    @Test(
        "A value is in the first bucket whose bound it does not exceed",
        arguments: [
            (0, 0), (1, 0), (1024, 0), (1025, 1), (2048, 1), (2049, 2), (1 << 33, 23), ((1 << 33) + 1, 24), (.max, 24),
        ] as [(UInt64, Int)])
    func bucket(value: UInt64, index: Int) {
        var histogram = LatencyHistogram()
        histogram.record(nanoseconds: value)
        for bound in 0..<LatencyHistogram.bounded {
            #expect(histogram.count(upTo: bound) == (bound >= index ? 1 : 0), "\(bound)")
        }
        #expect(histogram.count == 1 && histogram.maximum == value)
    }

    @Test("A quantile is not below the true one, and less than twice it")
    func quantiles() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SplitMix64(seed: seed)
        var (histogram, values): (LatencyHistogram, [UInt64]) = (LatencyHistogram(), [])
        for _ in 0..<999 {
            let value = UInt64(1) << UInt64(random.within(10...32)) + UInt64(random.below(1000))
            values.append(value)
            histogram.record(nanoseconds: value)
        }
        values.sort()
        for permille in [1, 500, 900, 990, 1000] as [UInt64] {
            let exact = values[Int((UInt64(values.count) * permille + 999) / 1000) - 1]
            let told = histogram.quantile(permille: permille)
            #expect(told >= exact && told < 2 * exact, "seed \(seed): \(permille)")
        }
        #expect((histogram + histogram).count == 1998)
        #expect(LatencyHistogram().quantile(permille: 500) == 0)
    }
}

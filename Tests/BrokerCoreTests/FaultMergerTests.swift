import BrokerCore
import SMMUv3
import Testing
import Wire

/// Identical faults become one, and none is forgotten.
@Suite("Merging of faults") struct FaultMergerTests {
    private let context = ContextKey(VSMMUID(1), StreamID(8))

    private func record(page: UInt64, kind: EventID = .translation, substream: UInt32? = nil) -> EventRecord {
        var record = EventRecord(kind, stream: StreamID(8))
        record.inputAddress = page << 12 | 0x123
        record.substreamID = substream.map { SubstreamID($0) }
        return record
    }

    private func key(_ record: EventRecord, isSample: Bool = false) -> FaultMerger.Key {
        FaultMerger.Key(record, of: context, Generation(0), isSample: isSample)
    }

    private func at(_ milliseconds: UInt64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    @Test("The first is told at once, those of the next second as one with first and last")
    func merging() throws {
        var merger = FaultMerger()
        let record = record(page: 1)
        for number: UInt64 in 0..<10 {
            let outcome = merger.take(
                record, EventSequence(number), key(record), most: .max, at: at(number * 100))
            #expect((outcome.told?.count == 1) == (number == 0) && outcome.evicted == nil)
        }
        #expect(merger.deadline == at(1000))
        let early = merger.takeDue(at: at(999))
        #expect(early == nil)
        let due = merger.takeDue(at: at(1000))
        let merged = try #require(due)
        #expect(merged.count == 9 && merged.first == at(100) && merged.last == at(900))
        #expect(merged.sequence == EventSequence(9))
        let none = merger.takeDue(at: at(1000))
        #expect(none == nil && merger.deadline == nil)
        // After a quiet second the next one is a first again.
        let again = merger.take(record, EventSequence(10), key(record), most: .max, at: at(5000))
        #expect(again.told?.count == 1 && again.told?.sequence == EventSequence(10))
    }

    @Test("Another page, kind or SubstreamID is another fault")
    func different() {
        var merger = FaultMerger()
        for record in [
            record(page: 1), record(page: 2), record(page: 1, kind: .permission), record(page: 1, substream: 0),
            record(page: 1, substream: 1),
        ] {
            let outcome = merger.take(record, EventSequence(0), key(record), most: .max, at: at(0))
            #expect(outcome.told?.count == 1)
        }
    }

    @Test("A sample tells one of so many, whatever the addresses")
    func sample() {
        var merger = FaultMerger()
        var told: [UInt64] = []
        for number: UInt64 in 0..<1001 {
            let record = record(page: number)
            let outcome = merger.take(
                record, EventSequence(number), key(record, isSample: true), most: 100, at: at(0))
            if let merged = outcome.told { told.append(merged.count) }
        }
        #expect(told == [1] + Array(repeating: 100, count: 10))
    }

    @Test("Whatever comes, every fault comes out in one count", arguments: 0..<8)
    func conservation(_: Int) {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = Seeded(state: seed)
        var merger = FaultMerger()
        var taken: [FaultMerger.Key: UInt64] = [:]
        var told: [FaultMerger.Key: UInt64] = [:]
        var now: UInt64 = 0
        func tell(_ merged: FaultMerger.Merged?) {
            guard let merged else { return }
            #expect(merged.first <= merged.last && merged.last <= at(now) && merged.count > 0, "seed \(seed)")
            told[merged.key, default: 0] += merged.count
        }
        let pages = [4, 100, 100_000][Int(random.next() % 3)] as UInt64
        for number: UInt64 in 0..<5000 {
            now += random.next() % 20 == 0 ? random.next() % 1500 : 0
            if let deadline = merger.deadline, deadline <= at(now) {
                while let merged = merger.takeDue(at: at(now)) { tell(merged) }
            }
            let record = record(
                page: random.next() % pages, kind: random.next() % 2 == 0 ? .translation : .permission)
            let key = key(record, isSample: random.next() % 16 == 0)
            taken[key, default: 0] += 1
            let outcome = merger.take(
                record, EventSequence(number), key, most: key.isSample ? 7 : .max, at: at(now))
            tell(outcome.evicted)
            tell(outcome.told)
            if random.next() % 500 == 0 { while let merged = merger.take(where: { $0 == context }) { tell(merged) } }
        }
        while let merged = merger.take(where: { _ in true }) { tell(merged) }
        #expect(told == taken, "seed \(seed)")
    }
}

extension FaultMerger {
    /// What is told because of one fault: of its own key, and of the one whose place it took.
    fileprivate mutating func take(
        _ record: EventRecord, _ sequence: EventSequence, _ key: Key, most: UInt64, at now: Instant
    ) -> (told: Merged?, evicted: Merged?) {
        if let index = index(of: key) { return (add(record, sequence, to: index, most: most, at: now), nil) }
        let evicted = begin(record, sequence, key, at: now)
        return (Merged(key: key, record: record, sequence: sequence, count: 1, first: now, last: now), evicted)
    }
}

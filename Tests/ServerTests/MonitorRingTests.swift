import Server
import Testing
import Wire

/// What waits for one monitor: a bounded number of records, and the exact number of those that found no room.
@Suite struct MonitorRingTests {
    private func record(_ number: UInt64) -> MonitorRecord {
        .notice(MonitorNotice(.began, session: number, time: 0))
    }

    @Test("Records come out in the order in which they went in, however often the ring has gone round")
    func order() {
        var ring = MonitorRing(capacity: 4)
        for number: UInt64 in 0..<50 {
            ring.push(record(number))
            if number % 3 == 0 { ring.push(record(1000 + number)) }
            #expect(ring.pop() == record(number))
            if number % 3 == 0 { #expect(ring.pop() == record(1000 + number)) }
            #expect(ring.isEmpty)
        }
        #expect(ring.pop() == nil)
    }

    @Test("What finds no room is counted exactly, where it would have been")
    func lost() {
        var ring = MonitorRing(capacity: 4)
        for number: UInt64 in 0..<10 { ring.push(record(number)) }
        #expect(ring.records == [record(0), record(1), record(2), .lost(MonitorLoss(notices: 7))])
        #expect(ring.pop() == record(0))
        #expect(ring.pop() == record(1))
        ring.push(record(10))
        #expect(ring.records == [record(2), .lost(MonitorLoss(notices: 7)), record(10)])
        ring.push(record(11))
        #expect(
            ring.records == [record(2), .lost(MonitorLoss(notices: 7)), record(10), .lost(MonitorLoss(notices: 1))])
    }

    @Test("Every record is delivered or counted, whatever the order of writing and reading", arguments: 0..<8)
    func conservation(_: Int) {
        let seed = UInt64.random(in: .min ... .max)
        var random = Seeded(state: seed)
        var ring = MonitorRing(capacity: Int.random(in: 2...9, using: &random))
        var (pushed, seen): (UInt64, UInt64) = (0, 0)
        func take() {
            switch ring.pop() {
            case .lost(let loss): seen += loss.notices
            case .notice(let notice):
                #expect(notice.session == seen, "seed \(seed)")
                seen += 1
            default: break
            }
        }
        for _ in 0..<500 {
            if Bool.random(using: &random) {
                ring.push(record(pushed))
                pushed += 1
            } else {
                take()
            }
        }
        while !ring.isEmpty { take() }
        #expect(seen == pushed, "seed \(seed)")
    }

    @Test("The past keeps the newest") func history() {
        var ring = MonitorRing(capacity: 3)
        for number: UInt64 in 0..<10 { ring.pushDroppingOldest(record(number)) }
        #expect(ring.records == [record(7), record(8), record(9)])
    }

    @Test("Many together go into the past as one after the other", arguments: [1, 2, 3, 5, 8, 17])
    func historyOfMany(size: Int) {
        var (together, singly) = (MonitorRing(capacity: 5), MonitorRing(capacity: 5))
        for start in 0..<12 {
            let records = (0..<size).map { record(UInt64(start * size + $0)) }
            together.pushDroppingOldest(records)
            for record in records { singly.pushDroppingOldest(record) }
            #expect(together.records == singly.records)
        }
    }

    private struct Seeded: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var z = state
            z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
            return z ^ (z >> 31)
        }
    }
}

import BrokerCore
import Testing

/// The rate of events over a sliding span, against a list of all of them.
@Suite("Windows of storms") struct StormWindowTests {
    @Test("It has everything of the last span, and nothing older than the span and a sixteenth", arguments: 0..<20)
    func bounds(_: Int) {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = Seeded(state: seed)
        var window = StormWindow()
        let span = [100, 999, 1000, 10_000, 86_400_000][Int(random.next() % 5)] as UInt64
        let nanoseconds = span * 1_000_000
        let slot = (nanoseconds + 15) / 16
        var events: [UInt64] = []
        var now = random.next() % (1 << 50)
        for _ in 0..<2000 {
            // From many in one slot to several spans of silence.
            switch random.next() % 8 {
            case 0: now += random.next() % (3 * nanoseconds)
            case 1: now += random.next() % (2 * slot)
            case 2: break
            default: now += random.next() % (slot / 4)
            }
            let count: UInt64
            if random.next() % 4 == 0 {
                count = window.count(at: Instant(nanoseconds: now), span: span)
            } else {
                events.append(now)
                count = window.add(at: Instant(nanoseconds: now), span: span)
            }
            let least = events.count { now - $0 < nanoseconds }
            let most = events.count { now - $0 <= nanoseconds + slot }
            #expect(count >= UInt64(least) && count <= UInt64(most), "seed \(seed), span \(span), now \(now)")
        }
    }

    @Test("Time that goes back, and another span, do no harm")
    func oddTimes() {
        var window = StormWindow()
        let late = Instant(nanoseconds: .max)
        for count: UInt64 in 1...5 {
            let sum = window.add(at: late, span: 1000)
            #expect(sum == count)
        }
        let back = window.add(at: Instant(nanoseconds: 0), span: 1000)
        #expect(back == 6)
        let other = window.add(at: late, span: .max)
        #expect(other == 1, "another span begins anew")
    }
}

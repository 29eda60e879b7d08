/// How often something happened lately, in a fixed amount of memory.
///
/// The time is cut into slots of 1/16 of the span (rounded up to a nanosecond); counted are the slot in hand and the 16
/// before it. So the count has everything of the last span, and nothing that is older than the span and one slot: a storm
/// is never missed, and what is taken for one is at most 1/16 longer than was asked for.
package struct StormWindow: Sendable {
    /// Slots of one span.
    package static let slots: UInt64 = 16

    /// Of the slot in hand and of those before it, each at its number modulo their count.
    private var counts = InlineArray<17, UInt32>(repeating: 0)
    /// Number of the slot in hand.
    private var slot: UInt64 = 0
    private var width: UInt64 = 0
    private var sum: UInt64 = 0
    /// Until then the slot in hand is that, for the span that was asked for last.
    private var end: UInt64 = 0
    private var span: UInt64 = 0
    /// Of the slot in hand.
    private var place = 0

    package init() {}

    /// Counts one more at `now`; how many there are now. Time that goes back counts as that before.
    ///
    /// - Parameter span: in milliseconds; another one than before forgets what was counted.
    @inline(__always)
    package mutating func add(at now: Instant, span milliseconds: UInt64) -> UInt64 {
        move(to: now, span: milliseconds)
        if counts[place] < .max {
            counts[place] += 1
            sum += 1
        }
        return sum
    }

    /// How many there are at `now`.
    package mutating func count(at now: Instant, span milliseconds: UInt64) -> UInt64 {
        move(to: now, span: milliseconds)
        return sum
    }

    package mutating func forget() {
        counts = InlineArray(repeating: 0)
        sum = 0
    }

    @inline(__always)
    private mutating func move(to now: Instant, span milliseconds: UInt64) {
        // No division: most that happens, happens in the slot in which something just has.
        if now.nanoseconds < end && milliseconds == span { return }
        divide(now, milliseconds)
        let (start, overflow) = slot.multipliedReportingOverflow(by: width)
        let (next, overflowOfNext) = start.addingReportingOverflow(width)
        (end, span, place) = (overflow || overflowOfNext ? .max : next, milliseconds, Int(slot % 17))
    }

    private mutating func divide(_ now: Instant, _ milliseconds: UInt64) {
        let (nanoseconds, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        let wanted = overflow ? UInt64.max / 16 : max(1, nanoseconds / 16 + (nanoseconds % 16 == 0 ? 0 : 1))
        if wanted != width {
            forget()
            (width, slot) = (wanted, now.nanoseconds / wanted)
            return
        }
        let next = now.nanoseconds / width
        if next <= slot { return }
        if next - slot > Self.slots {
            forget()
        } else {
            for number in slot + 1...next {
                sum -= UInt64(counts[Int(number % 17)])
                counts[Int(number % 17)] = 0
            }
        }
        slot = next
    }
}

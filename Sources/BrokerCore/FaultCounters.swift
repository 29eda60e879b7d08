import SMMUv3
package import Wire

/// What was counted of a session's faults beside ``SessionCounters``: of fixed size, and copied when it has
/// changed.
package struct FaultCounters: Sendable {
    /// One for each number of an event record below 63; all others share the last.
    package static let kinds = 64
    private static let states = 4
    private static let reasons = 16

    private var events = InlineArray<64, UInt64>(repeating: 0)
    /// Changes of health, by what it became and why.
    private var changes = InlineArray<64, UInt64>(repeating: 0)
    /// Faults that monitors and the journal have as part of another one's count.
    package var merged: UInt64 = 0

    package init() {}

    /// Where the records of a number are counted.
    package static func index(of number: UInt8) -> Int { min(Int(number), kinds - 1) }

    mutating func count(_ record: EventRecord) { events[Self.index(of: record.number)] &+= 1 }

    mutating func count(_ health: ContextHealth) {
        changes[Self.index(health.state, health.reason)] &+= 1
    }

    /// Records whose number is at `index`.
    package func events(at index: Int) -> UInt64 { events[index] }

    /// Changes to `state` because of `reason`.
    package func changes(to state: HealthNotice.State, because reason: HealthReason) -> UInt64 {
        changes[Self.index(state, reason)]
    }

    private static func index(_ state: HealthNotice.State, _ reason: HealthReason) -> Int {
        Int(state.rawValue) % states * reasons + Int(reason.rawValue) % reasons
    }

    package static func + (a: Self, b: Self) -> Self {
        var sum = a
        for index in 0..<kinds {
            sum.events[index] &+= b.events[index]
            sum.changes[index] &+= b.changes[index]
        }
        sum.merged &+= b.merged
        return sum
    }
}

extension FaultCounters: Hashable {
    package static func == (a: Self, b: Self) -> Bool {
        a.merged == b.merged
            && a.events.indices.allSatisfy { a.events[$0] == b.events[$0] && a.changes[$0] == b.changes[$0] }
    }

    package func hash(into hasher: inout Hasher) {
        for index in events.indices {
            hasher.combine(events[index])
            hasher.combine(changes[index])
        }
        hasher.combine(merged)
    }
}

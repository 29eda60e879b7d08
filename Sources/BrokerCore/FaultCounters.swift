package import Wire

/// What was counted of the health of a session's devices, and of its faults beside ``SessionCounters``: of fixed size, and copied when it has
/// changed.
package struct FaultCounters: Sendable {
    private static let states = 4
    private static let reasons = 16

    /// Changes of health, by what it became and why.
    private var changes = InlineArray<64, UInt64>(repeating: 0)
    /// Faults that monitors and the journal have as part of another one's count.
    package var merged: UInt64 = 0

    package init() {}

    mutating func count(_ health: ContextHealth) {
        changes[Self.index(health.state, health.reason)] &+= 1
    }

    /// Changes to `state` because of `reason`.
    package func changes(to state: HealthNotice.State, because reason: HealthReason) -> UInt64 {
        changes[Self.index(state, reason)]
    }

    private static func index(_ state: HealthNotice.State, _ reason: HealthReason) -> Int {
        Int(state.rawValue) % states * reasons + Int(reason.rawValue) % reasons
    }

    package static func + (a: Self, b: Self) -> Self {
        var sum = a
        for index in sum.changes.indices { sum.changes[index] &+= b.changes[index] }
        sum.merged &+= b.merged
        return sum
    }
}

extension FaultCounters: Hashable {
    package static func == (a: Self, b: Self) -> Bool {
        a.merged == b.merged && a.changes.indices.allSatisfy { a.changes[$0] == b.changes[$0] }
    }

    package func hash(into hasher: inout Hasher) {
        for index in changes.indices { hasher.combine(changes[index]) }
        hasher.combine(merged)
    }
}

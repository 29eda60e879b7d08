/// How many faults of a context the journal takes: `burst` in each interval, counted from the first of them.
package struct JournalLimit: Hashable, Sendable {
    package var burst: UInt64
    package var intervalMilliseconds: UInt64

    package init(burst: UInt64 = 10, intervalMilliseconds: UInt64 = 30_000) {
        (self.burst, self.intervalMilliseconds) = (burst, intervalMilliseconds)
    }
}

/// The faults of one context against its ``JournalLimit``: none is forgotten, each is let through or counted.
package struct JournalMeter: Hashable, Sendable {
    private var windowEnd: Instant?
    private var passed: UInt64 = 0
    /// Since the last one that was let through.
    package private(set) var suppressed: UInt64 = 0

    package init() {}

    /// One line: whether the journal is to have it, and how many faults were suppressed before it. It stands for `faults`
    /// of them.
    @inline(__always)
    package mutating func count(
        _ faults: UInt64 = 1, at now: Instant, _ limit: JournalLimit
    ) -> (journal: Bool, suppressed: UInt64) {
        if let end = windowEnd, now < end {
        } else {
            windowEnd = now.advanced(byMilliseconds: limit.intervalMilliseconds)
            passed = 0
        }
        guard passed < limit.burst else {
            suppressed &+= faults
            return (false, 0)
        }
        passed += 1
        defer { suppressed = 0 }
        return (true, suppressed)
    }

    /// What was let through is suppressed after all, for another reason.
    mutating func takeBack(_ verdict: (journal: Bool, suppressed: UInt64), _ faults: UInt64) {
        suppressed = verdict.suppressed &+ faults
    }

    /// When there will be something to tell; nil while nothing is suppressed.
    package var deadline: Instant? { suppressed > 0 ? windowEnd : nil }

    /// What was suppressed, once its interval has ended; counts anew from there.
    package mutating func takeSuppressed(at now: Instant) -> UInt64? {
        guard let deadline, deadline <= now else { return nil }
        return takeSuppressed()
    }

    /// The same at any time, because nobody will ask again.
    package mutating func takeSuppressed() -> UInt64? {
        defer { suppressed = 0 }
        return suppressed > 0 ? suppressed : nil
    }
}

/// What is counted of one context, beside its state.
struct ContextMeter: Keyed {
    var key: ContextKey
    var events: UInt64 = 0
    var stesInstalled: UInt64 = 0
    var journal = JournalMeter()
    var watch = HealthWatch()
    /// From when the record of a stalled transaction was read until it was answered, by whomever.
    var stalls = LatencyHistogram()
}

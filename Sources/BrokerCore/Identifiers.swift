import Wire

/// A session of this daemon. Never used twice.
package struct SessionID: WireNumber {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// Names a descriptor that somebody else owns: the rules and the ledger know descriptors by these alone.
package struct ResourceID: WireNumber {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// A point of the monotonic clock, in nanoseconds. Time enters the rules as a parameter of this type.
package struct Instant: Hashable, Comparable, Sendable {
    package var nanoseconds: UInt64
    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }
    package static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }

    /// The earlier of two; nil: there is none.
    package static func earlier(_ a: Instant?, _ b: Instant?) -> Instant? {
        guard let a, let b else { return a ?? b }
        return min(a, b)
    }

    /// Nanoseconds from `earlier` on; 0 when this is not later.
    package func since(_ earlier: Instant) -> UInt64 { nanoseconds &- min(earlier.nanoseconds, nanoseconds) }

    /// Later by `milliseconds`; the end of time where that would be beyond it.
    package func advanced(byMilliseconds milliseconds: UInt64) -> Instant {
        let (product, productOverflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        let (sum, overflow) = nanoseconds.addingReportingOverflow(product)
        return Instant(nanoseconds: overflow || productOverflow ? .max : sum)
    }
}

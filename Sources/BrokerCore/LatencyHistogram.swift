/// How long something took, in buckets that are powers of two: counted without allocation, and never reset.
package struct LatencyHistogram: Hashable, Sendable {
    /// Buckets with a bound; one more counts what is beyond the last bound.
    package static let bounded = 24
    /// Nanoseconds, as log2: the bound of the first bucket. That of the last is 8.6 s.
    private static let firstBound = 10

    private var buckets = FixedCounters<25>()
    /// Nanoseconds.
    package private(set) var sum: UInt64 = 0
    package private(set) var maximum: UInt64 = 0

    package init() {}

    @inline(__always)
    package mutating func record(nanoseconds: UInt64) {
        // The first bound that is not below it.
        let log2 = nanoseconds <= 1 ? 0 : UInt64.bitWidth - (nanoseconds - 1).leadingZeroBitCount
        buckets.add(at: min(max(log2 - Self.firstBound, 0), Self.bounded))
        sum &+= nanoseconds
        maximum = max(maximum, nanoseconds)
    }

    package var count: UInt64 { buckets.indices.reduce(0) { $0 &+ buckets[$1] } }

    /// Nanoseconds: what the bucket `index` counts is at most that.
    package static func bound(_ index: Int) -> UInt64 { 1 << UInt64(firstBound + index) }

    /// How many took at most ``bound(_:)`` of `index`.
    package func count(upTo index: Int) -> UInt64 { (0...index).reduce(0) { $0 &+ buckets[$1] } }

    /// Nanoseconds that `permille` of all did not exceed: the bound of the bucket that it falls into, or the maximum where
    /// that is less. 0 when there are none.
    package func quantile(permille: UInt64) -> UInt64 {
        let total = count
        if total == 0 { return 0 }
        let (product, overflow) = total.multipliedReportingOverflow(by: min(permille, 1000))
        let rank = max(overflow ? total : (product + 999) / 1000, 1)
        var seen: UInt64 = 0
        for index in 0..<Self.bounded {
            seen &+= buckets[index]
            if seen >= rank { return min(Self.bound(index), maximum) }
        }
        return maximum
    }

    package static func + (a: Self, b: Self) -> Self {
        var both = a
        both.buckets = a.buckets + b.buckets
        both.sum &+= b.sum
        both.maximum = max(a.maximum, b.maximum)
        return both
    }
}

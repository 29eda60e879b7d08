/// Times the calls of one iommufd, and keeps those that took long until somebody asks.
///
/// The clock comes from outside, so that nothing has to sleep to be slow.
package final class SlowCalls {
    /// Nanoseconds from which on a call is slow.
    package static let threshold: UInt64 = 100_000_000
    /// Slow calls that are kept; of more, only the number is.
    static let capacity = 16

    /// One call that took long.
    package struct Call: Hashable, Sendable {
        /// `IOMMU_HWPT_INVALIDATE`.
        package var name: String
        package var nanoseconds: UInt64
        package init(name: String, nanoseconds: UInt64) { (self.name, self.nanoseconds) = (name, nanoseconds) }
    }

    private let now: () -> UInt64
    private var kept: [Call] = []
    private var unnamed: UInt64 = 0
    /// Whether ``take()`` has something.
    package private(set) var isEmpty = true
    /// How long the last call took.
    package private(set) var last: UInt64 = 0

    /// - Parameter now: nanoseconds that never go back.
    package init(now: @escaping () -> UInt64) { self.now = now }

    package func begin() -> UInt64 { now() }

    package func end(_ name: StaticString, since began: UInt64) {
        let end = now()
        last = end >= began ? end - began : 0
        if last < Self.threshold { return }
        isEmpty = false
        if kept.count < Self.capacity {
            kept.append(Call(name: name.description, nanoseconds: last))
        } else {
            unnamed += 1
        }
    }

    /// Those since the last time, and how many more there were.
    package func take() -> (calls: [Call], more: UInt64) {
        defer { (kept, unnamed, isEmpty) = ([], 0, true) }
        return (kept, unnamed)
    }
}

package import SMMUv3
import Wire

/// One batch of invalidations that reached the backend: its ends and its length stand for all of it.
package struct PastInvalidation: Hashable, Sendable {
    package var first: Command
    package var last: Command
    /// Commands in the batch that reached the backend.
    package var count: UInt32
    package var at: Instant

    package init(first: Command, last: Command, count: UInt32, at: Instant) {
        (self.first, self.last, self.count, self.at) = (first, last, count, at)
    }

    fileprivate static var none: PastInvalidation {
        PastInvalidation(
            first: Command(d0: 0, d1: 0), last: Command(d0: 0, d1: 0), count: 0, at: Instant(nanoseconds: 0))
    }
}

/// The last few batches of invalidations of one vSMMU, for whoever has to find out why an address faulted. Of fixed size.
struct InvalidationLog: Keyed {
    static let capacity = 8

    let key: VSMMUID
    private var batches = InlineArray<8, PastInvalidation>(repeating: .none)
    /// Of all that were ever noted.
    private var noted = 0

    init(_ key: VSMMUID) { self.key = key }

    /// Notes one batch of at least one command.
    @inline(__always)
    mutating func note(_ commands: Span<Command>, at now: Instant) {
        batches[noted & 7] = PastInvalidation(
            first: commands[0], last: commands[commands.count - 1], count: UInt32(truncatingIfNeeded: commands.count),
            at: now)
        noted &+= 1
    }

    mutating func note(_ command: Command, at now: Instant) {
        batches[noted & 7] = PastInvalidation(first: command, last: command, count: 1, at: now)
        noted &+= 1
    }

    var count: Int { min(noted, Self.capacity) }

    /// The newest is 0; `age` below ``count``.
    subscript(age: Int) -> PastInvalidation { batches[(noted - 1 - age) & 7] }

    /// The newest first.
    var all: [PastInvalidation] { (0..<count).map { self[$0] } }
}

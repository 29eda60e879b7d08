import SMMUv3
import Wire

/// Transactions that wait for an answer, and until when: past that the daemon gives it (P29).
struct StallDeadlines {
    struct Stall: Hashable {
        var key: ContextKey
        var tag: StallTag
        var deadline: Instant

        var vsmmu: VSMMUID { key.vsmmu }
    }

    /// Milliseconds, from when the record was read.
    static let patience: UInt64 = 10_000
    /// More than any SMMU has: IDR5.STALL_MAX is far below it.
    static let capacity = 4096

    /// By deadline.
    private(set) var waiting: [Stall] = []

    var first: Instant? { waiting.first?.deadline }

    /// A tag that is used again is another transaction: the one before has been answered.
    mutating func add(_ tag: StallTag, of key: ContextKey, at now: Instant) {
        remove { $0.key == key && $0.tag == tag }
        if waiting.count >= Self.capacity { return }
        waiting.append(Stall(key: key, tag: tag, deadline: now.advanced(byMilliseconds: Self.patience)))
    }

    mutating func remove(_ isMeant: (Stall) -> Bool) {
        if !waiting.isEmpty { waiting.removeAll(where: isMeant) }
    }

    mutating func rename(_ key: ContextKey, to new: ContextKey) {
        for index in waiting.indices where waiting[index].key == key { waiting[index].key = new }
    }

    /// The next one that is due.
    mutating func takeDue(at now: Instant) -> Stall? {
        guard let first, first <= now else { return nil }
        return waiting.removeFirst()
    }
}

extension Session {
    /// Answers for a VMM that does not. Aborting tells the device; to read zeroes would not.
    func answerStalls(at now: Instant) {
        while let stall = stalls.takeDue(at: now) {
            guard let index = state.contexts.index(of: stall.key) else { continue }
            var known = false
            let failure = attempt { () throws(BackendFailure) in
                known = try backend.respond(.abort, to: stall.tag, of: stall.key.vsid, on: stall.vsmmu)
            }
            if failure != nil {
                // Among the last ones again, and not for ever at once.
                stalls.add(stall.tag, of: stall.key, at: now)
                return
            }
            if known { observer.saw(.stallTimedOut(device: state.contexts[index].device.name)) }
        }
    }
}

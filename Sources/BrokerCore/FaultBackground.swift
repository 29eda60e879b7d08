import SMMUv3
package import Wire

/// What was so when a fault was read: for who reads of it in the journal. Of fixed size, and made only for faults that the
/// journal takes.
package struct FaultBackground: Hashable, Sendable {
    /// What is in effect; nil when the record names no attached stream.
    package var effect: ContextState?
    /// Words 0 and 1 of the STE that the guest gave last; the others do not reach the host. nil: none since the reset.
    package var word0: UInt64?
    package var word1: UInt64 = 0
    /// The STE is ILLEGAL, and so the context aborts.
    package var illegal = false
    /// Batches of invalidations before it, the newest first.
    package var last: PastInvalidation?
    package var second: PastInvalidation?
    package var third: PastInvalidation?
    /// When the record was read.
    package var at: Instant
    package init(at: Instant) { self.at = at }

    package var invalidations: [PastInvalidation] { [last, second, third].compactMap(\.self) }
}

extension Session {
    func background(of key: ContextKey, at now: Instant) -> FaultBackground {
        var background = FaultBackground(at: now)
        if let index = state.contexts.index(of: key) {
            background.effect = state.contexts[index].installed.state
            background.illegal = state.contexts[index].illegal
            if let ste = state.contexts[index].ste {
                (background.word0, background.word1) = (ste.words[0], ste.words[1])
            }
        }
        if let index = invalidations.index(of: key.vsmmu) {
            let count = invalidations[index].count
            if count > 0 { background.last = invalidations[index][0] }
            if count > 1 { background.second = invalidations[index][1] }
            if count > 2 { background.third = invalidations[index][2] }
        }
        return background
    }
}

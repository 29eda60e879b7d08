import SMMUv3
import Wire

/// Transactions that wait for an answer, and until when: past that the daemon gives it (P29).
struct StallDeadlines {
    struct Stall: Hashable {
        var key: ContextKey
        var tag: StallTag
        var since: Instant
        var deadline: Instant

        var vsmmu: VSMMUID { key.vsmmu }
    }

    /// Whose answer it was.
    enum Answer: Hashable {
        case client, deadline, reset
        /// The daemon's, at once: too many waited.
        case overflow
    }

    /// An answer that has been given.
    private struct Past: Hashable {
        var key: ContextKey
        var tag: StallTag
        var answer: Answer
    }

    /// More than any SMMU has: IDR5.STALL_MAX is far below it.
    static let capacity = 4096
    /// Answers that are remembered, so that a second one can be told what became of the first.
    static let pastCapacity = 64

    /// By deadline.
    private(set) var waiting: [Stall] = []
    private var past: [Past] = []
    private var nextPast = 0

    var first: Instant? { waiting.first?.deadline }

    /// A tag that is used again is another transaction: the one before has been answered. False: too many wait, and this
    /// one has no deadline.
    mutating func add(_ stall: Stall, evenIfFull: Bool = false) -> Bool {
        past.removeAll { $0.key == stall.key && $0.tag == stall.tag }
        nextPast = past.count % Self.pastCapacity
        waiting.removeAll { $0.key == stall.key && $0.tag == stall.tag }
        if waiting.count >= Self.capacity && !evenIfFull { return false }
        // Nearly always the last: only a reload can shorten the patience.
        var place = waiting.count
        while place > 0, waiting[place - 1].deadline > stall.deadline { place -= 1 }
        waiting.insert(stall, at: place)
        return true
    }

    mutating func remove(_ isMeant: (Stall) -> Bool) {
        if !waiting.isEmpty { waiting.removeAll(where: isMeant) }
    }

    /// Takes out those that have been answered, and remembers by whom; `told` hears of each.
    mutating func settle(_ answer: Answer, _ isMeant: (Stall) -> Bool, _ told: (Stall) -> Void) {
        if waiting.isEmpty { return }
        waiting.removeAll { stall in
            guard isMeant(stall) else { return false }
            told(stall)
            Self.remember(answer, to: stall, in: &past, at: &nextPast)
            return true
        }
    }

    /// One that never waited here has been answered.
    mutating func remember(_ answer: Answer, to stall: Stall) {
        Self.remember(answer, to: stall, in: &past, at: &nextPast)
    }

    private static func remember(_ answer: Answer, to stall: Stall, in past: inout [Past], at next: inout Int) {
        let entry = Past(key: stall.key, tag: stall.tag, answer: answer)
        if past.count < pastCapacity { past.append(entry) } else { past[next] = entry }
        next = (next + 1) % pastCapacity
    }

    /// Whose answer a tag has had; nil when it has none, or had it long ago.
    func answer(to tag: StallTag, of key: ContextKey) -> Answer? {
        past.first { $0.key == key && $0.tag == tag }?.answer
    }

    mutating func rename(_ key: ContextKey, to new: ContextKey) {
        for index in waiting.indices where waiting[index].key == key { waiting[index].key = new }
        for index in past.indices where past[index].key == key { past[index].key = new }
    }

    /// Forgets all of a context that is gone.
    mutating func forget(_ key: ContextKey) {
        remove { $0.key == key }
        past.removeAll { $0.key == key }
        nextPast = past.count % Self.pastCapacity
    }

    /// The next one that is due; it stays until it is settled, or put off.
    func due(at now: Instant) -> Stall? {
        guard let first = waiting.first, first.deadline <= now else { return nil }
        return first
    }

    /// Puts the first one at the end, with a deadline of its own.
    mutating func putOff(to deadline: Instant) {
        guard !waiting.isEmpty else { return }
        var stall = waiting.removeFirst()
        stall.deadline = deadline
        var place = waiting.count
        while place > 0, waiting[place - 1].deadline > deadline { place -= 1 }
        waiting.insert(stall, at: place)
    }
}

extension Session {
    /// Of the grant that counts now: what waits already keeps the deadline that it was given.
    private var stallTimeout: UInt64 { grant?.stallTimeoutMilliseconds ?? Grant.standardStallTimeout }

    /// A transaction of a context waits for an answer from now on. None waits without a deadline: it is aborted then.
    func noteStall(_ tag: StallTag, of key: ContextKey, at now: Instant) {
        let stall = StallDeadlines.Stall(
            key: key, tag: tag, since: now, deadline: now.advanced(byMilliseconds: stallTimeout))
        if stalls.add(stall) { return }
        let failure = attempt { () throws(BackendFailure) in
            _ = try backend.respond(.abort, to: tag, of: key.vsid, on: key.vsmmu)
        }
        if failure == nil { return stalls.remember(.overflow, to: stall) }
        // The backend's tags are the limit.
        _ = stalls.add(stall, evenIfFull: true)
    }

    /// Transactions have been answered: how long they waited is counted.
    func settleStalls(
        _ answer: StallDeadlines.Answer, at now: Instant, _ isMeant: (StallDeadlines.Stall) -> Bool
    ) {
        var stalls = StallDeadlines()
        swap(&stalls, &self.stalls)
        stalls.settle(answer, isMeant) { stall in
            guard let meter = meters.index(of: stall.key) else { return }
            meters[meter].stalls.record(nanoseconds: now.since(stall.since))
            metersChanged = true
        }
        swap(&stalls, &self.stalls)
    }

    /// Answers for a VMM that does not. Aborting tells the device; to read zeroes would not.
    func answerStalls(at now: Instant) {
        while let stall = stalls.due(at: now) {
            guard let index = state.contexts.index(of: stall.key) else {
                stalls.remove { $0 == stall }
                continue
            }
            var known = false
            let failure = attempt { () throws(BackendFailure) in
                known = try backend.respond(.abort, to: stall.tag, of: stall.key.vsid, on: stall.vsmmu)
            }
            if failure != nil {
                // Among the last ones again, and not for ever at once.
                return stalls.putOff(to: now.advanced(byMilliseconds: stallTimeout))
            }
            settleStalls(.deadline, at: now) { $0 == stall }
            if known { observer.saw(.stallTimedOut(device: state.contexts[index].device.name)) }
        }
    }

    /// Why an answer to `tag` finds nothing to answer.
    func refusal(ofAnswerTo tag: StallTag, of key: ContextKey) -> Refusal {
        let what = "The transaction of vSID \(key.vsid.rawValue) under the tag \(tag)"
        let text: String
        switch stalls.answer(to: tag, of: key) {
        case .client: text = "\(what) has been answered by a PAGE_RESPONSE before: answer each once, and drop this one."
        case .deadline:
            text =
                "\(what) was aborted by the daemon, because no answer came within \(stallTimeout) ms: answer sooner, or "
                + "raise StallTimeout= of the grant; drop this one."
        case .overflow:
            text =
                "\(what) was aborted by the daemon at once, because \(StallDeadlines.capacity) others waited: answer sooner; "
                + "drop this one."
        case .reset: text = "\(what) was ended by VSMMU_RESET: drop the answer."
        case nil:
            text =
                "No transaction of vSID \(key.vsid.rawValue) is stalled under the tag \(tag), and none was lately: answer "
                + "with the STAG of an event that has STALL set, or drop it."
        }
        return Refusal(.unknownStallTag, .notFound, text)
    }
}

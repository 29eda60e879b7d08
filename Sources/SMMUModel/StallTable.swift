public import SMMUv3

/// Transactions that wait for an answer, by tag (IHI 0070, 3.12.2). Bounded; tags are reused lowest first.
struct StallTable {
    private let capacity: Int
    private var held: [Transaction?] = []
    private(set) var count = 0
    /// Answered transactions that their device has not taken back yet.
    private(set) var answered: [Resumption] = []
    /// Records of transactions that wait, which the event queue had no room for.
    var unreported: [EventRecord] = []

    init(capacity: Int) { self.capacity = max(0, min(capacity, 1 << 16)) }

    /// The tag under which `transaction` waits; nil when no tag is free. A tag whose answer has not been taken counts.
    mutating func hold(_ transaction: Transaction) -> UInt16? {
        guard count + answered.count < capacity else { return nil }
        count += 1
        if let free = held.firstIndex(where: { $0 == nil }) {
            held[free] = transaction
            return UInt16(truncatingIfNeeded: free)
        }
        held.append(transaction)
        return UInt16(truncatingIfNeeded: held.count - 1)
    }

    /// Answers one transaction. A tag that does not wait, or waits for another stream, is nobody's.
    @discardableResult
    mutating func answer(_ streamID: StreamID, _ tag: UInt16, _ action: Command.ResumeAction) -> Bool {
        guard Int(tag) < held.count, let transaction = held[Int(tag)], transaction.streamID == streamID else {
            return false
        }
        release(Int(tag), transaction, action)
        return true
    }

    /// Answers every transaction of `streamID`, or of all streams.
    mutating func answerAll(_ streamID: StreamID?, _ action: Command.ResumeAction) {
        for tag in held.indices {
            guard let transaction = held[tag], streamID == nil || transaction.streamID == streamID else { continue }
            release(tag, transaction, action)
        }
    }

    mutating func takeAnswered() -> Resumption? { answered.isEmpty ? nil : answered.removeFirst() }

    private mutating func release(_ tag: Int, _ transaction: Transaction, _ action: Command.ResumeAction) {
        held[tag] = nil
        count -= 1
        unreported.removeAll { $0.stallTag == UInt16(truncatingIfNeeded: tag) }
        answered.append(Resumption(transaction: transaction, tag: UInt16(truncatingIfNeeded: tag), action: action))
    }
}

/// A stalled transaction that was answered: its device goes on with it.
public struct Resumption: Hashable, Sendable {
    public let transaction: Transaction
    public let tag: UInt16
    /// `retry`: translate it again. `terminate` and `abort`: it is over, quietly or with an abort.
    public let action: Command.ResumeAction
}

extension SoftwareSMMU {
    /// Transactions that wait for RESUME or STALL_TERM.
    public var stalledCount: Int { stalls.count }

    /// The next answered transaction, oldest first; nil when there is none.
    public mutating func takeResumption() -> Resumption? { stalls.takeAnswered() }

    /// Turns translation off (SMMUEN = 0): transactions that wait are aborted (IHI 0070, 3.12.2). Caches stay.
    public mutating func disable() {
        registers.smmuEnabled = false
        endStallsWhileDisabled()
    }

    /// Nothing waits while SMMUEN is 0, however it came to be so.
    mutating func endStallsWhileDisabled() {
        if stalls.count > 0, !registers.smmuEnabled { stalls.answerAll(nil, .abort) }
    }

    /// TERM_MODEL leaves no quiet end: a transaction terminated without Ab aborts all the same.
    func effectiveAction(_ action: Command.ResumeAction) -> Command.ResumeAction {
        action == .terminate && ids.terminationAlwaysAborts ? .abort : action
    }
}

/// What becomes of a transaction when no cache holds anything.
package enum NaiveAnswer: Equatable, Sendable {
    /// Translated. The permissions are those for unprivileged data, of all stages together; `stage` is 1, 2, or 3 when
    /// both stages took part.
    case ok(pa: UInt64, unprivRead: Bool, unprivWrite: Bool, stage: Int)
    /// Passed on untranslated.
    case bypass(pa: UInt64)
    /// Terminated, and the architecture gives no event for it.
    case abort
    /// Terminated with an event: four 64-bit words, as they would be written. `recorded` is false when the
    /// configuration suppresses the record.
    case fault(record: [UInt64], recorded: Bool)
    /// Stalled. The record has STALL set and a STAG of zero.
    case stalled(record: [UInt64])
}

/// Ends a walk early with its answer.
struct NaiveStop: Error {
    let answer: NaiveAnswer
}

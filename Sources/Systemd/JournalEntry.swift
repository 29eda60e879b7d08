package import SMMUv3

/// One thing for the journal, as plain values: whoever pushes it makes no text and allocates nothing. The journal's
/// thread makes the sentence and the fields (``JournalRecord``).
package enum JournalEntry: Sendable {
    case fault(FaultEntry)
    case notice(NoticeEntry)
    /// The entries of a session that found its queue full. The queue makes these itself.
    case lost(JournalLoss, session: UInt64)
    /// A line about the daemon: its start, its end, what is wrong with its configuration. For rare things.
    case text(JournalPriority, String)
}

/// Which session, and whose.
package struct JournalOrigin: Sendable {
    /// 0: none.
    package var session: UInt64
    /// Empty: none, or not said yet.
    package var vm: JournalName
    package var uid: UInt32
    package var pid: UInt32

    package init(session: UInt64, vm: JournalName, uid: UInt32, pid: UInt32) {
        (self.session, self.vm, self.uid, self.pid) = (session, vm, uid, pid)
    }
}

/// A fault, with what is known of it. About 200 bytes, none of them elsewhere.
package struct FaultEntry: Sendable {
    package var origin: JournalOrigin
    /// Empty: the record names no attached device.
    package var device: JournalName
    package var vsmmu: UInt32
    /// Where it stands among the events of the session.
    package var sequence: UInt64
    package var record: EventRecord
    /// How many faults these are: this one, and those before it that are like it.
    package var count: UInt64 = 1
    /// They are like it in kind, and not in address.
    package var isSample = false
    /// When the first and the last of them were, of the calendar, in microseconds; 0 for one alone.
    package var firstTime: UInt64 = 0
    package var lastTime: UInt64 = 0
    /// Faults of the same context that were kept out of the journal since the last one that was not.
    package var suppressed: UInt64

    package init(
        origin: JournalOrigin, device: JournalName, vsmmu: UInt32, sequence: UInt64, record: EventRecord,
        suppressed: UInt64
    ) {
        (self.origin, self.device, self.vsmmu, self.sequence) = (origin, device, vsmmu, sequence)
        (self.record, self.suppressed) = (record, suppressed)
    }
}

/// Anything else that has a kind.
package struct NoticeEntry: Sendable {
    package var kind: JournalKind
    /// nil: it concerns the daemon, not a session.
    package var origin: JournalOrigin?
    /// Empty: none.
    package var device = JournalName()
    package var vsmmu: UInt32?
    package var vsid: UInt32?
    /// Of events that were lost, of faults that were suppressed.
    package var count: UInt64 = 0
    /// Why, and what it has become, in a word each; empty: neither.
    package var reason = ""
    package var health = ""
    /// What only text can say: the grant of a session that began, why the host failed, why a request was refused, which
    /// file the configuration is from. A string that exists already is only retained.
    package var detail = ""

    package init(_ kind: JournalKind, origin: JournalOrigin?) { (self.kind, self.origin) = (kind, origin) }
}

/// Entries that found their queue full.
package struct JournalLoss: Hashable, Sendable {
    package var entries: UInt64
    /// That these entries would have told of, one way or the other.
    package var faults: UInt64

    package init(entries: UInt64 = 0, faults: UInt64 = 0) { (self.entries, self.faults) = (entries, faults) }

    package static func + (a: Self, b: Self) -> Self {
        JournalLoss(entries: a.entries &+ b.entries, faults: a.faults &+ b.faults)
    }
}

extension JournalEntry {
    /// What is lost with it.
    var loss: JournalLoss {
        switch self {
        case .fault(let fault): JournalLoss(entries: 1, faults: fault.count &+ fault.suppressed)
        case .notice(let notice):
            JournalLoss(entries: 1, faults: notice.kind == .suppressedFaults ? notice.count : 0)
        case .lost(let loss, _): loss
        case .text: JournalLoss(entries: 1)
        }
    }
}

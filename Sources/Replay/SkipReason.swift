import Captures
import SMMUv3

/// Why a row is not asked of the broker: what it shows, a broker refuses or cannot see.
package enum SkipReason: String, Hashable, Sendable, CaseIterable {
    /// The stream's STE enables stage 2, which belongs to the host.
    case ownStage2 = "the guest's own stage 2"
    /// The VMM, who reads the stream table, sees that there is no STE and raises the event.
    case invalidSTE = "V=0"
    case badStreamID = "C_BAD_STREAMID"
    case steFetch = "F_STE_FETCH"
    /// The broker's stage 2 ends accesses outside of the guest's RAM, with an event of its own.
    case cdFetch = "F_CD_FETCH"
    case walkAbort = "F_WALK_EABT"

    /// Events that depend on memory which is not there.
    private static let events = [badStreamID, steFetch, cdFetch, walkAbort]

    /// Nil when the row is to be asked. `entry`: the stream's STE in effect; nil while the SMMU is disabled, when no
    /// answer depends on one.
    init?(_ row: CaptureRow, entry: GuestSTE?) {
        guard let entry else { return nil }
        if let reason = Self(entry), reason == .ownStage2 {
            self = reason
            return
        }
        for answer in [row.answer, row.alternative] {
            guard case .fault(let event, _) = answer, let reason = Self(rawValue: event) else { continue }
            guard Self.events.contains(reason) else { continue }
            self = reason
            return
        }
        guard let reason = Self(entry) else { return nil }
        self = reason
    }

    private init?(_ entry: GuestSTE) {
        switch entry {
        case .absent: self = .badStreamID
        case .unreadable: self = .steFetch
        case .words(let ste):
            guard ste.valid else {
                self = .invalidSTE
                return
            }
            guard ste.config == .stage2 || ste.config == .nested else { return nil }
            self = .ownStage2
        }
    }
}

/// What a VMM finds where a stream's STE should be.
enum GuestSTE: Hashable, Sendable {
    case words(StreamTableEntry)
    /// The stream table has no such stream.
    case absent
    /// The guest has no memory where the STE, or the descriptor that leads to it, should be.
    case unreadable

    /// What the broker is given: V = 0 where there is nothing.
    var entry: StreamTableEntry {
        if case .words(let ste) = self { ste } else { StreamTableEntry() }
    }
}

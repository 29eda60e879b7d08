import BrokerCore
import LinuxSystem
import Synchronization

/// How many lines about the beginning and the end of sessions each user gets, so that nobody who connects again and again
/// fills the journal, nor what journald takes from this daemon at all.
package final class JournalShare: Sendable {
    static let limit = JournalLimit(burst: 64, intervalMilliseconds: 10_000)
    /// Users of whom there is an account; all others share one.
    private static let mostUsers = 256
    private static let others = UInt32.max

    private let meters = Mutex<[UInt32: JournalMeter]>([:])

    package init() {}

    /// One line about a session of `user`: whether the journal is to have it, and how many it has not had before it.
    func count(_ user: UInt32) -> (journal: Bool, suppressed: UInt64) {
        let now = Instant(.now)
        return meters.withLock { meters in
            let user = meters[user] != nil || meters.count < Self.mostUsers ? user : Self.others
            return meters[user, default: JournalMeter()].count(at: now, Self.limit)
        }
    }
}

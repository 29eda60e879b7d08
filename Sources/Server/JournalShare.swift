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

    private let meters = Mutex<[Account: JournalMeter]>([:])

    /// Many beginnings do not keep the journal from saying why the next one is refused.
    private struct Account: Hashable {
        var user: UInt32
        var refusals: Bool
    }

    package init() {}

    /// One line about a session of `user`, its beginning or its refusal: whether the journal is to have it, and how many
    /// it has not had before it.
    func count(_ user: UInt32, refusal: Bool) -> (journal: Bool, suppressed: UInt64) {
        let now = Instant(.now)
        return meters.withLock { meters in
            var account = Account(user: user, refusals: refusal)
            if meters[account] == nil, meters.count >= 2 * Self.mostUsers { account.user = Self.others }
            return meters[account, default: JournalMeter()].count(at: now, Self.limit)
        }
    }
}

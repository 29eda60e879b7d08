package import BrokerCore
import Synchronization

/// The grants that count at the moment, for every session's thread to look up.
package final class GrantBook: Sendable {
    private let policy: Mutex<GrantPolicy>

    package init(_ grants: [Grant]) { policy = Mutex(GrantPolicy(grants)) }

    package func replace(_ grants: [Grant]) {
        let new = GrantPolicy(grants)
        policy.withLock { $0 = new }
    }

    package func grant(for peer: PeerIdentity) -> Grant? { policy.withLock { $0 }.grant(for: peer) }
}

/// By what right a session has what it has.
package enum GrantSource: Sendable {
    /// The configuration's grants say, now and after each reload.
    case policy
    /// An operator has made the session, and said what it may have.
    case given(Grant)

    func grant(for peer: PeerIdentity, in book: GrantBook) -> Grant? {
        switch self {
        case .policy: book.grant(for: peer)
        case .given(let grant): grant
        }
    }
}

package import BrokerCore
package import Configuration
import Synchronization

/// The configuration that counts at the moment, for every thread to look up.
package final class LiveConfiguration: Sendable {
    private struct Contents {
        var configuration: Configuration
        var policy: GrantPolicy

        init(_ configuration: Configuration) {
            (self.configuration, policy) = (configuration, GrantPolicy(configuration.grants))
        }
    }

    private let contents: Mutex<Contents>

    package init(_ configuration: Configuration) { contents = Mutex(Contents(configuration)) }

    package var current: Configuration { contents.withLock { $0.configuration } }

    /// All of it at once: nobody sees a part of the old one beside a part of the new.
    package func replace(_ configuration: Configuration) {
        let new = Contents(configuration)
        contents.withLock { $0 = new }
    }

    package func grant(for peer: PeerIdentity) -> Grant? { contents.withLock { $0.policy }.grant(for: peer) }

    package var journalLimit: JournalLimit {
        let journal = contents.withLock { $0.configuration.journal }
        return JournalLimit(
            burst: UInt64(clamping: journal.faultBurst),
            intervalMilliseconds: UInt64(clamping: journal.faultIntervalSeconds).multipliedReportingOverflow(by: 1000).0
        )
    }
}

/// By what right a session has what it has.
package enum GrantSource: Sendable {
    /// The configuration's grants say, now and after each reload.
    case policy
    /// An operator has made the session, and said what it may have.
    case given(Grant)

    func grant(for peer: PeerIdentity, by configuration: LiveConfiguration) -> Grant? {
        switch self {
        case .policy: configuration.grant(for: peer)
        case .given(let grant): grant
        }
    }
}

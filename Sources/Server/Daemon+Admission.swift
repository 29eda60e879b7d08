import BrokerCore
import Configuration

extension Daemon {
    /// Why one more client of `peer` is not to be served now, as a part of a sentence; nil when it is.
    ///
    /// What has not been granted anything yet must not take all places: connections without a HELLO have at most half of
    /// them, and those of one user a quarter. How long they may have them, ``Patience/hello`` says.
    func objection(to peer: PeerIdentity, _ grant: GrantSource) -> String? {
        let limit = configuration.current.maximumSessions
        if isStopping { return "the daemon ends" }
        if sessions.count >= limit {
            return "there are \(sessions.count) sessions, as many as MaxSessions=\(limit) allows"
        }
        guard case .policy = grant else { return nil }
        let waiting = waitingUsers()
        let ofUser = waiting.count { $0 == peer.uid }
        if ofUser < max(1, limit / 4), waiting.count < max(1, limit / 2) { return nil }
        return
            "\(waiting.count) connections have sent no HELLO yet, \(ofUser) of them of this user; half of MaxSessions=\(limit) "
            + "may, and a quarter of one user's"
    }

    /// The user of each connection without a HELLO that was granted; those that an operator made are not among them.
    private func waitingUsers() -> [UInt32] {
        let begun = Set(table.all.filter(\.hasBegun).map(\.id))
        return sessions.compactMap { id, session in
            guard case .policy = session.owner.grant, !begun.contains(id) else { return nil }
            return session.owner.peer.uid
        }
    }
}

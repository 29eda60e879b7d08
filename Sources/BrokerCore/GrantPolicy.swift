package import Wire

/// Which grant admits whom.
package struct GrantPolicy: Hashable, Sendable {
    /// By name.
    package let grants: [Grant]

    package init(_ grants: [Grant]) { self.grants = grants.sorted { $0.name < $1.name } }

    /// The first by name that admits the peer.
    package func grant(for peer: PeerIdentity) -> Grant? { grants.first { $0.admits(peer) } }
}

extension Grant {
    /// All of User=, Group= and Unit= that are given must be met; with none of them it is nobody's.
    package func admits(_ peer: PeerIdentity) -> Bool {
        if users.isEmpty && groups.isEmpty && units.isEmpty { return false }
        if !users.isEmpty && !users.contains(peer.uid) { return false }
        if !groups.isEmpty && !groups.contains(where: { $0 == peer.gid || peer.groups.contains($0) }) { return false }
        if units.isEmpty { return true }
        guard let unit = peer.unit else { return false }
        return units.contains { Pattern($0).matches(unit) }
    }

    /// Whether Devices= covers the device.
    package func allows(_ device: Name) -> Bool {
        let text = device.description
        return devices.contains { Pattern($0).matches(text) }
    }
}

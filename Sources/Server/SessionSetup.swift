package import BrokerCore
package import LinuxSystem
package import Wire

/// What all sessions of a daemon are made with.
package struct SessionSetup: Sendable {
    package var epoch: Epoch
    package var directory: any DeviceDirectory
    package var table: SessionTable
    package var grants: GrantBook
    package var journalLimit: @Sendable () -> JournalLimit
    /// Called in the session's thread. The backend names the descriptors of this table.
    package var makeBackend: @Sendable (DescriptorTable) -> any TranslationBackend
    package var makeObserver: @Sendable (SessionID, PeerIdentity) -> any SessionObserver

    package init(
        epoch: Epoch, directory: any DeviceDirectory, table: SessionTable, grants: GrantBook,
        journalLimit: @escaping @Sendable () -> JournalLimit = { JournalLimit() },
        makeBackend: @escaping @Sendable (DescriptorTable) -> any TranslationBackend,
        makeObserver: @escaping @Sendable (SessionID, PeerIdentity) -> any SessionObserver
    ) {
        (self.epoch, self.directory, self.table, self.grants) = (epoch, directory, table, grants)
        (self.journalLimit, self.makeBackend, self.makeObserver) = (journalLimit, makeBackend, makeObserver)
    }
}

/// Whose a session is.
package struct SessionOwner: Sendable {
    package var id: SessionID
    package var peer: PeerIdentity
    package var grant: GrantSource

    package init(id: SessionID, peer: PeerIdentity, grant: GrantSource = .policy) {
        (self.id, self.peer, self.grant) = (id, peer, grant)
    }
}

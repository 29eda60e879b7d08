package import BrokerCore
package import LinuxSystem
package import Wire

/// What all sessions of a daemon are made with.
package struct SessionSetup: Sendable {
    package var epoch: Epoch
    package var configuration: LiveConfiguration
    package var directory: any DeviceDirectory
    package var table: SessionTable
    package var patience: Patience
    /// Called in the session's thread. The backend names the descriptors of this table.
    package var makeBackend: @Sendable (DescriptorTable) -> any TranslationBackend
    package var makeObserver: @Sendable (SessionID, PeerIdentity) -> any SessionObserver

    package init(
        epoch: Epoch, configuration: LiveConfiguration, directory: any DeviceDirectory, table: SessionTable,
        patience: Patience = Patience(),
        makeBackend: @escaping @Sendable (DescriptorTable) -> any TranslationBackend,
        makeObserver: @escaping @Sendable (SessionID, PeerIdentity) -> any SessionObserver
    ) {
        (self.epoch, self.configuration, self.directory, self.table) = (epoch, configuration, directory, table)
        self.patience = patience
        (self.makeBackend, self.makeObserver) = (makeBackend, makeObserver)
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

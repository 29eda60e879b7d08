package import BrokerCore
package import Configuration
package import LinuxSystem
package import Systemd
package import Wire

/// What a daemon is given, and does not make by itself.
package struct DaemonServices: Sendable {
    package var journal: Journal
    /// Of a session's thread, which calls it.
    package var makeBackend: @Sendable (DescriptorTable) -> any TranslationBackend
    /// The host's own devices, where the backend has them.
    package var hardware: (any HardwareDevices)?
    /// Where faults go besides the journal.
    package var monitors: (any FaultSink)?
    /// Reads the configuration anew. May block: it is called in a thread of its own.
    package var load: @Sendable () -> LoadedConfiguration
    /// Another number for each start of a daemon that has lost what the one before knew.
    package var epoch: Epoch
    package var patience = Patience()

    package init(
        journal: Journal, epoch: Epoch, monitors: (any FaultSink)? = nil, hardware: (any HardwareDevices)? = nil,
        load: @escaping @Sendable () -> LoadedConfiguration,
        makeBackend: @escaping @Sendable (DescriptorTable) -> any TranslationBackend
    ) {
        (self.journal, self.epoch, self.monitors, self.load) = (journal, epoch, monitors, load)
        (self.makeBackend, self.hardware) = (makeBackend, hardware)
    }
}

/// Whoever serves operators. Called in the main loop's thread; must not block.
package protocol AdminService: AnyObject {
    /// An operator has connected.
    func connected(_ socket: consuming SeqPacketSocket)
    /// The daemon ends: no connection is to be served any more.
    func stop()
}

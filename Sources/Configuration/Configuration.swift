package import BrokerCore

/// What the configuration says, typed and complete: everything it does not say has its default.
package struct Configuration: Sendable {
    /// Where clients connect, unless systemd passes the socket (`FileDescriptorName=client`).
    package var clientSocket = "/run/smmu-broker/client.sock"
    /// Where operators connect (`FileDescriptorName=admin`).
    package var adminSocket = "/run/smmu-broker/admin.sock"
    package var backend = Backend.model
    package var smmus: [PhysicalSMMU] = []
    package var devices: [DeviceDefinition] = []
    /// In the order of their names.
    package var grants: [Grant] = []
    package var journal = JournalSettings()
    /// Sessions of all grants together.
    package var maximumSessions = 256

    package enum Backend: String, Hashable, Sendable { case model }

    /// How many faults of one context reach the journal.
    package struct JournalSettings: Hashable, Sendable {
        package var faultBurst = 10
        package var faultIntervalSeconds = 10
        package init() {}
    }

    package init() {}
}

/// A `[Device NAME]` section: a device of the model, or a template for as many as sessions attach.
package struct DeviceDefinition: Hashable, Sendable {
    package var device: HostDevice
    package var isTemplate: Bool
    package init(device: HostDevice, isTemplate: Bool) { (self.device, self.isTemplate) = (device, isTemplate) }
}

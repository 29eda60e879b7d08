package import BrokerCore
import SMMUv3
import Wire

/// What the configuration says, typed and complete: everything it does not say has its default.
package struct Configuration: Sendable {
    /// Where clients connect, unless systemd passes the socket (`FileDescriptorName=client`).
    package var clientSocket = "/run/smmu-broker/client.sock"
    /// Where operators connect (`FileDescriptorName=admin`).
    package var adminSocket = "/run/smmu-broker/admin.sock"
    package var backend = Backend.model
    /// Never empty; names differ.
    package var smmus: [PhysicalSMMU] = []
    /// Names differ, and so do the StreamIDs of one SMMU, those of templates' devices included.
    package var devices: [DeviceDefinition] = []
    /// In the order of their names.
    package var grants: [Grant] = []
    package var journal = JournalSettings()
    /// Sessions of all grants together.
    package var maximumSessions = 256

    package enum Backend: String, Hashable, Sendable, CaseIterable {
        /// Software SMMUs and the devices of the configuration.
        case model
        /// The host's SMMUs and devices; no device is in the configuration.
        case iommufd
    }

    /// How many faults of one context reach the journal.
    package struct JournalSettings: Hashable, Sendable {
        package var faultBurst = 10
        package var faultIntervalSeconds = 10
        package init() {}
    }

    /// The built-in defaults: useful without hardware, and nobody is granted anything.
    package init() {
        smmus = BuiltIn.smmuNames.compactMap { Name($0).map(SMMUSettings().smmu(named:)) }
        devices = BuiltIn.devices.compactMap { device in
            smmus.first.flatMap { device.definition(behind: $0) }
        }
    }
}

/// What is there as long as no file names another one of its kind: an `[SMMU NAME]` section takes the place of the
/// built-in SMMU, a `[Device NAME]` section that of the built-in devices.
package enum BuiltIn {
    package struct Device: Sendable {
        package let name: String
        package let streamID: UInt32
        package var ats = false
        package var pasidBits = 0
        package var template = false
        package var instances = 1

        /// As far as the SMMU can do it.
        func definition(behind smmu: PhysicalSMMU) -> DeviceDefinition? {
            guard let name = Name(name) else { return nil }
            return DeviceDefinition(
                device: HostDevice(
                    name: name, smmu: smmu, streamID: StreamID(streamID), hasATS: ats && smmu.registers.atsSupported,
                    pasidBits: min(pasidBits, smmu.registers.substreamIDSize)),
                isTemplate: template, instances: instances)
        }
    }

    package static let smmuNames = ["model0"]
    package static let devices = [
        Device(name: "disk0", streamID: 0x10),
        Device(name: "net0", streamID: 0x18),
        Device(name: "gpu0", streamID: 0x20, ats: true, pasidBits: 20),
        Device(name: "model", streamID: 0x1000, ats: true, pasidBits: 20, template: true, instances: 0xf000),
    ]
}

/// The kinds of sections.
package enum SectionKind: String, Hashable, Sendable, CaseIterable {
    case broker = "Broker"
    case journal = "Journal"
    case smmu = "SMMU"
    case device = "Device"
    case grant = "Grant"

    /// Whether there may be several, each with a name.
    package var isNamed: Bool {
        switch self {
        case .broker, .journal: false
        case .smmu, .device, .grant: true
        }
    }

    /// As a person would refer to such a section: `[Grant NAME]`.
    package var title: String { isNamed ? "[\(rawValue) NAME]" : "[\(rawValue)]" }
}

/// A key that a section may have.
package struct ConfigurationKey: Hashable, Sendable {
    package let section: SectionKind
    /// Without the `=`.
    package let name: String

    private init(_ section: SectionKind, _ name: String) { (self.section, self.name) = (section, name) }

    package static let backend = ConfigurationKey(.broker, "Backend")
    package static let clientSocket = ConfigurationKey(.broker, "ClientSocket")
    package static let adminSocket = ConfigurationKey(.broker, "AdminSocket")
    package static let sessions = ConfigurationKey(.broker, "MaxSessions")

    package static let faultBurst = ConfigurationKey(.journal, "FaultBurst")
    package static let faultInterval = ConfigurationKey(.journal, "FaultInterval")

    package static let outputAddressBits = ConfigurationKey(.smmu, "OutputAddressBits")
    package static let granules = ConfigurationKey(.smmu, "Granules")
    package static let smmuPASIDBits = ConfigurationKey(.smmu, "PASIDBits")
    package static let smmuATS = ConfigurationKey(.smmu, "ATS")
    package static let stalls = ConfigurationKey(.smmu, "Stalls")
    package static let rangeInvalidation = ConfigurationKey(.smmu, "RangeInvalidation")
    package static let asid16Bit = ConfigurationKey(.smmu, "ASID16")

    package static let smmu = ConfigurationKey(.device, "SMMU")
    package static let streamID = ConfigurationKey(.device, "StreamID")
    package static let ats = ConfigurationKey(.device, "ATS")
    package static let pasidBits = ConfigurationKey(.device, "PASIDBits")
    package static let template = ConfigurationKey(.device, "Template")
    package static let instances = ConfigurationKey(.device, "Instances")

    package static let user = ConfigurationKey(.grant, "User")
    package static let group = ConfigurationKey(.grant, "Group")
    package static let unit = ConfigurationKey(.grant, "Unit")
    package static let devices = ConfigurationKey(.grant, "Devices")
    package static let grantSessions = ConfigurationKey(.grant, "MaxSessions")
    package static let memory = ConfigurationKey(.grant, "MaxMemory")
    package static let maps = ConfigurationKey(.grant, "MaxMaps")
    package static let vsmmus = ConfigurationKey(.grant, "MaxVSMMUs")
    package static let contexts = ConfigurationKey(.grant, "MaxContexts")
    package static let faultPolicy = ConfigurationKey(.grant, "FaultPolicy")
    package static let faultStorm = ConfigurationKey(.grant, "FaultStorm")
    package static let atcTimeouts = ConfigurationKey(.grant, "ATCTimeouts")
    package static let faultSample = ConfigurationKey(.grant, "FaultSample")
    package static let parkReturn = ConfigurationKey(.grant, "ParkReturn")
    package static let parkTime = ConfigurationKey(.grant, "ParkTime")
    package static let maximumParkTime = ConfigurationKey(.grant, "MaxParkTime")

    /// All that there are, in the order in which people are shown them.
    package static let all: [ConfigurationKey] = [
        backend, clientSocket, adminSocket, sessions,
        faultBurst, faultInterval,
        outputAddressBits, granules, smmuPASIDBits, smmuATS, stalls, rangeInvalidation, asid16Bit,
        smmu, streamID, ats, pasidBits, template, instances,
        user, group, unit, devices, grantSessions, memory, maps, vsmmus, contexts,
        faultPolicy, faultStorm, atcTimeouts, faultSample, parkReturn, parkTime, maximumParkTime,
    ]
}

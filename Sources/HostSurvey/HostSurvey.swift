/// What a host has for nested translation.
package struct HostSurvey: Sendable {
    package let files: HostFiles
    /// The backend programs an SMMU: then what has to do with hardware is needed.
    package let needsHardware: Bool
    /// The user that the daemon runs as.
    package static let user = "smmu-broker"

    package init(_ files: HostFiles, needsHardware: Bool) { (self.files, self.needsHardware) = (files, needsHardware) }

    /// All that files say, in the order of dependence: what is first has to be there for what follows.
    package func findings() -> [Finding] {
        let devices = PCIDevice.all(in: files)
        let broker = ServiceUser(named: Self.user, in: files)
        return smmus() + [iommufd(for: broker), kernel()] + self.devices(devices, for: broker) + groups(devices)
            + [msiIsolation()]
    }

    /// A finding about hardware.
    func hardware(_ check: Finding.Check, _ verdict: Finding.Verdict, _ text: String, advice: String = "") -> Finding {
        Finding(check, verdict, needed: needsHardware, text, advice: advice)
    }
}

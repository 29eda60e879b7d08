/// The SMMUs: those that the kernel drives, and those that the firmware describes.
extension HostSurvey {
    /// Names under /sys/class/iommu say who drives it: `smmu3.0x9050000`, `smmu.0x2b400000` (v1, v2), `dmar0` (Intel),
    /// `ivhd0` (AMD).
    func smmus() -> [Finding] {
        let iommus = files.names("/sys/class/iommu") ?? []
        let ours = iommus.filter { $0.hasPrefix("smmu3.") }
        var findings = [architecture(iommus)].compactMap(\.self)
        findings += ours.map { name in
            let count = files.names("/sys/class/iommu/\(name)/devices")?.count ?? 0
            return hardware(.smmu, .ok, "\(name) is an SMMUv3, with \(count) \(count == 1 ? "device" : "devices")")
        }
        findings += iommus.filter { $0.hasPrefix("smmu.") }.map { name in
            let advice = "Only an SMMUv3 has nested translation; this host needs another machine, or Backend=model."
            return hardware(.smmu, ours.isEmpty ? .missing : .note, "\(name) is an SMMUv2 (arm-smmu)", advice: advice)
        }
        if findings.contains(where: { $0.check == .smmu }) { return findings }
        return findings + undriven(others: iommus)
    }

    /// Says which kind of machine this is if it is one that has no SMMU.
    private func architecture(_ iommus: [String]) -> Finding? {
        var name = files.text("/proc/sys/kernel/arch")
        if name == nil, let processors = files.text("/proc/cpuinfo") {
            name =
                processors.contains("vendor_id") ? "x86_64" : processors.contains("CPU implementer") ? "aarch64" : nil
        }
        guard let name, name != "aarch64" else { return nil }
        let has = iommus.isEmpty ? "" : " Its IOMMU is \(iommus.joined(separator: ", "))."
        return hardware(
            .architecture, .missing, "This is a host of architecture \(name), and SMMUs are Arm's.\(has)",
            advice: "The software model works here (Backend=model); hardware needs an arm64 host with an SMMUv3.")
    }

    /// No SMMU of either kind is driven: what does the firmware say?
    private func undriven(others: [String]) -> [Finding] {
        let described = FirmwareSMMUs(files)
        if described.version3 > 0 {
            let count = described.version3
            return [
                hardware(
                    .smmu, .missing,
                    "The \(described.source) describes \(count) \(count == 1 ? "SMMUv3" : "SMMUv3s"), and none is driven",
                    advice: "Use a kernel with CONFIG_ARM_SMMU_V3, without iommu.passthrough and iommu=off; see dmesg.")
            ]
        }
        if described.version2 > 0 {
            return [
                hardware(
                    .smmu, .missing, "The \(described.source) describes an SMMUv2 (arm-smmu) and no SMMUv3",
                    advice: "Only an SMMUv3 has nested translation; this host needs another machine, or Backend=model.")
            ]
        }
        var findings = [
            hardware(
                .smmu, .missing, "There is no SMMUv3: /sys/class/iommu has \(others.isEmpty ? "no IOMMU" : "none")",
                advice: "Hardware needs one that is switched on in the firmware; Backend=model needs none.")
        ]
        if described.isUnreadable {
            findings.append(
                Finding(
                    .firmware, .unknown, "The firmware's table of SMMUs (ACPI IORT) may not be read",
                    advice: "Run this as root to see whether the firmware describes an SMMUv3."))
        }
        return findings
    }
}

import LinuxSystem

/// The devices that VMs may have, and the groups that bind some of them together.
extension HostSurvey {
    func devices(_ devices: [PCIDevice], for user: ServiceUser?) -> [Finding] {
        let found = devices.filter(\.isForVMs).map { finding($0, user) }
        if !found.isEmpty { return found }
        return [
            hardware(
                .device, .missing, "No PCI device is bound to vfio-pci (of \(devices.count))",
                advice: "Bind what VMs are to have: driverctl set-override 0000:BB:DD.F vfio-pci.")
        ]
    }

    private func finding(_ device: PCIDevice, _ user: ServiceUser?) -> Finding {
        func missing(_ what: String, _ advice: String) -> Finding {
            hardware(.device, .missing, "\(device.address): \(what)", advice: advice)
        }
        guard let group = device.group, let iommu = device.iommu else {
            return missing("it is behind no IOMMU", "See in dmesg whether the firmware's tables name it.")
        }
        guard iommu.hasPrefix("smmu3.") else {
            return missing("it is behind \(iommu), which is no SMMUv3", "Use a device that is behind an SMMUv3.")
        }
        guard let vfio = device.vfio, device.hasCdev else {
            return missing(
                "the kernel makes no file for it in /dev/vfio/devices", "Use a kernel with CONFIG_VFIO_DEVICE_CDEV.")
        }
        let path = "/dev/vfio/devices/\(vfio)"
        do throws(Errno) {
            var finding = usable(.device, path, try files.status(path), by: user)
            finding.text =
                "\(device.address): \(device.driver ?? "no driver"), group \(group), behind \(iommu); \(finding.text)"
            return finding
        } catch {
            return missing("\(path) cannot be looked at: \(error)", "See whether udev made the file.")
        }
    }

    /// A group's devices cannot be told apart by the IOMMU, or reach each other without it: one VM has them all.
    func groups(_ devices: [PCIDevice]) -> [Finding] {
        var members: [String: [PCIDevice]] = [:]
        for device in devices { if let group = device.group { members[group, default: []].append(device) } }
        let all = files.names("/sys/kernel/iommu_groups") ?? []
        if all.isEmpty {
            return [
                hardware(
                    .groups, .missing, "There are no IOMMU groups: no device is behind an IOMMU",
                    advice: "Switch the SMMU on in the firmware, and start the kernel without iommu=off.")
            ]
        }
        let shared = all.filter { members[$0, default: []].count > 1 }
        let inUse = shared.filter { members[$0, default: []].contains(where: \.isForVMs) }
        let summary = Finding(
            .groups, .ok,
            "\(all.count) IOMMU \(all.count == 1 ? "group" : "groups"), \(shared.count) with several devices")
        return [summary] + inUse.map { finding(group: $0, members[$0, default: []]) }
    }

    private func finding(group: String, _ devices: [PCIDevice]) -> Finding {
        let names = devices.map(\.address).joined(separator: ", ")
        let strangers = devices.filter { !$0.isForVMs && !$0.isBridge && $0.driver != nil }
        if strangers.isEmpty {
            return Finding(
                .group, .note, "Group \(group) has \(names)",
                advice: "All of them go to one VM: name them in one grant, and give them to the same VMM.")
        }
        let drivers = strangers.map { "\($0.address) (\($0.driver ?? "none"))" }.joined(separator: ", ")
        return hardware(
            .group, .missing, "Group \(group) has \(names), and the host uses \(drivers)",
            advice: "Bind every device of the group to vfio-pci, or leave the group to the host.")
    }
}

import LinuxSystem

/// The kernel's side: iommufd, and what else is decided by how the kernel was made and started.
extension HostSurvey {
    /// The file that the daemon opens.
    static let iommu = "/dev/iommu"

    func iommufd(for user: ServiceUser?) -> Finding {
        do throws(Errno) {
            let status = try files.status(Self.iommu)
            return usable(.iommufd, Self.iommu, status, by: user)
        } catch {
            if error != .notFound { return Finding(.iommufd, .unknown, "\(Self.iommu) cannot be looked at: \(error)") }
            let advice =
                files.exists("/sys/module/iommufd")
                ? "The module is there: see whether udev made the file."
                : "modprobe iommufd; if there is no such module, use a kernel with CONFIG_IOMMUFD."
            return hardware(
                .iommufd, .missing, "\(Self.iommu) is not there: the kernel offers no iommufd", advice: advice)
        }
    }

    /// Whether the daemon may open a device file.
    func usable(_ check: Finding.Check, _ path: String, _ status: FileStatus, by user: ServiceUser?) -> Finding {
        guard let user else {
            return Finding(
                check, .unknown, "\(path) is there (\(status.access)), and there is no user \(Self.user) to open it",
                advice: "Install the daemon, and let systemd-sysusers make its user.")
        }
        if user.mayUse(status) { return Finding(check, .ok, "\(path) may be used by \(user.name) (\(status.access))") }
        return hardware(
            check, .missing, "\(path) may not be used by \(user.name) (\(status.access))",
            advice: "Give it to the group with a udev rule, such as \(Self.rule(for: path)).")
    }

    private static func rule(for path: String) -> String {
        let match = path == iommu ? "KERNEL==\"iommu\"" : "SUBSYSTEM==\"vfio-dev\""
        return "\(match), GROUP=\"\(user)\", MODE=\"0660\""
    }

    /// A note and no verdict: distributions carry features over into older kernels.
    func kernel() -> Finding {
        let version = files.text("/proc/sys/kernel/osrelease")
        return Finding(
            .kernel, .note, version.map { "The kernel is Linux \($0)" } ?? "The kernel does not say its version")
    }

    /// The kernel refuses devices whose MSIs are not kept apart, unless a parameter says that this is no matter.
    func msiIsolation() -> Finding {
        let path = "/sys/module/%/parameters/allow_unsafe_interrupts"
        var allowed: [String] = []
        var asked: [String] = []
        for module in ["iommufd", "vfio_iommu_type1"] {
            let parts = path.split(separator: "%", omittingEmptySubsequences: false)
            guard let value = files.text(parts.joined(separator: module)) else { continue }
            asked.append(module)
            if value == "Y" || value == "1" { allowed.append(module) }
        }
        if asked.isEmpty {
            return Finding(.msiIsolation, .unknown, "Neither iommufd nor vfio says how it isolates MSIs")
        }
        if allowed.isEmpty {
            return Finding(
                .msiIsolation, .ok, "Devices whose MSIs are not isolated are refused (\(asked.joined(separator: ", ")))"
            )
        }
        return Finding(
            .msiIsolation, .note, "\(allowed.joined(separator: ", ")): allow_unsafe_interrupts is on",
            advice: "A guest could raise interrupts that are not its own. Switch it off unless the machine needs it.")
    }
}

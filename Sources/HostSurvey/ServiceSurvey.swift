import LinuxSystem

/// What the daemon said when it was asked for its status.
package enum DaemonAnswer: Hashable, Sendable {
    case running(pid: UInt32, release: String, backend: String)
    /// Nobody listens.
    case notRunning
    /// It may not be asked.
    case notPermitted
    /// It listens, and gives no right answer: why.
    case silent(String)
}

/// The service as it is installed, configured and running.
package struct ServiceSurvey: Sendable {
    package let files: HostFiles
    package let needsHardware: Bool

    package init(_ files: HostFiles, needsHardware: Bool) { (self.files, self.needsHardware) = (files, needsHardware) }

    // MARK: Sockets

    package func socket(_ check: Finding.Check, _ path: String) -> Finding {
        do throws(Errno) {
            let status = try files.status(path)
            if status.kind == .socket { return Finding(check, .ok, "\(path) is there (\(status.access))") }
            return Finding(
                check, .missing, needed: true, "\(path) is no socket", advice: "Remove it, and start the daemon again.")
        } catch {
            if error != .notFound { return Finding(check, .unknown, "\(path) cannot be looked at: \(error)") }
            return Finding(
                check, .note, "\(path) is not there",
                advice: "systemctl enable --now smmu-brokerd.socket smmu-brokerd-admin.socket.")
        }
    }

    package func daemon(_ answer: DaemonAnswer) -> Finding {
        switch answer {
        case .running(let pid, let release, let backend):
            Finding(.daemon, .ok, "smmu-brokerd \(release) answers: process \(pid), backend \(backend)")
        case .notRunning:
            Finding(.daemon, .note, "smmu-brokerd does not run", advice: "systemctl enable --now smmu-brokerd.")
        case .notPermitted:
            Finding(
                .daemon, .unknown, "The admin socket may not be used",
                advice: "Run this as root, or become a member of the group smmu-broker-admin.")
        case .silent(let reason):
            Finding(
                .daemon, .missing, needed: true, "smmu-brokerd does not answer: \(reason)",
                advice: "journalctl -u smmu-brokerd may say why.")
        }
    }

    // MARK: Limits

    /// iommufd accounts what it pins of a VM's memory to the daemon. Of a running daemon its own limit, else that of its
    /// unit, else that of this process.
    package func memoryLock(_ answer: DaemonAnswer) -> Finding {
        if case .running(let pid, _, _) = answer, let limit = limit(ofProcess: "\(pid)") {
            return judge(limit, "of the daemon")
        }
        if let limit = unitLimit() { return judge(limit, "of the unit smmu-brokerd.service") }
        guard let limit = limit(ofProcess: "self") else {
            return Finding(.memoryLock, .unknown, "No limit of locked memory can be read")
        }
        return Finding(
            .memoryLock, .note, "Here \(limit == "unlimited" ? "any memory" : "\(limit) bytes") may be locked",
            advice: "What counts is the unit's LimitMEMLOCK=infinity; the unit is not installed.")
    }

    private func judge(_ limit: String, _ whose: String) -> Finding {
        if limit == "unlimited" || limit == "infinity" {
            return Finding(.memoryLock, .ok, "The limit of locked memory \(whose) is \(limit)")
        }
        return Finding(
            .memoryLock, .missing, needed: needsHardware, "The limit of locked memory \(whose) is \(limit)",
            advice: "systemctl edit smmu-brokerd: [Service] LimitMEMLOCK=infinity, or more than all VMs' memory.")
    }

    /// The soft limit, from proc_pid_limits(5).
    private func limit(ofProcess pid: String) -> String? {
        let name = "Max locked memory"
        guard let line = files.text("/proc/\(pid)/limits")?.split(separator: "\n").first(where: { $0.hasPrefix(name) })
        else { return nil }
        return line.dropFirst(name.count).split(separator: " ").first.map(String.init)
    }

    /// Memory that a VM has and never wrote is charged to the control group of who maps it for the device, the daemon's:
    /// with a limit there, a large VM has the daemon killed. Nothing is said where there is none.
    package func memoryMaximum() -> [Finding] {
        let path = "/sys/fs/cgroup/system.slice/smmu-brokerd.service/memory.max"
        guard let limit = files.text(path)?.split(separator: "\n").first, limit != "max" else { return [] }
        let text = "The service may have only \(limit) bytes of memory"
        let advice = "Take MemoryMax= from smmu-brokerd.service: VMs' memory may be charged to it, and have it killed."
        return [Finding(.memoryMaximum, .missing, needed: needsHardware, text, advice: advice)]
    }

    /// The last assignment of the unit and its drop-ins; /etc hides /usr/lib.
    private func unitLimit() -> String? {
        let unit = "smmu-brokerd.service"
        let directories = ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system"]
        guard let main = directories.map({ "\($0)/\(unit)" }).first(where: files.exists) else { return nil }
        var dropIns: [String: String] = [:]
        for directory in directories.reversed() {
            for name in files.names("\(directory)/\(unit).d") ?? [] where name.hasSuffix(".conf") {
                dropIns[name] = "\(directory)/\(unit).d/\(name)"
            }
        }
        let paths = [main] + dropIns.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map(\.value)
        let key = "LimitMEMLOCK="
        let lines = paths.flatMap { (files.text($0) ?? "").split(separator: "\n") }
        return lines.last { $0.hasPrefix(key) }.map { String($0.dropFirst(key.count)) } ?? "the system's default"
    }

    // MARK: Files

    package func catalog() -> Finding {
        let path = "/usr/lib/systemd/catalog/smmu-broker.catalog"
        if !files.exists(path) {
            return Finding(
                .catalog, .note, "\(path) is not installed", advice: "Install it for explanations by journalctl -x.")
        }
        if files.exists("/var/lib/systemd/catalog/database") { return Finding(.catalog, .ok, "\(path) is installed") }
        return Finding(
            .catalog, .note, "\(path) is installed, and the catalog is not compiled",
            advice: "journalctl --update-catalog.")
    }
}

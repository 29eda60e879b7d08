/// Who has a session.
package struct VMMProcess: Hashable, Sendable {
    package let pid: UInt32
    /// Its VM, as it calls it.
    package let vm: String

    package init(pid: UInt32, vm: String) { (self.pid, self.vm) = (pid, vm) }
}

extension ServiceSurvey {
    /// A VMM's vfio device is authority to attach it to other objects of its session's iommufd, unless seccomp denies it
    /// that (smmu_broker_deny_attach). proc_pid_status(5) tells how many filters there are, and not what they deny.
    package func vmms(_ processes: [VMMProcess]) -> [Finding] { processes.map(finding) }

    private func finding(_ process: VMMProcess) -> Finding {
        let name = "The VMM of \(process.vm) (process \(process.pid))"
        guard let status = files.text("/proc/\(process.pid)/status"), let mode = field("Seccomp", of: status) else {
            return Finding(.vmm, .unknown, "\(name) has a state that cannot be read")
        }
        guard mode == "2" else {
            return Finding(
                .vmm, .missing,
                "\(name) has no seccomp filter: it can attach its devices as it likes, in its own session",
                advice: "Have it call smmu_broker_deny_attach of the C client after it has opened what it needs.")
        }
        let count = field("Seccomp_filters", of: status).map {
            $0 == "1" ? "1 seccomp filter" : "\($0) seccomp filters"
        }
        return Finding(
            .vmm, .note, "\(name) has \(count ?? "seccomp filters"); what they deny cannot be seen from outside",
            advice: "Only its source says whether one of them is that of smmu_broker_deny_attach.")
    }

    private func field(_ name: String, of status: String) -> String? {
        let line = status.split(separator: "\n").first { $0.hasPrefix("\(name):") }
        return line?.dropFirst(name.count + 1).split(whereSeparator: { $0 == " " || $0 == "\t" }).first.map(String.init)
    }
}

import HostSurvey
import LinuxSystem
import Testing

/// What is said of the installed service.
@Suite struct ServiceSurveyTests {
    private static let limits = """
        Limit                     Soft Limit           Hard Limit           Units
        Max locked memory         8388608              8388608              bytes
        """

    @Test("The limit of locked memory is that of the daemon, else of its unit, else of this process") func memory()
        throws
    {
        let tree = try HostTree()
        let service = ServiceSurvey(tree.files, needsHardware: true)
        #expect(service.memoryLock(.notRunning).verdict == .unknown)
        try tree.add("/proc/self/limits", Self.limits)
        #expect(service.memoryLock(.notRunning).verdict == .note)
        try tree.add("/usr/lib/systemd/system/smmu-brokerd.service", "[Service]\nLimitMEMLOCK=infinity\n")
        #expect(service.memoryLock(.notRunning).verdict == .ok)
        try tree.add("/etc/systemd/system/smmu-brokerd.service.d/x.conf", "[Service]\nLimitMEMLOCK=1G\n")
        let dropIn = service.memoryLock(.notRunning)
        #expect(dropIn.isFatal)
        #expect(dropIn.text.hasSuffix("of the unit smmu-brokerd.service is 1G"))
        let running = DaemonAnswer.running(pid: 7, release: "0.1.0", backend: "model")
        try tree.add("/proc/7/limits", Self.limits.replacing("8388608", with: "unlimited"))
        #expect(service.memoryLock(running).verdict == .ok)
        try tree.add("/proc/7/limits", Self.limits)
        #expect(service.memoryLock(running).text == "The limit of locked memory of the daemon is 8388608")
        #expect(!ServiceSurvey(tree.files, needsHardware: false).memoryLock(running).isFatal)
    }

    @Test(
        "Whether a VMM has seccomp filters is told, and not which",
        arguments: [
            (nil, Finding.Verdict.unknown, "cannot be read"),
            ("Seccomp:\t0\nSeccomp_filters:\t0\n", .missing, "no seccomp filter"),
            ("Seccomp:\t2\nSeccomp_filters:\t3\n", .note, "3 seccomp filters"),
            ("Seccomp:\t2\nSeccomp_filters:\t1\n", .note, "1 seccomp filter;"),
            ("Seccomp:\t2\n", .note, "seccomp filters"),
        ] as [(String?, Finding.Verdict, String)])
    func filters(status: String?, verdict: Finding.Verdict, text: String) throws {
        let tree = try HostTree()
        if let status { try tree.add("/proc/7/status", "Name:\tvmm\n" + status) }
        let findings = ServiceSurvey(tree.files, needsHardware: true).vmms([VMMProcess(pid: 7, vm: "vm1")])
        #expect(findings.map(\.verdict) == [verdict])
        #expect(findings[0].text.hasPrefix("The VMM of vm1 (process 7) has "))
        #expect(findings[0].text.contains(text))
        #expect(!findings[0].isFatal)
        #expect(!findings[0].advice.isEmpty || verdict == .unknown)
    }

    @Test("A limit on the memory of the service is fatal for hardware") func memoryMaximum() throws {
        let tree = try HostTree()
        let service = ServiceSurvey(tree.files, needsHardware: true)
        let path = "/sys/fs/cgroup/system.slice/smmu-brokerd.service/memory.max"
        #expect(service.memoryMaximum().isEmpty)
        try tree.add(path, "max\n")
        #expect(service.memoryMaximum().isEmpty)
        try tree.add(path, "67108864\n")
        let limited = try #require(service.memoryMaximum().first)
        #expect(limited.isFatal && limited.text.contains("67108864") && limited.advice.contains("MemoryMax="))
        #expect(ServiceSurvey(tree.files, needsHardware: false).memoryMaximum().allSatisfy { !$0.isFatal })
    }

    @Test("Sockets are there, are not, or are something else") func sockets() throws {
        let tree = try HostTree()
        let service = ServiceSurvey(tree.files, needsHardware: false)
        #expect(service.socket(.clientSocket, "/c").verdict == .note)
        try tree.add("/c")
        #expect(service.socket(.clientSocket, "/c").isFatal)
        let listener = try SeqPacketListener(at: tree.files.path("/s"))
        #expect(service.socket(.adminSocket, "/s").verdict == .ok)
        _ = consume listener
    }

    @Test(
        "A daemon that does not run is no fault of the host, one that does not answer is",
        arguments: [
            (.running(pid: 1, release: "0.1.0", backend: "model"), .ok), (.notRunning, .note),
            (.notPermitted, .unknown), (.silent("no"), .missing),
        ] as [(DaemonAnswer, Finding.Verdict)])
    func daemon(answer: DaemonAnswer, verdict: Finding.Verdict) throws {
        let found = ServiceSurvey(try HostTree().files, needsHardware: false).daemon(answer)
        #expect(found.verdict == verdict)
        #expect(found.isFatal == (verdict == .missing))
    }

    @Test("The catalog has to be installed and compiled") func catalog() throws {
        let tree = try HostTree()
        let service = ServiceSurvey(tree.files, needsHardware: false)
        #expect(service.catalog().text.hasSuffix("is not installed"))
        try tree.add("/usr/lib/systemd/catalog/smmu-broker.catalog")
        #expect(service.catalog().verdict == .note)
        try tree.add("/var/lib/systemd/catalog/database")
        #expect(service.catalog().verdict == .ok)
    }
}

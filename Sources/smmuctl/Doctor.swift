import ArgumentParser
import Configuration
import HostSurvey
import JSON
import Wire

/// `smmuctl doctor`: what this host has, and what it lacks.
struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Say what this host has for nested SMMUv3 translation, and what it lacks.",
        discussion: """
            Looks at the SMMUs, iommufd, the devices bound to vfio-pci and their IOMMU groups, and at the service: its \
            sockets, limits and configuration. Each gets a line with a verdict, and below it what to do: ok; missing; \
            unknown, if it cannot be found out, perhaps for want of rights; note, if there is nothing to judge. Nothing \
            is changed, and no device is opened.

            Hardware is needed only by a backend that programs it. The software model needs none.

            EXIT STATUS
              0   nothing is missing that the backend needs
              1   something is
              64  wrong usage

            EXAMPLES
              smmuctl doctor
              smmuctl doctor --backend iommufd
            """)

    @Option(
        help: ArgumentHelp("Ask for this backend, model or iommufd, and not the configured one.", valueName: "name"))
    var backend: String?
    @Option(help: ArgumentHelp("Look at the files below this directory, and not at this host's.", valueName: "dir"))
    var root = ""
    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        if let backend, backend != "model", backend != "iommufd" {
            throw ValidationError("There is no backend \(backend.visible): give model or iommufd.")
        }
    }

    func run() throws {
        let files = HostFiles(root: root)
        let loaded = ConfigurationLoader.load(.system(root: files.root))
        let backend = backend ?? loaded.configuration.backend.rawValue
        let needsHardware = backend != "model"
        let (client, admin) = (loaded.configuration.clientSocket, loaded.configuration.adminSocket)
        let answer = DaemonAnswer(at: admin, in: files)
        let service = ServiceSurvey(files, needsHardware: needsHardware)
        var findings = HostSurvey(files, needsHardware: needsHardware).findings()
        findings += [service.memoryLock(answer)] + service.memoryMaximum()
        findings += [
            service.socket(.clientSocket, client), service.socket(.adminSocket, admin), service.daemon(answer),
        ]
        findings += service.vmms(VMMProcess.all(at: admin, in: files))
        findings += [service.catalog(), loaded.finding]
        let report = DoctorReport(backend: backend, findings: findings)
        print(json ? report.json.text(.pretty) : report.text(.ofOutput))
        if !report.isFine { throw ExitCode.failure }
    }
}

extension LoadedConfiguration {
    fileprivate var finding: Finding {
        let source =
            files.isEmpty ? "There are no configuration files, the defaults are in effect" : "The configuration"
        if diagnostics.isEmpty {
            return Finding(.configuration, .ok, files.isEmpty ? source : "\(source) has no problems")
        }
        let count = diagnostics.count
        return Finding(
            .configuration, .note, "\(source) has \(count) \(count == 1 ? "problem" : "problems")",
            advice: "smmuctl config check says which.")
    }
}

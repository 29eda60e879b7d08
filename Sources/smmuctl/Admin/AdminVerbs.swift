import ArgumentParser
import BrokerClient
import JSON
import LinuxSystem
import Wire

/// `smmuctl status`: how the daemon is doing.
struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Say how the broker is doing.", discussion: AdminHelp.exitStatus)

    @OptionGroup var admin: AdminOptions
    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        try reporting { () throws(Failure) in
            let status = try admin.ask("ask for the status") { client throws(BrokerError) in try client.status() }
            let report = StatusReport(status)
            print(json ? report.json.text(.pretty) : report.text(.ofOutput))
        }
    }
}

/// `smmuctl list`: the sessions.
struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the sessions: one for each VM.", discussion: AdminHelp.exitStatus)

    @OptionGroup var admin: AdminOptions
    @Flag(help: "Print one JSON object.")
    var json = false
    @Flag(help: "Print neither the header nor the number of sessions.")
    var noLegend = false

    func run() throws {
        try reporting { () throws(Failure) in
            let report = try admin.ask("list the sessions") { client throws(BrokerError) in
                SessionListReport(sessions: try client.sessions(), heldBack: try client.heldBack())
            }
            let text = json ? report.json.text(.pretty) : report.text(.ofOutput, legend: !noLegend)
            if !text.isEmpty { print(text) }
        }
    }
}

/// `smmuctl show`: one session with its devices.
struct ShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show a session and its devices.",
        discussion: "A device's name shows the session that has it.\n\n" + AdminHelp.exitStatus)

    @OptionGroup var admin: AdminOptions
    @Argument(help: ArgumentHelp("The number of a session, the name of a VM, or the name of a device."))
    var subject: String
    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        try reporting { () throws(Failure) in
            let action = "show \(subject)"
            let found = try admin.ask(action) { client throws(BrokerError) in try find(client) }
            guard let first = found.first else {
                let held = try admin.ask(action) { client throws(BrokerError) in try client.heldBack() }
                if let device = held.first(where: { $0.device?.description == subject }) {
                    return print(json ? device.json.text(.pretty) : device.sentence)
                }
                throw Failure(
                    action: action, reason: "there is no session, VM or device of this name.",
                    advice: "\"smmuctl list\" says which there are.", status: .noSuchObject)
            }
            if found.count > 1 {
                let numbers = found.map { String($0.session.id) }.joined(separator: ", ")
                throw Failure(
                    action: action, reason: "several sessions are meant: \(numbers).",
                    advice: "Give the number of one of them.")
            }
            let report = SessionReport(shown: first)
            print(json ? report.json.text(.pretty) : report.text(.ofOutput))
        }
    }

    /// The sessions that are meant: a number before a VM's name before a device's.
    private func find(_ client: AdminClient) throws(BrokerError) -> [AdminClient.Shown] {
        let sessions = try client.sessions()
        var numbers = sessions.filter { UInt64(subject) == $0.id }.map(\.id)
        if numbers.isEmpty { numbers = sessions.filter { $0.vm?.description == subject }.map(\.id) }
        var found: [AdminClient.Shown] = []
        if !numbers.isEmpty {
            for number in numbers { found.append(try client.show(number)) }
            return found
        }
        for session in sessions where session.contexts > 0 {
            do {
                let shown = try client.show(session.id)
                if shown.contexts.contains(where: { $0.device?.description == subject }) { found.append(shown) }
            } catch {
                // It has ended since it was listed.
                if error.reason != .unknownSession { throw error }
            }
        }
        return found
    }
}

/// `smmuctl metrics`: what is counted, for a collector.
struct MetricsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics", abstract: "Print what the broker counts, as OpenMetrics text.",
        discussion: AdminHelp.exitStatus)

    @OptionGroup var admin: AdminOptions
    @Option(help: ArgumentHelp("Put it into this file, as a whole, and print nothing.", valueName: "file"))
    var output: String?

    func run() throws {
        try reporting { () throws(Failure) in
            let text = try admin.ask("ask for the metrics") { client throws(BrokerError) in try client.metrics() }
            guard let output else { return print(text, terminator: "") }
            do throws(Errno) { try TextFile.replace(output, with: Array(text.utf8)) } catch {
                throw Failure(
                    action: "write \(output)", reason: "\(error).",
                    advice: "Give a file in a directory that is there and may be written to.")
            }
        }
    }
}

/// `smmuctl reload`: the configuration anew.
struct ReloadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload", abstract: "Have the broker read its configuration anew.",
        discussion: """
            All of the new configuration counts from then on, or nothing of it: what is wrong with it is told on \
            standard error, and the status is 1.

            \(AdminHelp.exitStatus)
            """)

    @OptionGroup var admin: AdminOptions

    func run() throws {
        try reporting { () throws(Failure) in
            let outcome = try admin.ask("reload the configuration") { client throws(BrokerError) in
                client.timeout = 120_000
                return try client.reload()
            }
            for line in outcome.diagnostics { System.writeError(line.visible + "\n") }
            if !outcome.applied {
                throw Failure(
                    action: "reload the configuration", reason: "the broker keeps the one that it has.",
                    advice: "Correct what stands above; \"smmuctl config check\" says whether it is right.")
            }
            print("The configuration has been read anew.")
        }
    }
}

/// `smmuctl quarantine`: a device on ABORT.
struct QuarantineCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quarantine", abstract: "Keep a device from reaching memory, whatever its guest does.",
        discussion: "It stays so until \"smmuctl release\".\n\n" + AdminHelp.exitStatus)

    @OptionGroup var admin: AdminOptions
    @Argument(help: "The device: a PCI address, or the name of a model device.")
    var device: String

    func run() throws {
        try reporting { () throws(Failure) in
            let action = "quarantine \(device)"
            let name = try deviceName(device, action)
            let session = try admin.ask(action) { client throws(BrokerError) in try client.quarantine(name) }
            print("Session \(session) has been told to put \(device) on ABORT.")
        }
    }
}

func deviceName(_ text: String, _ action: String) throws(Failure) -> Name {
    if let name = Name(text) { return name }
    throw Failure(
        action: action, reason: "this is no name of a device: 1 to 63 letters, digits, '-', '_', '.' and ':' are.",
        advice: "\"smmuctl show\" says the names of a session's devices.", status: .noSuchObject)
}

enum AdminHelp {
    static let exitStatus = """
        EXIT STATUS
          0    done
          1    it failed
          3    the broker does not run
          4    there is no such session or device
          64   wrong usage
        """
}

import Backends
import BrokerCore
import Configuration
import Glibc
import LinuxSystem
import Server
import Systemd
import Wire

@main
enum Main {
    /// The exit status. The unit has systemd try again only after a failure: the others need a person. That of the
    /// configuration is the one of sysexits.h, for which systemd has a name.
    enum Outcome: Int32 { case success = 0, failure = 1, usage = 2, configuration = 78 }

    static func main() { exit(run().rawValue) }

    private static func run() -> Outcome {
        let arguments: DaemonArguments
        do throws(ArgumentFault) { arguments = try DaemonArguments(Array(CommandLine.arguments.dropFirst())) } catch {
            complain("Failed to start: \(error).\nTry 'smmu-brokerd --help'.")
            return .usage
        }
        switch arguments.action {
        case .help: say(DaemonArguments.help)
        case .version: say("smmu-brokerd \(Release.version)\n")
        case .checkConfiguration: return check(ConfigurationLoader.load(explicitFile: arguments.configurationFile))
        case .serve: return serve(arguments.configurationFile)
        }
        return .success
    }

    private static func check(_ loaded: LoadedConfiguration) -> Outcome {
        for diagnostic in loaded.diagnostics { complain("\(diagnostic)") }
        if loaded.hasErrors { return .failure }
        let files =
            loaded.files.isEmpty ? "There is no file: the built-in defaults" : loaded.files.joined(separator: ", ")
        say("\(files): OK\n")
        return .success
    }

    private static func serve(_ file: String?) -> Outcome {
        let loaded = ConfigurationLoader.load(explicitFile: file)
        if loaded.hasErrors {
            _ = check(loaded)
            complain("Failed to start: the configuration has errors.\nCorrect them, and try --check-config.")
            return .configuration
        }
        do throws(Errno) {
            // Signals are blocked before there is a thread that could take them; it inherits that.
            let signals = try SignalFD.forDaemon()
            try prepareProcess()
            let journal = try startJournal()
            for diagnostic in loaded.diagnostics { complain("\(diagnostic)") }
            let outcome = try serve(loaded, signals, journal.journal, file)
            _ = journal.stop(withinMilliseconds: 2000)
            return outcome
        } catch {
            complain("Failed to start: \(error).")
            return .failure
        }
    }

    private static func prepareProcess() throws(Errno) {
        try ProcessLimits.ignoreBrokenPipes()
        try ProcessLimits.raiseOpenFiles()
        // A heap for each session's thread would keep megabytes that nobody uses. An allocator without such a limit, as
        // the address sanitizer's, is no reason not to serve.
        do throws(Errno) { try ProcessLimits.limitHeaps(2) } catch {}
    }

    private static func startJournal() throws(Errno) -> JournalThread {
        if JournalThread.standardErrorIsJournal { return try JournalThread.start(writingTo: JournaldSink()) }
        return try JournalThread.start(writingTo: StandardErrorSink(withPriority: false))
    }

    private static func serve(
        _ loaded: LoadedConfiguration, _ signals: consuming SignalFD, _ journal: Journal, _ file: String?
    ) throws(Errno) -> Outcome {
        let sockets: DaemonSockets
        do throws(DaemonSocketError) { sockets = try DaemonSockets.open(loaded.configuration) } catch {
            complain("\(error)")
            return .failure
        }
        let onHardware = loaded.configuration.backend == .iommufd
        let monitors = MonitorHub()
        let services = DaemonServices(
            journal: journal, epoch: Epoch(UInt64.random(in: 1 ... .max)), monitors: monitors,
            hardware: onHardware ? IOMMUFDDevices() : nil,
            load: { ConfigurationLoader.load(explicitFile: file) },
            makeBackend: { descriptors -> any TranslationBackend in
                if onHardware { return IOMMUFDBackend(descriptors: descriptors) }
                return ModelBackend(descriptors: descriptors)
            })
        let daemon = try Daemon(loaded.configuration, services)
        daemon.files = loaded.files
        try daemon.obey(signals)
        try daemon.listen(to: sockets, AdminServer(daemon.loop, daemon.table, monitors, daemon))
        daemon.tellReady()
        try daemon.run()
        return .success
    }

    private static func say(_ text: String) { write(text, to: STDOUT_FILENO) }
    private static func complain(_ text: String) { write(text + "\n", to: STDERR_FILENO) }

    private static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            // SAFETY: the call reads the bytes that are left, and keeps nothing of them.
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.write(descriptor, buffer.baseAddress, buffer.count)
            }
            // There is nobody left to tell.
            if count <= 0 { return }
            bytes = bytes.dropFirst(count)
        }
    }
}

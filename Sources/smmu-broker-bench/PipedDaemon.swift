import BrokerCore
import Configuration
import Glibc
import LinuxSystem
import Server
import Synchronization
import Systemd
import Wire

/// The daemon as smmu-brokerd starts it, but for where events come from: the vSMMUs' sources are the named pipes
/// `events-1`, `events-2`… of a directory, in the order in which they are made.
enum PipedDaemon {
    static func serve(_ directory: String) throws {
        let signals = try SignalFD.forDaemon()
        try ProcessLimits.ignoreBrokenPipes()
        try ProcessLimits.limitHeaps(2)
        let file = directory + "/smmu-broker.conf"
        let loaded = ConfigurationLoader.load(explicitFile: file)
        guard !loaded.hasErrors else { throw Failure.noDaemon("\(loaded.diagnostics)") }
        let journal = try JournalThread.start(writingTo: StandardErrorSink(withPriority: false))
        let (monitors, made, counts) = (MonitorHub(), Numbering(), ReadCounts())
        let services = DaemonServices(
            journal: journal.journal, epoch: Epoch(1), monitors: monitors,
            load: { ConfigurationLoader.load(explicitFile: file) },
            makeBackend: { descriptors in
                PipedBackend(descriptors, counting: counts) {
                    try openPipe("\(directory)/events-\(made.next())", O_RDONLY | O_NONBLOCK)
                }
            })
        let daemon = try Daemon(loaded.configuration, services)
        try daemon.obey(signals)
        try daemon.listen(
            to: try DaemonSockets.open(loaded.configuration),
            AdminServer(daemon.loop, daemon.table, monitors, daemon))
        try daemon.run()
        _ = journal.stop(withinMilliseconds: 2000)
    }

    static func openPipe(_ path: String, _ flags: Int32) throws -> OwnedFD {
        try adopt(unsafe open(path, flags | O_CLOEXEC))
    }

    /// Takes over what `open` or `dup` gave.
    static func adopt(_ raw: Int32) throws -> OwnedFD {
        guard raw >= 0 else { throw Failure.system("open a pipe", errno) }
        return OwnedFD(adopting: raw)
    }
}

/// 1, 2, 3…, for several threads.
private final class Numbering: Sendable {
    private let last = Atomic<Int>(0)
    func next() -> Int { last.add(1, ordering: .relaxed).newValue }
}

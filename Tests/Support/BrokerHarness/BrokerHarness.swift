import Backends
package import BrokerCore
package import Configuration
package import EventLoop
import Foundation
package import LinuxSystem
package import Server
import Synchronization
import Systemd
import Wire

/// The daemon, but for its process: its main loop in a thread of the test's, listening at a path of its own, with the
/// model as its backend.
package final class BrokerHarness: Sendable {
    private struct Threads: ~Copyable {
        var daemon: LinuxSystem.Thread?
        var journal: JournalThread?
    }

    /// Where clients connect.
    package let path: String
    /// Where operators connect.
    package let adminPath: String
    package let journal = CollectedJournal()
    package let poster: LoopPoster
    package let table: SessionTable
    package let inventory: SharedInventory
    private let directory: String
    private let threads: Mutex<Threads>

    /// - Parameter backend: Of each session; called in its thread.
    package init(
        _ configuration: Configuration = .open(), monitors: (any FaultSink)? = nil, patience: Patience = Patience(),
        backend: @escaping @Sendable (DescriptorTable) -> any TranslationBackend = { ModelBackend(descriptors: $0) }
    ) throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("broker-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        path = "\(directory)/c.sock"
        adminPath = "\(directory)/a.sock"
        let file = "\(directory)/reload.conf"
        let journalThread = try JournalThread.start(writingTo: journal)
        let hub = MonitorHub()
        var services = DaemonServices(
            journal: journalThread.journal, epoch: Epoch(0x1234), monitors: monitors ?? hub,
            load: { ConfigurationLoader.load(explicitFile: file) }, makeBackend: backend)
        services.patience = patience
        let started = try Promise<Result<Started, Errno>>()
        let (path, adminPath) = (path, adminPath)
        let daemonThread = try LinuxSystem.Thread.start(name: "daemon", stackSize: 1 << 20) { [services] in
            do throws(Errno) {
                let daemon = try Daemon(configuration, services)
                try daemon.listen(forClients: try SeqPacketListener(at: path))
                try daemon.listen(
                    forOperators: try SeqPacketListener(at: adminPath),
                    AdminServer(daemon.loop, daemon.table, hub, daemon))
                started.keep(.success(Started(daemon)))
                try daemon.run()
            } catch { started.keep(.failure(error)) }
        }
        let parts = try started.wait().get()
        (poster, table, inventory) = (parts.poster, parts.table, parts.inventory)
        threads = Mutex(Threads(daemon: daemonThread, journal: journalThread))
    }

    deinit { stop() }

    /// Ends the daemon and waits until it has ended; its journal is complete then.
    package func stop() {
        threads.withLock { threads in
            poster.order(.stop)
            threads.daemon.take()?.join()
            _ = threads.journal.take()?.stop(withinMilliseconds: 60_000)
        }
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// Has the daemon read a configuration of this text.
    package func reload(_ text: String) throws {
        try write(text)
        poster.order(.reload)
    }

    /// Writes the configuration that the daemon finds at its next reload.
    package func write(_ text: String) throws {
        try text.write(toFile: "\(directory)/reload.conf", atomically: true, encoding: .utf8)
    }

    /// What others may have of a daemon.
    private struct Started: Sendable {
        let poster: LoopPoster
        let table: SessionTable
        let inventory: SharedInventory

        init(_ daemon: Daemon) { (poster, table, inventory) = (daemon.loop.poster, daemon.table, daemon.inventory) }
    }
}

extension Configuration {
    /// The built-in devices, all of them for this user.
    package static func open(_ quota: Quota = Quota(), devices: [String] = ["*"]) -> Configuration {
        var configuration = Configuration()
        configuration.grants = [Grant(name: "tests", users: [getuid()], devices: devices, quota: quota)]
        return configuration
    }
}

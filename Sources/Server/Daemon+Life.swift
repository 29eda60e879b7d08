import Configuration
import EventLoop
import LinuxSystem
import Systemd

extension Daemon {
    /// How long sessions have to end, in milliseconds, when the daemon does: less than the service manager waits.
    private static let patience: UInt64 = 5000

    /// One line for `systemctl status`.
    package var status: String {
        let configuration = configuration.current
        return "Serving \(configuration.devices.count) devices and templates to \(configuration.grants.count) grants."
    }

    /// Tells the service manager that clients can connect.
    package func tellReady() { tell { () throws(Errno) in try ServiceNotification.ready(status: status) } }

    /// The service manager may be gone, or never have been: that is no reason for anything.
    func tell(_ what: () throws(Errno) -> Void) {
        do throws(Errno) { try what() } catch {
            journal.push(.text(.warning, "Failed to notify the service manager: \(error)."))
        }
    }

    /// Tells the service manager that this loop turns, twice as often as it wants to hear it.
    func keepAlive() {
        guard let interval = ServiceNotification.watchdogInterval else { return }
        tell { () throws(Errno) in try ServiceNotification.keepAlive() }
        let half = (interval / 2).components
        let milliseconds =
            UInt64(clamping: half.seconds) * 1000 + UInt64(clamping: half.attoseconds / 1_000_000_000_000_000)
        _ = loop.schedule(at: loop.now.advanced(byMilliseconds: max(milliseconds, 1))) { [weak self] _ in
            self?.keepAlive()
        }
    }

    // MARK: The end

    /// Accepts nobody any more and has every session end; the loop ends with the last of them.
    func stop() {
        if isStopping { return }
        isStopping = true
        tell { () throws(Errno) in try ServiceNotification.stopping(status: "Ending \(sessions.count) sessions.") }
        acceptors = []
        admin?.stop()
        for session in table.close() { session.order(.stop) }
        if sessions.isEmpty { return loop.stop() }
        _ = loop.schedule(at: MonotonicTime.now.advanced(byMilliseconds: Self.patience)) { [weak self] _ in
            self?.giveUp()
        }
    }

    /// A session hangs in its backend. The end of the process closes what it holds.
    private func giveUp() {
        let names = table.all.map { "\($0.id)" }.joined(separator: ", ")
        journal.push(
            .text(
                .error,
                "Sessions \(names) did not end within \(Self.patience) ms. The daemon ends without them; the kernel "
                    + "takes their devices away from their memory."))
        loop.stop()
    }
}

import BrokerCore
import Configuration
import EventLoop
import LinuxSystem
import Systemd

extension Daemon {
    /// Reads the configuration anew, in a thread of its own, because looking up users may take its time.
    func reload() {
        if isStopping { return }
        if isReloading {
            reloadsAgain = true
            return
        }
        isReloading = true
        tell { () throws(Errno) in try ServiceNotification.reloading(now: loop.now) }
        let (poster, load) = (loop.poster, services.load)
        do throws(Errno) {
            // Dropping the thread lets it run on by itself.
            _ = try Thread.start(name: "reload", stackSize: 512 << 10) {
                let loaded = load()
                poster.post { loop in (loop.owner as? Daemon)?.take(loaded) }
            }
        } catch {
            reloadOutcome = AdminReloadOutcome(applied: false, diagnostics: [])
            keepOld("a thread to read it could not be started: \(error)")
            endReload()
        }
    }

    /// Puts all of the new configuration into effect, or nothing of it.
    private func take(_ loaded: LoadedConfiguration) {
        for diagnostic in loaded.diagnostics { journal.push(.text(.warning, "\(diagnostic)")) }
        reloadOutcome = AdminReloadOutcome(applied: true, diagnostics: loaded.diagnostics.map { "\($0)" })
        if loaded.hasErrors {
            keepOld("what is wrong with it stands above")
        } else if let setting = unchangeable(loaded.configuration) {
            keepOld("\(setting) cannot be changed while the daemon runs: restart it for that")
        } else {
            configuration.replace(loaded.configuration)
            files = loaded.files
            inventory.replace(loaded.configuration.devices)
            // Posted, and never waited for.
            for session in table.all { session.order(.regrant) }
            counters.reloads += 1
            var notice = NoticeEntry(.configurationReloaded, origin: nil)
            notice.detail = loaded.files.joined(separator: ", ")
            journal.push(.notice(notice))
        }
        endReload()
    }

    private func endReload() {
        isReloading = false
        tell { () throws(Errno) in try ServiceNotification.ready(status: status) }
        if reloadsAgain {
            reloadsAgain = false
            return reload()
        }
        // Whoever asked while one was under way has waited for the next.
        let waiters = reloadWaiters
        reloadWaiters = []
        for tell in waiters { tell(reloadOutcome) }
    }

    private func keepOld(_ reason: String) {
        counters.failedReloads += 1
        reloadOutcome.applied = false
        reloadOutcome.diagnostics.append("The configuration stays as it was: \(reason).")
        var notice = NoticeEntry(.configurationKept, origin: nil)
        notice.detail = reason
        journal.push(.notice(notice))
    }

    /// The setting that differs and cannot, because a socket or a backend was made by it.
    private func unchangeable(_ new: Configuration) -> String? {
        let old = configuration.current
        if new.clientSocket != old.clientSocket { return "the path of the clients' socket" }
        if new.adminSocket != old.adminSocket { return "the path of the operators' socket" }
        return new.backend != old.backend ? "Backend=" : nil
    }
}

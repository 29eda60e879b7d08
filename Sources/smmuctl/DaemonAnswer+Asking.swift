import BrokerClient
import HostSurvey
import Wire

extension DaemonAnswer {
    /// Asks whoever listens at `socket` for the daemon's status; waits two seconds at most.
    init(at socket: String, in files: HostFiles) {
        // A path that no socket can have is another error of connect(2) than one where there is none.
        guard files.exists(socket) else {
            self = .notRunning
            return
        }
        do throws(BrokerError) {
            let client = try AdminClient(connectingTo: files.path(socket))
            client.timeout = 2000
            let status = try client.status().reply
            self = .running(
                pid: status.pid, release: status.release?.description ?? "of an unknown release",
                backend: status.backend?.description ?? "unknown")
        } catch {
            switch error.status.rawValue {
            // Nothing is there, or nobody behind it.
            case 2, 111: self = .notRunning
            case 1, 13: self = .notPermitted
            default: self = .silent(error.text)
            }
        }
    }
}

extension VMMProcess {
    /// Of the sessions that whoever listens at `socket` has; none if it does not say.
    static func all(at socket: String, in files: HostFiles) -> [VMMProcess] {
        guard files.exists(socket) else { return [] }
        do throws(BrokerError) {
            let client = try AdminClient(connectingTo: files.path(socket))
            client.timeout = 2000
            return try client.sessions().map { VMMProcess(pid: $0.pid, vm: $0.vm?.description ?? "without a name") }
        } catch {
            // Why it does not, the line on the daemon says.
            return []
        }
    }
}

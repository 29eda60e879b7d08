import ArgumentParser
import BrokerClient
import Wire

/// Where the admin socket is, for all verbs that use it.
struct AdminOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The broker's admin socket.", valueName: "path"))
    var socket = "/run/smmu-broker/admin.sock"

    /// Connects, and does something over the connection. `action`: what it is, for people: "list the sessions".
    func ask<Result>(
        _ action: String, _ work: (AdminClient) throws(BrokerError) -> Result
    ) throws(Failure) -> Result {
        let client: AdminClient
        do { client = try AdminClient(connectingTo: socket) } catch {
            throw Failure(connecting: error, action, socket)
        }
        do { return try work(client) } catch { throw Failure(error, action) }
    }
}

extension Failure {
    /// Of a connection that could not be made.
    init(connecting error: BrokerError, _ action: String, _ socket: String) {
        switch error.status.rawValue {
        case 2, 111:
            self.init(
                action: action, reason: "no broker listens on \(socket).",
                advice: "Start it (systemctl start smmu-brokerd), or name its admin socket with --socket.",
                status: .notRunning)
        case 1, 13:
            self.init(
                action: action, reason: "there is no permission to use \(socket).",
                advice: "Run this as root, or become a member of the group of the socket.")
        default:
            self.init(
                action: action, reason: error.text, advice: "See whether it is the admin socket that --socket names.")
        }
    }

    /// Of a request.
    init(_ error: BrokerError, _ action: String) {
        switch error.reason {
        case .unknownSession, .unknownDevice:
            self.init(
                action: action, reason: error.text, advice: "\"smmuctl list\" and \"smmuctl show\" say what there is.",
                status: .noSuchObject)
        case .unknownType, .helloExpected:
            self.init(
                action: action, reason: "this is not the admin socket, or that of another release: \(error.text)",
                advice: "Name the admin socket with --socket.")
        default:
            let isGone = error.status == Status(32)
            self.init(
                action: action, reason: error.text,
                advice: "The journal may say more: journalctl -u smmu-brokerd.", status: isGone ? .notRunning : .failure
            )
        }
    }
}

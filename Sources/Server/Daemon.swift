package import BrokerCore
package import Configuration
package import EventLoop
package import LinuxSystem
import Systemd
import Wire

/// The daemon's main loop: it accepts connections, starts sessions and buries them, reloads, and ends.
///
/// It does nothing that could keep it waiting, so that its keep-alive to the service manager means something. For one
/// thread; others reach it by ``DaemonOrder``s.
package final class Daemon {
    package let loop: EventLoop
    package let configuration: LiveConfiguration
    package let inventory: SharedInventory
    package let table = SessionTable()
    package let services: DaemonServices
    package internal(set) var counters = DaemonCounters()
    let journal: JournalQueue
    private let setup: SessionSetup
    var acceptors: [Acceptor] = []
    var signals: SignalWatch?
    var sessions: [SessionID: SessionThread] = [:]
    var admin: (any AdminService)?
    private var nextSession: UInt64 = 1
    private var turnedAway = ThinningCount()
    private var failures = ThinningCount()
    var isStopping = false
    var isReloading = false
    var watchesOrphans = false
    /// Something changed while a reload was under way: then there is another.
    var reloadsAgain = false
    /// Operators who asked for a reload, to be told what came of it.
    var reloadWaiters: [(AdminReloadOutcome) -> Void] = []
    /// What came of the last one.
    var reloadOutcome = AdminReloadOutcome(applied: true, diagnostics: [])
    /// The configuration files that were read.
    package var files: [String] = []
    let started = (monotonic: MonotonicTime.now, calendar: RealTime.nowNanoseconds)

    package init(_ configuration: Configuration, _ services: DaemonServices) throws(Errno) {
        loop = try EventLoop()
        self.services = services
        self.configuration = LiveConfiguration(configuration)
        inventory = SharedInventory(configuration.devices, hardware: services.hardware)
        journal = services.journal.makeQueue()
        let (journal, monitors, share) = (services.journal, services.monitors, JournalShare())
        setup = SessionSetup(
            epoch: services.epoch, configuration: self.configuration, directory: inventory, table: table,
            patience: services.patience, makeBackend: services.makeBackend
        ) { session, peer in
            SessionReporter(
                session, peer, queue: journal.makeQueue(session: session.rawValue), share: share, monitors: monitors)
        }
        loop.owner = self
        let poster = loop.poster
        inventory.whenKept { poster.post { loop in (loop.owner as? Daemon)?.watchOrphans() } }
    }

    // MARK: What it listens to

    /// Serves clients that connect to this socket.
    package func listen(forClients listener: consuming SeqPacketListener) throws(Errno) {
        let acceptor = try Acceptor(listener, on: loop) { [unowned self] socket in
            clientConnected(socket)
        } failed: { [unowned self] error in
            acceptFailed(error)
        }
        acceptors.append(acceptor)
    }

    /// Hands operators that connect to this socket to `admin`.
    package func listen(
        forOperators listener: consuming SeqPacketListener, _ admin: any AdminService
    ) throws(Errno) {
        self.admin = admin
        let acceptor = try Acceptor(listener, on: loop) { [unowned self] socket in
            counters.operators += 1
            self.admin?.connected(socket)
        } failed: { [unowned self] error in
            acceptFailed(error)
        }
        acceptors.append(acceptor)
    }

    /// Listens on both. Without `admin` operators are turned away.
    package func listen(to sockets: consuming DaemonSockets, _ admin: (any AdminService)? = nil) throws(Errno) {
        try listen(forClients: sockets.clients)
        try listen(forOperators: sockets.operators, admin ?? NoAdminService())
    }

    /// Does what SIGTERM, SIGINT and SIGHUP ask for, which `signals` reports.
    package func obey(_ signals: consuming SignalFD) throws(Errno) {
        self.signals = try SignalWatch(signals, on: loop) { [unowned self] order in obey(order) }
    }

    /// Serves until it is told to stop, and its sessions have ended.
    package func run() throws(Errno) {
        keepAlive()
        // What the loop calls does not keep this alive.
        try withExtendedLifetime(self) { () throws(Errno) in try loop.run() }
    }

    // MARK: Sessions

    private func clientConnected(_ socket: consuming SeqPacketSocket) {
        counters.connections += 1
        do throws(Errno) {
            let peer = try PeerIdentity(of: socket)
            _ = try startSession(socket, peer, .policy)
        } catch { acceptFailed(error) }
    }

    /// Starts a session for whoever is at the other end of `socket`; nil when there are as many as there may be, which
    /// closes the socket.
    package func startSession(
        _ socket: consuming SeqPacketSocket, _ peer: PeerIdentity, _ grant: GrantSource
    ) throws(Errno) -> SessionID? {
        if let objection = objection(to: peer, grant) {
            counters.turnedAway += 1
            if turnedAway.add() {
                journal.push(
                    .text(
                        .warning,
                        "Turned away a client (pid \(peer.pid), uid \(peer.uid)): \(objection). \(turnedAway.count) so far."
                    ))
            }
            return nil
        }
        let id = SessionID(nextSession)
        nextSession += 1
        let poster = loop.poster
        let owner = SessionOwner(id: id, peer: peer, grant: grant)
        sessions[id] = try SessionThread.start(owner, socket, setup) { id, error in
            poster.post { loop in (loop.owner as? Daemon)?.sessionEnded(id, error) }
        }
        counters.sessions += 1
        return id
    }

    private func sessionEnded(_ id: SessionID, _ error: Errno?) {
        // Its thread has nothing left to do but to return.
        sessions.removeValue(forKey: id)?.join()
        if let error { acceptFailed(error) }
        if isStopping, sessions.isEmpty { loop.stop() }
    }

    private func acceptFailed(_ error: Errno) {
        counters.acceptFailures += 1
        if failures.add() {
            journal.push(
                .text(
                    .warning,
                    "Failed to serve a client: \(error). If it is for want of descriptors, raise LimitNOFILE= of the "
                        + "service. \(failures.count) such failures so far."))
        }
    }
}

/// Closes what it is given.
private final class NoAdminService: AdminService {
    func connected(_ socket: consuming SeqPacketSocket) {}
    func stop() {}
}

/// What the main loop has done.
package struct DaemonCounters: Hashable, Sendable {
    package var connections: UInt64 = 0
    package var operators: UInt64 = 0
    package var sessions: UInt64 = 0
    /// Clients beyond MaxSessions=.
    package var turnedAway: UInt64 = 0
    /// Connections that could not be accepted or served.
    package var acceptFailures: UInt64 = 0
    package var reloads: UInt64 = 0
    package var failedReloads: UInt64 = 0
    package init() {}
}

extension PeerIdentity {
    /// Of whoever connected `socket`.
    init(of socket: borrowing SeqPacketSocket) throws(Errno) {
        let peer = try socket.peer()
        self.init(pid: peer.pid, uid: peer.uid, gid: peer.gid, groups: try socket.peerGroups(), unit: peer.unit)
    }
}

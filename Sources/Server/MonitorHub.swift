package import BrokerCore
import EventLoop
package import LinuxSystem
import SMMUv3
import Synchronization
package import Wire

/// Where what happens goes to all monitors: from the threads of the sessions, each of which is held up no longer than it
/// takes to copy a record for each monitor, to the one thread that sends.
///
/// That thread is started with the first monitor. A monitor that does not read gets a count of what it missed, and delays
/// nobody.
package final class MonitorHub: FaultSink {
    /// Monitors at the same time.
    package static let maximumMonitors = 16
    /// Records of the past that newcomers can have.
    package static let historyCapacity = 512
    /// Records that wait for one monitor.
    package static let ringCapacity = 1024

    private struct Subscriber {
        var id: UInt64
        var request: AdminMonitorRequest
        var ring: MonitorRing
        var ledger = MonitorLedger()

        var follows: Bool { request.flags.contains(.follow) }

        mutating func push(_ record: MonitorRecord) {
            ledger.produced &+= record.faults
            if !ring.push(record) { ledger.lost &+= record.faults }
        }
    }

    private struct State {
        var history = MonitorRing(capacity: MonitorHub.historyCapacity)
        var subscribers: [Subscriber] = []
        /// Of those that have ended.
        var ended = MonitorLedger()
        var nextID: UInt64 = 1
        /// Sockets on their way to the thread.
        var newcomers: [Newcomer] = []
        var poster: LoopPoster?
        /// The thread has been told that there is something, and has not looked yet.
        var isWoken = false
        var isStopped = false

        /// Nil: the thread need not be woken.
        mutating func add(_ records: [MonitorRecord]) -> LoopPoster? {
            history.pushDroppingOldest(records)
            var isWanted = false
            for index in subscribers.indices where subscribers[index].follows {
                for record in records where subscribers[index].request.wants(record) {
                    subscribers[index].push(record)
                    isWanted = true
                }
            }
            if !isWanted || isWoken { return nil }
            isWoken = true
            return poster
        }
    }

    private let state = Mutex(State())
    /// Made once, so that waking the thread allocates nothing.
    private let wake: LoopPoster.Work

    package init() {
        wake = { loop in (loop.owner as? MonitorLoop)?.pumpAll() }
    }

    /// Monitors that there are.
    package var count: Int { state.withLock { $0.subscribers.count } }

    // MARK: What happens

    /// One fault by itself.
    package func publish(_ fault: ObservedFault) { publish([.event(MonitorEvent(fault, at: RealTime.nowNanoseconds))]) }

    package func publish(_ records: [MonitorRecord]) {
        let poster = state.withLock { $0.add(records) }
        poster?.post(wake)
    }

    package func publish(_ notice: SessionNotice, of session: SessionID, vm: Name?) {
        guard var notice = MonitorNotice(notice, session: session, at: RealTime.nowNanoseconds) else { return }
        notice.vm = vm ?? notice.vm
        publish([.notice(notice)])
    }

    // MARK: Monitors come

    /// Has `socket` told what `request` asks for, from now on.
    package func add(_ socket: consuming SeqPacketSocket, _ request: AdminMonitorRequest) throws(Refusal) {
        // The closure below takes it once, and the compiler does not know that.
        var socket: SeqPacketSocket? = consume socket
        enum Outcome { case added(LoopPoster?), needsThread, full, stopped }
        let outcome = state.withLock { state -> Outcome in
            if state.isStopped { return .stopped }
            if state.subscribers.count >= Self.maximumMonitors { return .full }
            guard let taken = socket.take() else { return .stopped }
            let isFirst = state.nextID == 1
            let id = state.nextID
            state.nextID += 1
            var subscriber = Subscriber(id: id, request: request, ring: MonitorRing(capacity: Self.ringCapacity))
            if request.flags.contains(.history) {
                for record in state.history.records where request.wants(record) { subscriber.push(record) }
            }
            state.subscribers.append(subscriber)
            state.newcomers.append(Newcomer(id: id, taken))
            return isFirst ? .needsThread : .added(state.poster)
        }
        switch outcome {
        case .added(let poster): poster?.post(wake)
        case .needsThread: try startThread()
        case .full:
            throw Refusal(
                .quota, .quotaExceeded,
                "There are \(Self.maximumMonitors) monitors, as many as there may be: end one of them.")
        case .stopped: throw Refusal(.notSupported, .notSupported, "The daemon ends: connect to the next one.")
        }
    }

    private func startThread() throws(Refusal) {
        do throws(Errno) {
            // Dropping the thread lets it run on by itself, for as long as the daemon does.
            _ = try Thread.start(name: "monitors", stackSize: 256 << 10) { [self] in run() }
        } catch {
            state.withLock { state in
                (state.subscribers, state.newcomers, state.nextID) = ([], [], 1)
            }
            throw Refusal(
                .hostFailure, Status(UInt32(error.code)),
                "The monitors' thread could not be started: \(error). Try again.")
        }
    }

    /// The thread, from its beginning to its end.
    private func run() {
        do throws(Errno) {
            let monitors = try MonitorLoop(self)
            let isStopped = state.withLock { state in
                state.poster = monitors.loop.poster
                return state.isStopped
            }
            monitors.pumpAll()
            if !isStopped { try monitors.loop.run() }
            monitors.pumpAll()
        } catch {
            // Without a loop nobody is served: whoever waits is closed.
        }
        state.withLock { state in
            (state.subscribers, state.newcomers, state.poster) = ([], [], nil)
            state.isStopped = true
        }
    }

    /// The daemon ends: what is there is sent as far as the sockets take it, and they are closed.
    package func stop() {
        let poster = state.withLock { state in
            state.isStopped = true
            return state.poster
        }
        poster?.stop()
    }

    // MARK: For the thread

    /// Sockets that have come since the last time.
    func takeNewcomers() -> [Newcomer] {
        state.withLock { state in
            state.isWoken = false
            defer { state.newcomers = [] }
            return state.newcomers
        }
    }

    func remove(_ id: UInt64) {
        state.withLock { state in
            guard let index = state.subscribers.firstIndex(where: { $0.id == id }) else { return }
            state.ended.add(ended: state.subscribers.remove(at: index).ledger)
        }
    }

    /// A monitor's socket has taken so many faults.
    func noteDelivered(_ faults: UInt64, to id: UInt64) {
        if faults == 0 { return }
        state.withLock { state in
            guard let index = state.subscribers.firstIndex(where: { $0.id == id }) else { return }
            state.subscribers[index].ledger.delivered &+= faults
        }
    }

    /// What each monitor was to have and has had, by its number, and all that have ended together.
    package var ledgers: (monitors: [(id: UInt64, ledger: MonitorLedger)], ended: MonitorLedger) {
        state.withLock { state in (state.subscribers.map { ($0.id, $0.ledger) }, state.ended) }
    }

    /// What a take has found.
    enum Taken { case something, nothing, ended }

    /// Moves records of one kind into `batch`, as many as there are and a packet takes.
    func take(for id: UInt64, into batch: inout MonitorBatch) -> Taken {
        state.withLock { state in
            guard let index = state.subscribers.firstIndex(where: { $0.id == id }) else { return .ended }
            batch.clear()
            while let record = state.subscribers[index].ring.first, batch.accepts(record) {
                batch.add(record)
                _ = state.subscribers[index].ring.pop()
            }
            if !batch.isEmpty { return .something }
            return state.subscribers[index].follows ? .nothing : .ended
        }
    }
}

/// A monitor's socket, on its way to the thread that serves it.
final class Newcomer: Sendable {
    let id: UInt64
    private let socket: Mutex<SeqPacketSocket?>

    init(id: UInt64, _ socket: consuming SeqPacketSocket) {
        self.id = id
        self.socket = Mutex(consume socket)
    }

    func take() -> SeqPacketSocket? { socket.withLock { $0.take() } }
}

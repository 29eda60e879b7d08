import BrokerCore
import CBenchReference
import EventLoop
import Glibc
import LinuxSystem
import Server
import Synchronization
import Systemd
import Wire

/// A session of the daemon in a thread of this process, whose events come from a pipe, with the daemon's own reporter and
/// as many monitors as are wanted: what it does can be counted.
final class InProcessForwarding {
    let ends: ForwardingEnds
    let reads = ReadCounts()
    private let pipe: Pipe
    private let monitors: [MonitorSocket]
    private let thread: SessionThread
    private var journal: JournalThread?
    private let hub = MonitorHub()
    private let memory: GuestMemory
    private let session: BrokerSession
    private let table = SessionTable()

    init(monitors count: Int) throws {
        let pipe = try Pipe()
        let pair = try SeqPacketSocket.pair()
        let journalThread = try JournalThread.start(writingTo: Nowhere())
        let (journal, hub, reads, source) = (journalThread.journal, hub, reads, pipe.source.raw)
        thread = try SessionThread.start(
            InProcessBroker.owner, SeqPacketSocket(adopting: try pair.second.fd.duplicate()),
            try InProcessBroker.setup(
                table: table,
                makeBackend: { PipedBackend($0, counting: reads) { try PipedDaemon.adopt(dup(source)) } },
                makeObserver: { session, peer in
                    SessionReporter(
                        session, peer, queue: journal.makeQueue(session: session.rawValue), share: JournalShare(),
                        monitors: hub)
                })
        ) { _, _ in
        }
        self.journal = consume journalThread
        self.pipe = pipe
        memory = try GuestMemory()
        session = try BrokerSession(SeqPacketSocket(adopting: try pair.first.fd.duplicate()))
        try session.attach(InProcessBroker.device, memory)
        monitors = try (0..<count).map { _ in
            try MonitorSocket { try hub.add($0, AdminMonitorRequest(flags: .follow)) }
        }
        ends = ForwardingEnds(
            sink: pipe.sink.raw, events: try session.client(blocking: true).events, monitors: monitors.map { $0.fd.raw }
        )
    }

    deinit {
        session.close()
        thread.join()
        hub.stop()
        _ = journal.take()?.stop(withinMilliseconds: 2000)
    }

    /// Makes the source readable so many times, with so many records each. What happens for the first time in a process,
    /// or once in a while, is behind it before.
    func count(_ wakeUps: UInt64, of records: UInt32) throws {
        try run(Self.warmUp(records), of: records)
        try run(wakeUps, of: records)
    }

    /// Until every ring on the way has been full once.
    static func warmUp(_ records: UInt32) -> UInt64 { UInt64(max(64, 4096 / records)) }

    private func run(_ wakeUps: UInt64, of records: UInt32) throws {
        // The descriptors are this object's, and nobody else keeps it.
        try withExtendedLifetime(self) { try ends.run(wakeUps, of: records) }
    }

    /// Allocations for each of so many times that the source becomes readable, once everything has grown to its size.
    func allocations(wakeUps: UInt64, of records: UInt32) throws -> Double {
        try run(Self.warmUp(records), of: records)
        let before = ref_allocations()
        try run(wakeUps, of: records)
        return Double(ref_allocations() - before) / Double(wakeUps)
    }

    /// Turns of the session's loop so far.
    func turns() throws -> UInt64 {
        guard let poster = table.all.first?.poster else { throw Failure.noDaemon("the session has ended") }
        let answer = Answer()
        poster.post { answer.set($0.turns) }
        while true {
            if let turns = answer.value { return turns }
            usleep(1000)
        }
    }
}

private final class Answer: Sendable {
    private let mutex = Mutex<UInt64?>(nil)
    var value: UInt64? { mutex.withLock { $0 } }
    func set(_ value: UInt64) { mutex.withLock { $0 = value } }
}

/// A journal that keeps nothing.
private struct Nowhere: JournalSink {
    func write(_ record: JournalRecord) {}
}

/// The forwarder in C, which has its turns in the thread of whoever measures.
@safe final class InProcessForwarder {
    private let pipe: Pipe
    private let owner: SeqPacketSocket.Pair
    private let first: SeqPacketSocket.Pair
    private let second: SeqPacketSocket.Pair
    private let ends: ForwardingEnds
    private let forwarder: OpaquePointer?

    init(monitors: Bool) throws {
        pipe = try Pipe()
        owner = try SeqPacketSocket.pair()
        first = try SeqPacketSocket.pair()
        second = try SeqPacketSocket.pair()
        ends = ForwardingEnds(
            sink: pipe.sink.raw, events: owner.first.fd.raw,
            monitors: monitors ? [first.first.fd.raw, second.first.fd.raw] : [])
        unsafe forwarder = ref_forwarder_create(
            pipe.source.raw, owner.second.fd.raw, monitors ? first.second.fd.raw : -1,
            monitors ? second.second.fd.raw : -1, UInt32(MonitorEvent.byteCount))
        guard unsafe forwarder != nil else { throw Failure.system("make the forwarder", errno) }
    }

    deinit { unsafe ref_forwarder_destroy(forwarder) }

    func count(_ wakeUps: UInt64, of records: UInt32) throws {
        let forwarder = unsafe UnsafeMutableRawPointer(forwarder)
        try ends.run(InProcessForwarding.warmUp(records) + wakeUps, of: records) {
            unsafe ref_counted({ _ = unsafe ref_forwarder_turn(OpaquePointer($0)) }, forwarder)
        }
    }
}

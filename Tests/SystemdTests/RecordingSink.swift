import LinuxSystem
import Synchronization
import Systemd

/// Keeps what it is given; while it is held, it takes nothing, as a journald that hangs.
final class RecordingSink: JournalSink {
    private let gate: Gate
    private let kept = Mutex<[JournalRecord]>([])

    private let recorded: WakeUp

    init(held: Bool = false) throws {
        gate = try Gate(open: !held)
        recorded = try WakeUp()
    }

    func write(_ record: JournalRecord) {
        gate.pass()
        kept.withLock { $0.append(record) }
        recorded.set()
    }

    func letGo() { gate.open() }

    /// Waits until somebody stands before the gate.
    func waitUntilBlocked() { gate.waitForVisitor() }

    func waitForRecords(_ count: Int) { while records.count < count { _ = recorded.wait() } }

    var records: [JournalRecord] { kept.withLock { $0 } }
    var messages: [String] { records.map(\.message) }
}

private final class Gate: Sendable {
    private let isOpen: Atomic<Bool>
    private let opened: WakeUp
    private let visited: WakeUp

    init(open: Bool) throws {
        isOpen = Atomic(open)
        opened = try WakeUp()
        visited = try WakeUp()
    }

    func pass() {
        visited.set()
        while !isOpen.load(ordering: .acquiring) { _ = opened.wait() }
    }

    func open() {
        isOpen.store(true, ordering: .releasing)
        opened.set()
    }

    func waitForVisitor() { _ = visited.wait() }
}

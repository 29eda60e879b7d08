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

    /// Takes so many more, or all that come.
    func letGo(_ count: Int = .max) { gate.open(for: count) }

    /// Waits until somebody stands before the gate.
    func waitUntilBlocked() { gate.waitForVisitor() }

    func waitForRecords(_ count: Int) { while records.count < count { _ = recorded.wait() } }

    var records: [JournalRecord] { kept.withLock { $0 } }
    var messages: [String] { records.map(\.message) }
}

/// Lets through as many as it is told to.
private final class Gate: Sendable {
    private let permits: Mutex<Int>
    private let opened: WakeUp
    private let visited: WakeUp

    init(open: Bool) throws {
        permits = Mutex(open ? .max : 0)
        opened = try WakeUp()
        visited = try WakeUp()
    }

    func pass() {
        visited.set()
        while !takePermit() { _ = opened.wait() }
    }

    func open(for count: Int) {
        permits.withLock { $0 = count }
        opened.set()
    }

    func waitForVisitor() { _ = visited.wait() }

    private func takePermit() -> Bool {
        permits.withLock { permits in
            guard permits > 0 else { return false }
            permits -= 1
            return true
        }
    }
}

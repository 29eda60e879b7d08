package import LinuxSystem
import Synchronization

/// Where threads get their queues for the journal.
package final class Journal: Sendable {
    private let wakeUp: WakeUp
    private let finished: WakeUp
    private let queues = Mutex<[JournalQueue]>([])
    private let stopping = Atomic(false)
    private let losses = JournalLosses()

    fileprivate init() throws(Errno) {
        wakeUp = try WakeUp()
        finished = try WakeUp()
    }

    /// A queue for one thread. `session`: 0 for the daemon's own. 64 entries are 13 KiB, taken as they fill.
    package func makeQueue(session: UInt64 = 0, capacity: Int = 64) -> JournalQueue {
        let queue = JournalQueue(session: session, capacity: capacity, wakeUp: wakeUp, losses: losses)
        queues.withLock { $0.append(queue) }
        return queue
    }

    /// What has found its queue full, since there is this journal. Each queue tells of its own when it has room again.
    package var dropped: JournalLoss { losses.current }

    fileprivate func run(writingTo sink: some JournalSink) {
        repeat {
            _ = wakeUp.wait()
            let last = stopping.load(ordering: .acquiring)
            while writeRound(to: sink) {}
            if last { break }
        } while true
        finished.set()
    }

    /// Writes one entry of each queue, so that none waits for more than one of each other; false when there was none.
    private func writeRound(to sink: some JournalSink) -> Bool {
        var wrote = false
        for queue in queues.withLock({ $0 }) {
            if let entry = queue.take() {
                sink.write(JournalRecord(entry))
                wrote = true
            } else if queue.isDone {
                queues.withLock { $0.removeAll { $0 === queue } }
            }
        }
        return wrote
    }

    fileprivate func stop(by deadline: MonotonicTime) -> Bool {
        stopping.store(true, ordering: .releasing)
        wakeUp.set()
        return finished.wait(until: deadline)
    }
}

/// The one thread that writes to the journal. Writing may block for as long as journald likes; nobody else does.
package struct JournalThread: ~Copyable, Sendable {
    package let journal: Journal
    private let thread: Thread

    private init(_ journal: Journal, _ thread: consuming Thread) {
        self.journal = journal
        self.thread = thread
    }

    package static func start(writingTo sink: some JournalSink) throws(Errno) -> JournalThread {
        let journal = try Journal()
        let thread = try Thread.start(name: "journal", stackSize: 256 << 10) { journal.run(writingTo: sink) }
        return JournalThread(journal, thread)
    }

    /// Writes what is in the queues and ends the thread; false when the sink did not take it in time. The thread is then
    /// left to itself, and ends with the process or when the sink lets it go.
    package consuming func stop(withinMilliseconds milliseconds: UInt64) -> Bool {
        guard journal.stop(by: MonotonicTime.now.advanced(byMilliseconds: milliseconds)) else { return false }
        thread.join()
        return true
    }
}

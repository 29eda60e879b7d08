import Synchronization

/// What one thread has for the journal: a ring of fixed capacity.
///
/// ``push(_:)`` never waits for the journal, and allocates nothing: the ring's memory is reserved when the queue is made
/// (and touched as it fills for the first time). An entry that finds no room is dropped and counted, and the count comes
/// out as an entry at its place among the others.
package final class JournalQueue: Sendable {
    private let wakeUp: WakeUp
    private let ring: Mutex<Ring>
    private let session: UInt64
    private let losses: JournalLosses

    init(session: UInt64, capacity: Int, wakeUp: WakeUp, losses: JournalLosses) {
        (self.session, self.wakeUp, self.losses) = (session, wakeUp, losses)
        ring = Mutex(Ring(capacity: max(capacity, 2)))
    }

    /// Hands an entry to the journal's thread.
    package func push(_ entry: JournalEntry) {
        if !ring.withLock({ $0.push(entry, session: session) }) { losses.add(entry.loss) }
        wakeUp.set()
    }

    /// Nothing more is pushed: the queue goes when it is empty.
    package func close() {
        ring.withLock { $0.closed = true }
        wakeUp.set()
    }

    /// The oldest entry.
    func take() -> JournalEntry? { ring.withLock { $0.take(session: session) } }

    /// Closed, and with nothing left.
    var isDone: Bool { ring.withLock { $0.closed && $0.count == 0 && $0.lost.entries == 0 } }

    private struct Ring {
        let capacity: Int
        /// Grows up to the capacity and never again.
        var slots: [JournalEntry] = []
        var first = 0
        var count = 0
        /// Dropped since the last entry that found room.
        var lost = JournalLoss()
        var closed = false

        init(capacity: Int) {
            self.capacity = capacity
            slots.reserveCapacity(capacity)
        }

        /// False: it found no room.
        mutating func push(_ entry: JournalEntry, session: UInt64) -> Bool {
            let needed = lost.entries > 0 ? 2 : 1
            guard count + needed <= capacity else {
                lost = lost + entry.loss
                return false
            }
            if lost.entries > 0 { append(.lost(lost, session: session)) }
            lost = JournalLoss()
            append(entry)
            return true
        }

        mutating func take(session: UInt64) -> JournalEntry? {
            if count == 0 {
                defer { lost = JournalLoss() }
                return lost.entries > 0 ? .lost(lost, session: session) : nil
            }
            let entry = slots[first]
            // A text must not stay alive until its slot is used again.
            slots[first] = .lost(JournalLoss(), session: 0)
            first = (first + 1) % capacity
            count -= 1
            return entry
        }

        private mutating func append(_ entry: JournalEntry) {
            let index = (first + count) % capacity
            if index < slots.count { slots[index] = entry } else { slots.append(entry) }
            count += 1
        }
    }
}

/// What all queues together have dropped, those too that are gone.
final class JournalLosses: Sendable {
    private let total = Mutex(JournalLoss())
    func add(_ loss: JournalLoss) { total.withLock { $0 = $0 + loss } }
    var current: JournalLoss { total.withLock { $0 } }
}

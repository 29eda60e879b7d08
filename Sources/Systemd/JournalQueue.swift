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

    init(session: UInt64, capacity: Int, wakeUp: WakeUp) {
        (self.session, self.wakeUp) = (session, wakeUp)
        ring = Mutex(Ring(capacity: max(capacity, 2)))
    }

    /// Hands an entry to the journal's thread.
    package func push(_ entry: JournalEntry) {
        ring.withLock { $0.push(entry, session: session) }
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
    var isDone: Bool { ring.withLock { $0.closed && $0.count == 0 && $0.lost == 0 } }

    private struct Ring {
        let capacity: Int
        /// Grows up to the capacity and never again.
        var slots: [JournalEntry] = []
        var first = 0
        var count = 0
        /// Dropped since the last entry that found room.
        var lost: UInt64 = 0
        var closed = false

        init(capacity: Int) {
            self.capacity = capacity
            slots.reserveCapacity(capacity)
        }

        mutating func push(_ entry: JournalEntry, session: UInt64) {
            let needed = lost > 0 ? 2 : 1
            guard count + needed <= capacity else {
                lost += 1
                return
            }
            if lost > 0 { append(.lost(count: lost, session: session)) }
            lost = 0
            append(entry)
        }

        mutating func take(session: UInt64) -> JournalEntry? {
            if count == 0 {
                defer { lost = 0 }
                return lost > 0 ? .lost(count: lost, session: session) : nil
            }
            let entry = slots[first]
            // A text must not stay alive until its slot is used again.
            slots[first] = .lost(count: 0, session: 0)
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

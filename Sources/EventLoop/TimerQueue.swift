import LinuxSystem

/// A scheduled timer.
package struct TimerID: Hashable, Sendable {
    let slot: UInt32
    let generation: UInt32
}

/// Timers by deadline: a binary heap, whose forgotten entries are dropped when they come up, or when they are the most.
struct TimerQueue {
    private struct Entry {
        let deadline: MonotonicTime
        /// Timers of one deadline fire in the order in which they were made.
        let order: UInt64
        let id: TimerID

        func isBefore(_ other: Entry) -> Bool { (deadline, order) < (other.deadline, other.order) }
    }

    private struct Slot {
        var generation: UInt32 = 0
        var handler: ((EventLoop) -> Void)?
    }

    private var heap: [Entry] = []
    private var slots: [Slot] = []
    private var free: [UInt32] = []
    /// The place of the next timer in the order in which they are made.
    private(set) var nextOrder: UInt64 = 0
    private var live = 0

    var count: Int { live }

    /// The earliest deadline.
    var next: MonotonicTime? {
        mutating get {
            if heap.isEmpty { return nil }
            dropForgotten()
            return heap.first?.deadline
        }
    }

    mutating func insert(_ deadline: MonotonicTime, _ handler: @escaping (EventLoop) -> Void) -> TimerID {
        if heap.count > 2 * live + 16 { heap = compacted() }
        let slot = free.popLast() ?? UInt32(slots.count)
        if Int(slot) == slots.count { slots.append(Slot()) }
        slots[Int(slot)].handler = handler
        let id = TimerID(slot: slot, generation: slots[Int(slot)].generation)
        heap.append(Entry(deadline: deadline, order: nextOrder, id: id))
        nextOrder &+= 1
        live += 1
        siftUp(heap.count - 1)
        return id
    }

    mutating func cancel(_ id: TimerID) { _ = take(id) }

    /// The handler of the earliest timer, if that is due and older than `order`.
    mutating func popExpired(_ now: MonotonicTime, madeBefore order: UInt64) -> ((EventLoop) -> Void)? {
        dropForgotten()
        guard let first = heap.first, first.deadline <= now, first.order < order else { return nil }
        removeFirst()
        return take(first.id)
    }

    private func isLive(_ id: TimerID) -> Bool {
        Int(id.slot) < slots.count && slots[Int(id.slot)].generation == id.generation
            && slots[Int(id.slot)].handler != nil
    }

    private mutating func take(_ id: TimerID) -> ((EventLoop) -> Void)? {
        guard isLive(id) else { return nil }
        let handler = slots[Int(id.slot)].handler
        slots[Int(id.slot)].handler = nil
        slots[Int(id.slot)].generation &+= 1
        free.append(id.slot)
        live -= 1
        return handler
    }

    private mutating func dropForgotten() {
        while let first = heap.first, !isLive(first.id) { removeFirst() }
    }

    private func compacted() -> [Entry] { heap.filter { isLive($0.id) }.sorted { $0.isBefore($1) } }

    private mutating func removeFirst() {
        heap[0] = heap[heap.count - 1]
        heap.removeLast()
        siftDown(0)
    }

    private mutating func siftUp(_ start: Int) {
        var index = start
        while index > 0, heap[index].isBefore(heap[(index - 1) / 2]) {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    private mutating func siftDown(_ start: Int) {
        var index = start
        while true {
            var smallest = index
            for child in [2 * index + 1, 2 * index + 2] where child < heap.count && heap[child].isBefore(heap[smallest])
            {
                smallest = child
            }
            if smallest == index { return }
            heap.swapAt(index, smallest)
            index = smallest
        }
    }
}

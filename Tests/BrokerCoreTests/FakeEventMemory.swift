import BrokerCore
import SMMUv3
import Wire

/// A shared event queue as its reader sees it: a guest that keeps to the architecture, unless told otherwise.
final class FakeEventMemory: SharedEventMemory {
    let log2: UInt32
    private(set) var slots: [EventRecord]
    /// As the reader finds it.
    var producer: UInt32 = 0
    /// As the reader has written it.
    var consumer: UInt32 = 0
    private(set) var signals = 0
    /// Records written to slots that the reader had not given back.
    private(set) var overwritten = 0
    private var unread: Set<Int> = []

    init(log2: UInt32) {
        self.log2 = log2
        slots = Array(repeating: EventRecord(), count: 1 << log2)
    }

    var size: UInt32 { 1 << log2 }
    var mask: UInt32 { 2 * size - 1 }

    func loadProducer() -> UInt32 { producer }
    func loadConsumer() -> UInt32 { consumer }
    func write(_ records: Span<EventRecord>, at index: Int) {
        for offset in records.indices {
            if !unread.insert(index + offset).inserted { overwritten += 1 }
            slots[index + offset] = records[offset]
        }
    }
    func publish(_ producer: UInt32) { self.producer = producer }
    func signal() { signals += 1 }

    var hasOverflow: Bool { (producer ^ consumer) >> 31 != 0 }

    /// What a guest's driver does: takes records, moves CONS, acknowledges an overflow.
    func take(_ most: Int = .max) -> [EventRecord] {
        var taken: [EventRecord] = []
        while (producer ^ consumer) & mask != 0, taken.count < most {
            let slot = Int(consumer & (size - 1))
            taken.append(slots[slot])
            unread.remove(slot)
            consumer = consumer & ~mask | (consumer &+ 1) & mask
        }
        return taken
    }

    func acknowledge() { consumer = consumer & mask | producer & ~mask }
}

/// Gives out one queue after the other.
final class FakeEventMapper: EventQueueMapper {
    var memory = FakeEventMemory(log2: 3)
    var fail: BackendFailure?
    private(set) var mapped: [SessionState.SharedQueue] = []

    func map(_ queue: SessionState.SharedQueue) throws(BackendFailure) -> any SharedEventMemory {
        if let fail { throw fail }
        mapped.append(queue)
        return memory
    }
}

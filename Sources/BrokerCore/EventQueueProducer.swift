package import SMMUv3

/// An event queue in memory that the owner shares: records, PROD and CONS, and what wakes its reader. All of it may be
/// changed by others at any time.
package protocol SharedEventMemory: AnyObject {
    /// PROD, as the owner has left it.
    func loadProducer() -> UInt32
    /// CONS; what is written after it is not seen by a reader that had not moved it.
    func loadConsumer() -> UInt32
    /// Copies records, which end within the queue, to the slots from `index` on.
    func write(_ records: Span<EventRecord>, at index: Int)
    /// Stores PROD: whoever sees it sees the records before it.
    func publish(_ producer: UInt32)
    /// Wakes the reader. Never waits.
    func signal()
}

/// Maps event queues that owners share.
package protocol EventQueueMapper: AnyObject {
    /// Maps a queue whose descriptors have been checked by ``EventQueueRules``.
    func map(_ queue: SessionState.SharedQueue) throws(BackendFailure) -> any SharedEventMemory
}

/// The SMMU's side of an event queue (IHI 0070, 3.5, 7.4): writes records and moves PROD, and believes nothing of CONS
/// but that it may be one.
package struct EventQueueProducer {
    /// OVFLG of EVENTQ_PROD, OVACKFLG of EVENTQ_CONS.
    package static let overflowFlag: UInt32 = 1 << 31

    private let memory: any SharedEventMemory
    private let log2: UInt32
    /// Index, wrap bit and OVFLG. The memory's PROD is written and never read.
    package private(set) var producer: UInt32
    /// Something is there that the reader has not been woken for.
    private var isUnsignalled = false

    /// Goes on where PROD and CONS stand; nil when they are further apart than the queue is long. `log2`: of its records.
    package init?(_ memory: any SharedEventMemory, log2: UInt32) {
        (self.memory, self.log2) = (memory, log2)
        producer = memory.loadProducer() & (Self.mask(log2) | Self.overflowFlag)
        if used > size { return nil }
    }

    private static func mask(_ log2: UInt32) -> UInt32 { (2 << log2) - 1 }
    private var size: UInt32 { 1 << log2 }
    private var used: UInt32 { (producer &- memory.loadConsumer()) & Self.mask(log2) }

    /// Free slots. A CONS that is no possible one leaves none, until it is one.
    package var room: Int {
        let used = used
        return used >= size ? 0 : Int(size - used)
    }

    /// Writes as many of `records` as there is room for; how many.
    package mutating func append(_ records: Span<EventRecord>) -> Int {
        let count = min(records.count, room)
        if count == 0 { return 0 }
        let index = Int(producer & (size - 1))
        let first = min(count, Int(size) - index)
        memory.write(records.extracting(0..<first), at: index)
        if first < count { memory.write(records.extracting(first..<count), at: 0) }
        let moved = (producer &+ UInt32(count)) & Self.mask(log2)
        publish(producer & Self.overflowFlag | moved)
        return count
    }

    /// Records are lost: OVFLG says so, once until the reader has acknowledged it.
    package mutating func showLoss() {
        if (producer ^ memory.loadConsumer()) & Self.overflowFlag == 0 { publish(producer ^ Self.overflowFlag) }
    }

    private mutating func publish(_ new: UInt32) {
        producer = new
        memory.publish(new)
        isUnsignalled = true
    }

    /// Wakes the reader, if something is new: whether or not the queue was empty before. To find that out, CONS would
    /// have to be read after PROD is stored, in an order with the reader's own store and load that a guest's driver does
    /// not promise for memory; a wake-up too many costs the guest a look, one too few leaves a fault unseen.
    package mutating func wakeReader() {
        if !isUnsignalled { return }
        isUnsignalled = false
        memory.signal()
    }
}

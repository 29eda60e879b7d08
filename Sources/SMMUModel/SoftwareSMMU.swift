public import SMMUv3

/// How much a software SMMU may remember. Every number is an upper bound, whatever the guest does.
public struct SMMUCapacity: Hashable, Sendable {
    /// Cached translations.
    public var tlb: Int
    public var streamTableEntries: Int
    public var contextDescriptors: Int
    /// Entries of all devices' ATCs together.
    public var atc: Int
    /// Stalled transactions; never more than IDR5.STALL_MAX.
    public var stalled: Int

    public init(
        tlb: Int = 4096, streamTableEntries: Int = 256, contextDescriptors: Int = 256, atc: Int = 1024,
        stalled: Int = 64
    ) {
        (self.tlb, self.streamTableEntries, self.contextDescriptors) = (tlb, streamTableEntries, contextDescriptors)
        (self.atc, self.stalled) = (atc, stalled)
    }
}

/// A software SMMUv3: translates transactions by tables in memory, caches what it read until it is told to forget it,
/// takes commands and writes events.
///
/// Deterministic and without input or output besides its memory. Everything in memory is untrusted: no table, command
/// or address makes it trap, loop or grow past its capacity.
///
/// Like hardware it keeps what it has cached until an invalidation covers it or newer entries need the room. It never
/// caches a fault, an invalid descriptor, or an ILLEGAL STE or CD.
public struct SoftwareSMMU<Memory: PhysicalMemory>: ~Copyable {
    public var memory: Memory
    /// What this SMMU is: the registers it was made with, without what it does not do (``IDRegisters/modelled``).
    public let ids: IDRegisters
    /// What software reads and writes. Set the fields as a driver would; queues are worked on by
    /// ``processCommandQueue(limit:)``. Turning SMMUEN off takes effect with the next transaction or command, or at once
    /// with ``disable()``.
    public var registers = SMMURegisters()

    let outputAddressSize: Int
    let executeNeverXNX: Bool

    var tlb: TLB
    var streams: BoundedCache<StreamConfiguration>
    var contexts: BoundedCache<ContextConfiguration>
    var atc: BoundedCache<ATCEntry>
    var stalls: StallTable
    /// ATC_INVs whose device has not answered; the next CMD_SYNC reports them.
    var atcTimeoutPending = false
    /// Devices that answer no ATC_INV: a test's or an operator's doing.
    public var unresponsiveATCs: Set<StreamID> = []
    /// Event records dropped because the event queue was full, ever. Hardware says only that there were some (OVFLG).
    public internal(set) var lostEvents: UInt64 = 0
    /// What a driver would get as interrupts since it last took them.
    public var interrupts: Interrupts = []

    public init(memory: Memory, ids: IDRegisters, capacity: SMMUCapacity = SMMUCapacity()) {
        let ids = ids.modelled
        self.memory = memory
        self.ids = ids
        outputAddressSize = ids.outputAddressSize
        executeNeverXNX = ids.executeNeverXNX
        tlb = TLB(capacity: capacity.tlb)
        streams = BoundedCache(capacity: capacity.streamTableEntries)
        contexts = BoundedCache(capacity: capacity.contextDescriptors)
        atc = BoundedCache(capacity: capacity.atc)
        stalls = StallTable(
            capacity: ids.stallModel == .terminateOnly ? 0 : min(capacity.stalled, max(ids.maximumStalled, 1)))
    }

    /// Interrupt lines, each set until its owner clears it.
    public struct Interrupts: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static var eventQueue: Interrupts { Interrupts(rawValue: 1) }
        public static var globalError: Interrupts { Interrupts(rawValue: 2) }
        public static var commandSync: Interrupts { Interrupts(rawValue: 4) }
    }

    /// Entries cached at the moment.
    public var cachedCounts: (tlb: Int, streams: Int, contexts: Int, atc: Int) {
        (tlb.count, streams.count, contexts.count, atc.count)
    }

    /// Forgets everything cached, devices' ATCs included. Transactions that wait go on waiting.
    public mutating func invalidateEverything() {
        tlb.removeAll()
        streams.removeAll()
        contexts.removeAll()
        atc.removeAll()
    }
}

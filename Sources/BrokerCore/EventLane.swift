import Wire

/// One vSMMU's events on their way to the owner: what waits, where it goes, and what has become of all the others.
struct EventLane: Keyed {
    let key: VSMMUID
    var ring: EventRing
    var ledger = EventLedger()
    /// Where its packets go: its own subscription's socket, or the session's. Of a shared queue: its notices alone.
    var socket: ResourceID?
    /// The shared queue that its records go to instead.
    var queue: EventQueueProducer?
    /// OVFLG has been set for the loss that is oldest.
    private var isLossShown = false
    /// The queue is full: when to look again.
    private(set) var retry: Retry?

    struct Retry {
        var at: Instant
        /// Milliseconds.
        var pause: UInt64
    }

    private static let pauses: ClosedRange<UInt64> = 1...64

    init(of vsmmu: VSMMUID) { (key, ring) = (vsmmu, EventRing(of: vsmmu)) }

    /// The oldest packet for ``socket``; 0 when there is none.
    mutating func encodeNext(into packet: inout MutableRawSpan) -> Int {
        if queue != nil {
            guard case .notice = ring.front() else { return 0 }
        }
        return ring.encodeNext(into: &packet)
    }

    /// What it wrote has been sent. Returns how many records that was.
    mutating func dropDelivered() -> Int {
        isLossShown = false
        let count = ring.dropDelivered()
        ledger.delivered += UInt64(count)
        return count
    }

    /// Moves records into the shared queue until it is full, or a notice has to be sent first. Those of a generation
    /// before `generation` are not for the guest that has the queue. Returns how many were moved, and how many not.
    mutating func fillQueue(_ generation: Generation, at now: Instant) -> (moved: UInt64, outdated: UInt64) {
        var (moved, outdated) = (UInt64(0), UInt64(0))
        var isFull = false
        filling: while !isFull {
            switch ring.front() {
            case .nothing: break filling
            case .notice(let notice):
                show(notice, generation)
                if socket != nil { break filling }
                ring.dropNotice()
                isLossShown = false
            case .records where ring.headGeneration != generation:
                outdated += UInt64(ring.hand { $0.count })
            case .records:
                let count = ring.hand { queue?.append($0) ?? 0 }
                moved += UInt64(count)
                isFull = count == 0
            }
        }
        queue?.wakeReader()
        ledger.delivered += moved
        ledger.outdated += outdated
        lookAgain(isFull, progress: moved > 0, at: now)
        return (moved, outdated)
    }

    /// The guest that was reset has not lost what was lost before.
    private mutating func show(_ notice: EventRing.Notice, _ generation: Generation) {
        guard case .lost = notice, !isLossShown else { return }
        isLossShown = true
        if ring.headGeneration == generation { queue?.showLoss() }
    }

    /// Nobody says when CONS has moved.
    private mutating func lookAgain(_ isFull: Bool, progress: Bool, at now: Instant) {
        guard isFull else { return retry = nil }
        var pause = Self.pauses.lowerBound
        if let retry, !progress {
            if now < retry.at { return }
            pause = min(retry.pause * 2, Self.pauses.upperBound)
        }
        retry = Retry(at: now.advanced(byMilliseconds: pause), pause: pause)
    }

    /// The guest's queue is gone.
    mutating func endQueue() { (queue, retry, isLossShown) = (nil, nil, false) }

    /// Nobody will ever take what waits: how many records that is.
    mutating func discardAll() -> UInt64 {
        let count = UInt64(ring.dropAll())
        ledger.discarded += count
        return count
    }
}

/// What has become of one source's records, each in exactly one place: `produced` is the sum of all others.
package struct EventLedger: Hashable, Sendable {
    /// Numbers used up.
    package var produced: UInt64 = 0
    /// Lost by the source.
    package var lost: UInt64 = 0
    /// Handed to the owner's socket, or written into its shared queue.
    package var delivered: UInt64 = 0
    /// Waiting for the owner.
    package var waiting: UInt64 = 0
    /// Lost by the daemon: at a reset, with the vSMMU, or with the session.
    package var discarded: UInt64 = 0
    /// From before a reset, and so not for the queue of the guest that came after.
    package var outdated: UInt64 = 0

    package init() {}
    package var isBalanced: Bool { produced == lost &+ delivered &+ waiting &+ discarded &+ outdated }
}

import SMMUv3
package import Wire

extension Session {
    // MARK: Delivery

    /// Something is for the owner that it does not have yet.
    package var hasUndelivered: Bool {
        for index in lanes.indices where !lanes[index].ring.isEmpty { return true }
        return false
    }

    /// Encodes the oldest undelivered packet for a socket; 0 when there is none. It stays until ``delivered()``.
    package func nextDelivery(to socket: ResourceID, into packet: inout MutableRawSpan) -> Int {
        let count = lanes.count
        for step in 0..<count {
            let index = (nextLane &+ step) % count
            guard lanes[index].socket == socket else { continue }
            let size = lanes[index].encodeNext(into: &packet)
            if size == 0 { continue }
            (nextLane, pendingLane) = (index, lanes[index].key)
            return size
        }
        return 0
    }

    /// The packet of the last ``nextDelivery(to:into:)`` has been sent. The next one is another vSMMU's, if that has one.
    package func delivered() {
        guard let pendingLane, let index = lanes.index(of: pendingLane) else { return }
        self.pendingLane = nil
        counts.eventsDelivered += UInt64(lanes[index].dropDelivered())
        nextLane = index + 1
        if lanes.count > state.vsmmus.count { removeFinishedLanes() }
    }

    /// Whether the owner shares a queue of any vSMMU.
    package var hasQueues: Bool {
        for index in lanes.indices where lanes[index].queue != nil { return true }
        return false
    }

    /// Moves what waits into the queues that the owner shares, as far as they have room.
    package func fillQueues(at now: Instant) {
        for index in lanes.indices where lanes[index].queue != nil {
            guard let vsmmu = state.vsmmus.index(of: lanes[index].key) else { continue }
            let filled = lanes[index].fillQueue(state.vsmmus[vsmmu].generation, at: now)
            counts.eventsDelivered += filled.moved
            counts.eventsOutdated += filled.outdated
        }
    }

    /// What has become of a vSMMU's events; nil when there is none of this number, and nothing of it waits.
    package func eventLedger(of vsmmu: VSMMUID) -> EventLedger? {
        guard let index = lanes.index(of: vsmmu) else { return nil }
        var ledger = lanes[index].ledger
        ledger.waiting = UInt64(lanes[index].ring.count)
        return ledger
    }

    /// The device of a context is no longer the session's.
    func tellGone(_ index: Int) {
        let context = state.contexts[index]
        let notice = context.healthNotice
        if let lane = lanes.index(of: context.key.vsmmu) { lanes[lane].ring.append(.deviceGone(notice)) }
        effects.formUnion([.delivery, .contexts])
        observer.saw(.handedBack(device: context.device.name))
    }

    /// The session ends: nobody takes what is left.
    func endDelivery() {
        for index in lanes.indices { discardAll(at: index) }
        while !state.subscriptions.isEmpty { endSubscription(of: state.subscriptions[0].key) }
    }

    // MARK: Sources

    /// A descriptor to watch for each vSMMU that has one.
    package struct EventSource: Hashable, Sendable {
        package var vsmmu: VSMMUID
        package var descriptor: ResourceID
        package init(vsmmu: VSMMUID, descriptor: ResourceID) { (self.vsmmu, self.descriptor) = (vsmmu, descriptor) }
    }

    package var eventSources: [EventSource] {
        state.vsmmus.indices.compactMap { index in
            let id = state.vsmmus[index].key
            return backend.eventSource(of: id).map { EventSource(vsmmu: id, descriptor: $0) }
        }
    }

    /// False while what waits for the vSMMU's owner has no room: then its source is not to be read, until something has
    /// been delivered.
    package func hasRoomForEvents(of vsmmu: VSMMUID) -> Bool {
        lanes.index(of: vsmmu).map { lanes[$0].ring.hasRoom } ?? false
    }

    /// Reads what a source has and the ring has room for, a bounded amount.
    package func readSource(of vsmmu: VSMMUID, at now: Instant) -> Effects {
        // Asked again only when there was not room enough for all: then the ring has become larger, or begins anew.
        while readOnce(vsmmu, at: now), lanes.index(of: vsmmu).map({ lanes[$0].ring.wantsMore }) ?? false {}
        if backend.hasNotices { hearOfHost(at: now) }
        return takeEffects()
    }

    /// Reads all that a source has, because its vSMMU goes, or begins a new generation, which its records must not get.
    /// What the owner's ring has no room for goes to the journal and to monitors all the same; the owner is told how many
    /// that were.
    func drainSourceForGood(of vsmmu: VSMMUID, at now: Instant) {
        drainSource(of: vsmmu, at: now)
        guard let lane = lanes.index(of: vsmmu), !lanes[lane].ring.hasRoom, let index = state.vsmmus.index(of: vsmmu)
        else { return }
        let (generation, start) = (state.vsmmus[index].generation, lanes[lane].ring.nextSequence.rawValue)
        var (lost, discarded) = (UInt64(0), UInt64(0))
        if scratch.isEmpty { scratch = Array(repeating: EventRecord(), count: Limits.events) }
        var faulting = Faulting(vsmmu, generation)
        // A device that faults for ever does not keep this going for ever.
        for _ in 0..<Self.drainRounds {
            let read = Self.read(vsmmu, of: backend, into: &scratch)
            let count = min(max(read.count, 0), scratch.count)
            if count == 0 && read.lost == 0 { break }
            lost &+= read.lost
            for position in 0..<count {
                let sequence = EventSequence(start &+ lost &+ discarded &+ UInt64(position))
                tell(scratch[position], sequence, of: &faulting, at: now)
            }
            discarded &+= UInt64(count)
        }
        if lost == 0 && discarded == 0 { return }
        // Those that the source lost lie among the others: the owner is told of all of them as of one loss.
        lanes[lane].ring.appendLoss(lost &+ discarded, .subscriber)
        count(lost: lost, read: discarded, at: lane)
        lanes[lane].ledger.discarded &+= discarded
        counts.eventsDiscarded &+= discarded
        if lost > 0 { observer.saw(.lostEvents(vsmmu: vsmmu, count: lost)) }
        if discarded > 0 { observer.saw(.discardedEvents(vsmmu: vsmmu, count: discarded)) }
        settleHealth(at: now)
    }

    /// The source has used up numbers: for records that it lost, and for those that have been read.
    private func count(lost: UInt64, read: UInt64, at lane: Int) {
        counts.events &+= read
        counts.eventsLost &+= lost
        lanes[lane].ledger.lost &+= lost
        lanes[lane].ledger.produced &+= lost &+ read
        commit(.numbered(lanes[lane].key, next: lanes[lane].ring.nextSequence))
        effects.insert(.delivery)
    }

    private static var drainRounds: Int { 64 }

    private static func read(
        _ vsmmu: VSMMUID, of backend: any TranslationBackend, into records: inout [EventRecord]
    ) -> EventsRead {
        var slots = records.mutableSpan
        return backend.readEvents(of: vsmmu, into: &slots)
    }

    /// Reads all that a source has, as far as there is room.
    func drainSource(of vsmmu: VSMMUID, at now: Instant) {
        while readOnce(vsmmu, at: now) {}
    }

    /// True: there was something, and there may be more. With every record there is less room: it is not so for ever.
    private func readOnce(_ vsmmu: VSMMUID, at now: Instant) -> Bool {
        guard let lane = lanes.index(of: vsmmu), lanes[lane].ring.hasRoom, let index = state.vsmmus.index(of: vsmmu)
        else { return false }
        var faulting = Faulting(vsmmu, current.vsmmus[index].generation)
        let backend = backend
        let read = lanes[lane].ring.fill { backend.readEvents(of: vsmmu, into: &$0) }
        if read.count == 0 && read.lost == 0 { return false }
        count(lost: read.lost, read: UInt64(read.count), at: lane)
        if read.lost > 0 { observer.saw(.lostEvents(vsmmu: vsmmu, count: read.lost)) }
        let first = lanes[lane].ring.nextSequence.rawValue &- UInt64(read.count)
        for position in 0..<read.count {
            let record = lanes[lane].ring.record(position, ofLast: read.count)
            tell(record, EventSequence(first &+ UInt64(position)), of: &faulting, at: now)
        }
        settleHealth(at: now)
        return read.count > 0
    }

    // MARK: Time

    /// The first time at which ``timeout(at:)`` has something to do. Of records that name no context the next one that is
    /// let through has the count.
    package var deadline: Instant? {
        var first = Instant.earlier(stalls.first, Instant.earlier(quarantineRetry, leaveRetry))
        first = Instant.earlier(first, recoveryRetry)
        first = Instant.earlier(first, Instant.earlier(healthDeadline, merger.deadline))
        for index in lanes.indices { first = Instant.earlier(first, lanes[index].retry?.at) }
        for index in meters.indices {
            guard let deadline = meters[index].journal.deadline else { continue }
            first = first.map { min($0, deadline) } ?? deadline
        }
        return first
    }

    package func timeout(at now: Instant) -> Effects {
        tellMerged(at: now)
        for index in meters.indices {
            guard let count = meters[index].journal.takeSuppressed(at: now),
                let context = state.contexts.index(of: meters[index].key)
            else { continue }
            observer.saw(.suppressedFaults(device: state.contexts[context].device.name, count: count))
        }
        answerStalls(at: now)
        retryQuarantine(at: now)
        retryRecovery(at: now)
        timeHealth(at: now)
        retryHandingBack(at: now)
        if backend.hasNotices { hearOfHost(at: now) }
        return takeEffects()
    }
}

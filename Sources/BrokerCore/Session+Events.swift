import SMMUv3
package import Wire

extension Session {
    // MARK: Subscription

    func eventsSubscribe(
        _ request: EventsSubscribeRequest, _ call: Call, _ files: [ReceivedFile], _ reply: inout MutableRawSpan
    ) throws(Refusal) -> Answer {
        guard request.delivery == .socket else {
            throw .notSupported("This daemon has no SHARED_EVENTS: ask for delivery by a socket.")
        }
        guard files[0].kind == .seqPacketSocket else {
            throw Refusal(
                .notSocket, .invalid,
                "The descriptor is no end of a pair of SOCK_SEQPACKET sockets of AF_UNIX: pass one that socketpair made."
            )
        }
        if request.vsmmu != .every { _ = try vsmmuIndex(request.vsmmu) }
        if let old = state.subscription { discard(old.socket) }
        commit(.subscribed(SessionState.Subscription(socket: files[0].resource, vsmmu: request.vsmmu)))
        effects.insert(.delivery)
        var answer = done(call, &reply)
        answer.keepsFirst = true
        return answer
    }

    /// The socket to deliver events to; nil while nobody has subscribed, or its peer has gone.
    package var subscription: ResourceID? { state.subscription?.socket }

    /// The subscriber has gone: keeps everything for the next one.
    package func subscriberGone() {
        guard let old = state.subscription else { return }
        commit(.unsubscribed)
        discard(old.socket)
    }

    // MARK: Delivery

    /// Something is for the owner that it does not have yet.
    package var hasUndelivered: Bool { !ring.isEmpty }

    /// Encodes the oldest undelivered packet; 0 when there is none. It stays until ``delivered()``.
    package func nextDelivery(into packet: inout MutableRawSpan) -> Int {
        guard let subscription = state.subscription else { return 0 }
        return ring.encodeNext(for: subscription, into: &packet)
    }

    /// The packet of the last ``nextDelivery(into:)`` has been sent.
    package func delivered() { counts.eventsDelivered += UInt64(ring.dropDelivered()) }

    /// The device of a context is no longer the session's.
    func tellGone(_ index: Int) {
        let context = state.contexts[index]
        let generation = state.vsmmus.index(of: context.key.vsmmu).map { state.vsmmus[$0].generation }
        let header = EventHeader(
            sequence: state.nextSequence, vsmmu: context.key.vsmmu, generation: generation ?? Generation(0))
        let health = context.health
        let notice = HealthNotice(
            vsid: context.key.vsid, state: health.state, reason: health.reason, reasons: health.reasons)
        ring.append(.deviceGone(notice), header)
        effects.formUnion([.delivery, .contexts])
        observer.saw(.handedBack(device: context.device.name))
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

    /// False while the owner's ring is full: then sources are not to be read, until something has been delivered.
    package var hasRoomForEvents: Bool { ring.hasRoom }

    /// Reads what a source has and the ring has room for, a bounded amount.
    package func readSource(of vsmmu: VSMMUID, at now: Instant) -> Effects {
        _ = readOnce(vsmmu, at: now)
        if backend.hasNotices { hearOfHost(at: now) }
        return takeEffects()
    }

    /// Reads all that a source has, because its vSMMU goes, or begins a new generation, which its records must not get.
    /// What the owner's ring has no room for goes to the journal and to monitors all the same; the owner is told how many
    /// that were.
    func drainSourceForGood(of vsmmu: VSMMUID, at now: Instant) {
        drainSource(of: vsmmu, at: now)
        guard !ring.hasRoom, ring.hasRoomForLoss, let index = state.vsmmus.index(of: vsmmu) else { return }
        let (generation, start) = (state.vsmmus[index].generation, state.nextSequence)
        if scratch.isEmpty { scratch = Array(repeating: EventRecord(), count: Limits.events) }
        // A device that faults for ever does not keep this going for ever.
        for _ in 0..<Self.drainRounds {
            let read = Self.read(vsmmu, of: backend, into: &scratch)
            let count = min(max(read.count, 0), scratch.count)
            if count == 0 && read.lost == 0 { break }
            let first = state.nextSequence.rawValue &+ read.lost
            commit(.numbered(next: EventSequence(first &+ UInt64(count))))
            counts.events += UInt64(count)
            for position in 0..<count {
                let sequence = EventSequence(first &+ UInt64(position))
                tell(scratch[position], sequence, of: vsmmu, generation, at: now)
            }
        }
        settleHealth(at: now)
        let lost = state.nextSequence.rawValue &- start.rawValue
        if lost == 0 { return }
        ring.appendLoss(lost, .subscriber, EventHeader(sequence: start, vsmmu: vsmmu, generation: generation))
        counts.eventsLost &+= lost
        effects.insert(.delivery)
        observer.saw(.lostEvents(vsmmu: vsmmu, count: lost))
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

    /// True: there was something, and there may be more.
    private func readOnce(_ vsmmu: VSMMUID, at now: Instant) -> Bool {
        guard ring.hasRoom, let index = state.vsmmus.index(of: vsmmu) else { return false }
        let generation = state.vsmmus[index].generation
        let backend = backend
        let (read, first) = ring.fill(from: vsmmu, generation, numberedFrom: state.nextSequence) {
            backend.readEvents(of: vsmmu, into: &$0)
        }
        if read.count == 0 && read.lost == 0 { return false }
        commit(.numbered(next: EventSequence(first.rawValue &+ UInt64(read.count))))
        effects.insert(.delivery)
        if read.lost > 0 {
            counts.eventsLost &+= read.lost
            observer.saw(.lostEvents(vsmmu: vsmmu, count: read.lost))
        }
        counts.events += UInt64(read.count)
        for position in 0..<read.count {
            let sequence = EventSequence(first.rawValue &+ UInt64(position))
            tell(ring.record(position, ofLast: read.count), sequence, of: vsmmu, generation, at: now)
        }
        settleHealth(at: now)
        return read.count > 0
    }

    // MARK: Time

    /// The first time at which ``timeout(at:)`` has something to do. Of records that name no context the next one that is
    /// let through has the count.
    package var deadline: Instant? {
        var first = Instant.earlier(stalls.first, Instant.earlier(quarantineRetry, leaveRetry))
        first = Instant.earlier(first, Instant.earlier(healthDeadline, merger.deadline))
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
        timeHealth(at: now)
        retryHandingBack(at: now)
        if backend.hasNotices { hearOfHost(at: now) }
        return takeEffects()
    }
}

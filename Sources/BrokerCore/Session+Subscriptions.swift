import SMMUv3
import Wire

// Who gets the events of which vSMMU.

extension Session {
    func eventsSubscribe(
        _ request: EventsSubscribeRequest, _ call: Call, _ files: [ReceivedFile], _ reply: inout MutableRawSpan
    ) throws(Refusal) -> Answer {
        switch request.delivery {
        case .socket:
            try EventQueueRules.requireSocket(files[0])
            if request.vsmmu != .every { _ = try vsmmuIndex(request.vsmmu) }
            replaceSubscription(SessionState.Subscription(of: request.vsmmu, .socket(files[0].resource)))
        case .queue(let place):
            try require(.sharedEvents, "delivery into a queue")
            _ = try vsmmuIndex(request.vsmmu)
            let queue = try EventQueueRules.queue(place, files)
            let producer = try open(queue)
            replaceSubscription(SessionState.Subscription(of: request.vsmmu, .queue(queue)))
            if let lane = lanes.index(of: request.vsmmu) { lanes[lane].queue = producer }
        }
        var answer = done(call, &reply)
        answer.keepsFiles = true
        return answer
    }

    private func open(_ queue: SessionState.SharedQueue) throws(Refusal) -> EventQueueProducer {
        guard let mapper = context.queues else { throw .notSupported("This daemon has no SHARED_EVENTS.") }
        var memory: (any SharedEventMemory)?
        let failure = attempt { () throws(BackendFailure) in memory = try mapper.map(queue) }
        if let failure { throw .hostFailure(failure, "The subscription is as it was") }
        if let memory, let producer = EventQueueProducer(memory, log2: queue.place.log2) { return producer }
        throw Refusal(
            .badValue, .invalid,
            "PROD and CONS are further apart than the queue's \(UInt64(1) << UInt64(queue.place.log2)) records: write what "
                + "EVENTQ_PROD and EVENTQ_CONS are before you subscribe, 0 both at first.")
    }

    private func replaceSubscription(_ new: SessionState.Subscription) {
        endSubscription(of: new.key)
        commit(.subscribed(new))
        routeLanes()
    }

    /// Ends a vSMMU's own subscription, or that of all the others: what waits, waits for the next.
    func endSubscription(of vsmmu: VSMMUID) {
        guard let index = state.subscriptions.index(of: vsmmu) else { return }
        let old = state.subscriptions[index]
        commit(.unsubscribed(vsmmu))
        old.forEachResource { discard($0) }
        if let lane = lanes.index(of: vsmmu) { lanes[lane].endQueue() }
        routeLanes()
    }

    /// Finds out anew where each vSMMU's packets go.
    private func routeLanes() {
        let every = state.subscriptions.index(of: .every).flatMap { state.subscriptions[$0].socket }
        for index in lanes.indices {
            let own = state.subscriptions.index(of: lanes[index].key).flatMap { state.subscriptions[$0].socket }
            lanes[index].socket = own ?? every
        }
        effects.formUnion([.delivery, .subscriptions])
    }

    /// The sockets to deliver packets to.
    package var sockets: [ResourceID] { state.subscriptions.indices.compactMap { state.subscriptions[$0].socket } }

    /// A socket's peer has gone: what waits for it is kept for the next one.
    package func subscriberGone(_ socket: ResourceID) {
        guard let index = state.subscriptions.indices.first(where: { state.subscriptions[$0].socket == socket })
        else { return }
        let old = state.subscriptions[index]
        guard case .queue(var queue) = old.delivery else {
            endSubscription(of: old.key)
            return removeFinishedLanes()
        }
        queue.notices = nil
        commit(.subscribed(SessionState.Subscription(of: old.key, .queue(queue))))
        discard(socket)
        routeLanes()
    }

    // MARK: Lanes

    func openLane(of vsmmu: VSMMUID) {
        lanes.insert(EventLane(of: vsmmu))
        routeLanes()
    }

    /// The guest was reset: its event queue is gone, and what comes from now on is of the next generation.
    func resetLane(of vsmmu: VSMMUID) {
        if hasQueue(vsmmu) { endSubscription(of: vsmmu) }
        guard let lane = lanes.index(of: vsmmu), let index = state.vsmmus.index(of: vsmmu) else { return }
        lanes[lane].ring.begin(state.vsmmus[index].generation)
    }

    /// The vSMMU is gone, and a queue of its guest as well. What waits is for a socket's owner; without one, of a queue,
    /// it is lost.
    func closeLane(of vsmmu: VSMMUID) {
        let hadQueue = hasQueue(vsmmu)
        if hadQueue { endSubscription(of: vsmmu) }
        guard let lane = lanes.index(of: vsmmu) else { return }
        if hadQueue, lanes[lane].socket == nil { discardAll(at: lane) }
        removeFinishedLanes()
    }

    private func hasQueue(_ vsmmu: VSMMUID) -> Bool {
        guard let index = state.subscriptions.index(of: vsmmu) else { return false }
        if case .queue = state.subscriptions[index].delivery { return true }
        return false
    }

    func discardAll(at lane: Int) {
        let count = lanes[lane].discardAll()
        if count == 0 { return }
        counts.eventsDiscarded += count
        if hasBegun { observer.saw(.discardedEvents(vsmmu: lanes[lane].key, count: count)) }
    }

    /// Lanes of vSMMUs that are gone end when everything in them has been taken.
    func removeFinishedLanes() {
        for index in lanes.indices.reversed() {
            let id = lanes[index].key
            guard lanes[index].ring.isEmpty, state.vsmmus.index(of: id) == nil else { continue }
            lanes.remove(id)
            endSubscription(of: id)
        }
    }
}

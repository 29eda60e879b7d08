package import BrokerCore
package import Wire

// What sessions publish, as the admin socket carries it.

/// What sessions did that have ended.
package struct EndedSessions: Hashable, Sendable {
    package private(set) var count: UInt64 = 0
    package private(set) var counters = AdminCounters()
    package init() {}

    package mutating func add(_ counters: SessionCounters) {
        count += 1
        self.counters = self.counters + AdminCounters(counters)
    }
}

extension AdminCounters {
    package init(_ counters: SessionCounters) {
        self.init()
        (requests, refusals) = (counters.requests, counters.refusals)
        (batches, commands, ignoredCommands) = (counters.batches, counters.commands, counters.ignoredCommands)
        stesInstalled = counters.stesInstalled
        (resynchronizations, hostFailures) = (counters.resynchronizations, counters.hostFailures)
        (events, eventsDelivered) = (counters.events, counters.eventsDelivered)
        (eventsLost, journalSuppressed) = (counters.eventsLost, counters.journalSuppressed)
        (eventsDiscarded, eventsOutdated) = (counters.eventsDiscarded, counters.eventsOutdated)
    }
}

extension AdminSession {
    /// What `handle` has published last. `now` is of the monotonic clock.
    package init(_ handle: SessionHandle, at now: Instant) {
        let snapshot = handle.snapshot
        // Between turns it is 0; a turn that has just begun is not.
        let busy = handle.busySince.map { max(1, now.nanoseconds &- min($0.nanoseconds, now.nanoseconds)) } ?? 0
        self.init(
            id: handle.id.rawValue, vm: snapshot.vm, grant: Name(handle.grant), pid: snapshot.pid, uid: snapshot.uid,
            vsmmus: snapshot.vsmmus, contexts: snapshot.contexts, maps: snapshot.maps,
            mappedBytes: snapshot.mappedBytes, busyNanoseconds: busy, counters: AdminCounters(snapshot.counters))
    }

    /// In a turn for so long that it is likely to be in a call that blocks.
    package var isStuck: Bool { busyNanoseconds > 1_000_000_000 }
}

extension AdminContext {
    package init(_ snapshot: ContextSnapshot) {
        var flags: Flags = []
        if snapshot.illegal { flags.insert(.illegal) }
        if snapshot.vsmmuEnabled { flags.insert(.vsmmuEnabled) }
        if snapshot.vsmmuFailed { flags.insert(.vsmmuFailed) }
        self.init(
            vsmmu: snapshot.vsmmu, vsid: snapshot.vsid, device: snapshot.device, smmu: snapshot.smmu,
            physicalStream: snapshot.physicalStream, state: snapshot.state, flags: flags, health: snapshot.health,
            events: snapshot.events, stesInstalled: snapshot.stesInstalled, word0: snapshot.word0,
            word1: snapshot.word1)
    }
}

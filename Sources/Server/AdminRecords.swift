package import BrokerCore
package import Wire

// What sessions publish, as the admin socket carries it.

/// What sessions did that have ended.
package struct EndedSessions: Hashable, Sendable {
    package private(set) var count: UInt64 = 0
    package private(set) var counters = AdminCounters()
    package private(set) var slowCalls: UInt64 = 0
    package private(set) var faults = FaultCounters()
    package private(set) var tallies = SessionTallies()
    package private(set) var latencies = SessionLatencies()
    package init() {}

    package mutating func add(_ session: SessionHandle) {
        count += 1
        counters = counters + AdminCounters(session.snapshot.counters)
        slowCalls &+= session.snapshot.counters.slowCalls
        faults = faults + session.faults
        tallies = tallies + session.tallies
        latencies = latencies + session.latencies
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
        let busy = handle.busySince.map { max(1, now.since($0)) } ?? 0
        self.init(
            id: handle.id.rawValue, vm: snapshot.vm, grant: Name(handle.grant), pid: snapshot.pid, uid: snapshot.uid,
            vsmmus: snapshot.vsmmus, contexts: snapshot.contexts, maps: snapshot.maps,
            mappedBytes: snapshot.mappedBytes, busyNanoseconds: busy, counters: AdminCounters(snapshot.counters))
        for context in handle.contexts {
            switch context.health.state {
            case .suspect: suspectContexts &+= 1
            case .quarantined: quarantinedContexts &+= 1
            case .healthy, .recovered: break
            }
        }
    }

    /// In a turn for so long that it is likely to be in a call that blocks.
    package var isStuck: Bool { busyNanoseconds > 1_000_000_000 }
}

extension AdminContext {
    /// `now` is of the monotonic clock.
    package init(_ snapshot: ContextSnapshot, at now: Instant) {
        var flags: Flags = []
        if snapshot.illegal { flags.insert(.illegal) }
        if snapshot.vsmmuEnabled { flags.insert(.vsmmuEnabled) }
        if snapshot.vsmmuFailed { flags.insert(.vsmmuFailed) }
        var stalls = AdminLatency()
        (stalls.count, stalls.maximum) = (snapshot.stalls.count, snapshot.stalls.maximum)
        stalls.median = snapshot.stalls.quantile(permille: 500)
        stalls.percentile99 = snapshot.stalls.quantile(permille: 990)
        self.init(
            vsmmu: snapshot.vsmmu, vsid: snapshot.vsid, device: snapshot.device, smmu: snapshot.smmu,
            physicalStream: snapshot.physicalStream, state: snapshot.state, flags: flags, health: snapshot.health.state,
            events: snapshot.events, stesInstalled: snapshot.stesInstalled, word0: snapshot.word0,
            word1: snapshot.word1)
        let health = snapshot.health
        (healthReason, healthReasons) = (health.reason, health.reasons)
        if health.reason != .none { healthNanoseconds = max(1, now.since(health.since)) }
        if let end = health.parkedUntil { parkedNanoseconds = max(1, end.since(now)) }
        self.stalls = stalls
    }
}

extension AdminHeldDevice {
    package init(_ held: HeldBack) {
        self.init(
            device: held.device, vm: held.vm, session: held.session.rawValue,
            reason: held.reason == .orphaned ? .orphaned : .withheld)
    }
}

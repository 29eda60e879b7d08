package import SMMUv3
package import Wire

/// Hears of what happens in a session, for the journal and for monitors. Called by the session's thread; must not block.
package protocol SessionObserver: AnyObject {
    /// A fault was read from the source; it has been put into the owner's ring.
    func sawFault(_ fault: ObservedFault)
    /// Those are all for now: what has been kept to be passed on together is to be passed on.
    func sawAllFaults()
    /// Something else worth a line.
    func saw(_ notice: SessionNotice)
}

extension SessionObserver {
    package func sawAllFaults() {}
}

/// One fault, with what is known of it.
package struct ObservedFault: Hashable, Sendable {
    package var session: SessionID
    package var vm: Name
    package var vsmmu: VSMMUID
    package var generation: Generation
    package var sequence: EventSequence
    package var record: EventRecord
    /// The device; nil when the record names no attached stream.
    package var device: Name?
    /// How many there were: all like this one, which is the last of them.
    package var count: UInt64
    /// They are like it in kind, and not in address.
    package var isSample: Bool
    /// Nanoseconds since this one.
    package var age: UInt64
    /// Nanoseconds from the first of them to this one.
    package var span: UInt64
    /// Whether the journal is to have it; false when the context's rate limit suppressed it.
    package var journal: Bool
    /// Faults of this context that the rate limit suppressed since the last one that was not.
    package var suppressed: UInt64
    /// Only with ``journal``.
    package var background: FaultBackground?

    @inline(__always)
    package init(
        session: SessionID, vm: Name, vsmmu: VSMMUID, generation: Generation, sequence: EventSequence,
        record: EventRecord, device: Name?, journal: Bool, suppressed: UInt64, count: UInt64 = 1,
        isSample: Bool = false, age: UInt64 = 0, span: UInt64 = 0
    ) {
        (self.session, self.vm, self.vsmmu, self.generation) = (session, vm, vsmmu, generation)
        (self.sequence, self.record, self.device) = (sequence, record, device)
        (self.journal, self.suppressed, self.count, self.isSample) = (journal, suppressed, count, isSample)
        (self.age, self.span) = (age, span)
    }
}

/// A context is doing better, or worse.
package struct HealthChange: Hashable, Sendable {
    package var device: Name
    package var key: ContextKey
    package var from: HealthNotice.State
    package var health: ContextHealth
    /// Within the span of a storm, up to now.
    package var faults: UInt64 = 0

    package init(device: Name, key: ContextKey, from: HealthNotice.State, health: ContextHealth) {
        (self.device, self.key, self.from, self.health) = (device, key, from, health)
    }
}

/// What happens in a session besides faults.
package enum SessionNotice: Hashable, Sendable {
    case began(vm: Name, grant: String)
    case attached(device: Name, vsmmu: VSMMUID, vsid: StreamID)
    case detached(device: Name, vsmmu: VSMMUID, vsid: StreamID)
    /// The source lost records.
    case lostEvents(vsmmu: VSMMUID, count: UInt64)
    /// Records that the owner had not taken when its vSMMU was reset or went. Everybody else has been told of each.
    case discardedEvents(vsmmu: VSMMUID, count: UInt64)
    /// The rate limit of a context has ended with so many suppressed.
    case suppressedFaults(device: Name, count: UInt64)
    /// The host failed, and the vSMMU was resynchronized.
    case resynchronized(vsmmu: VSMMUID, BackendFailure)
    /// It was not possible to resynchronize it: its devices abort.
    case vsmmuFailed(vsmmu: VSMMUID, BackendFailure)
    case deviceTimedOut(vsmmu: VSMMUID)
    /// Nobody answered a stalled transaction of this device in time: it was aborted.
    case stallTimedOut(device: Name)
    case health(HealthChange)
    /// An operator has taken it from the guest.
    case handedBack(device: Name)
    /// An operator wants it, and the host does not let it be detached.
    case notHandedBack(device: Name, BackendFailure)
    /// A BAR at this IPA could not be mapped again with VSMMU_RESET.
    case deviceMemoryLost(BackendFailure, at: UInt64)
    /// A call of the host took 100 ms or more.
    case slowCall(name: String, milliseconds: UInt64)
    /// The text is the one that the client is told.
    case refused(RequestType?, Reason, String)
    case ended
}

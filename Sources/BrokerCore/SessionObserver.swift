package import SMMUv3
package import Wire

/// Hears of what happens in a session, for the journal and for monitors. Called by the session's thread; must not block.
package protocol SessionObserver: AnyObject {
    /// A fault was read from the source; it has been put into the owner's ring.
    func sawFault(_ fault: ObservedFault)
    /// Something else worth a line.
    func saw(_ notice: SessionNotice)
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
    /// Whether the journal is to have it; false when the context's rate limit suppressed it.
    package var journal: Bool
    /// Faults of this context that the rate limit suppressed since the last one that was not.
    package var suppressed: UInt64
    /// Only with ``journal``.
    package var background: FaultBackground?

    package init(
        session: SessionID, vm: Name, vsmmu: VSMMUID, generation: Generation, sequence: EventSequence,
        record: EventRecord, device: Name?, journal: Bool, suppressed: UInt64,
        background: FaultBackground? = nil
    ) {
        (self.session, self.vm, self.vsmmu, self.generation) = (session, vm, vsmmu, generation)
        (self.sequence, self.record, self.device) = (sequence, record, device)
        (self.journal, self.suppressed, self.background) = (journal, suppressed, background)
    }
}

/// What happens in a session besides faults.
package enum SessionNotice: Hashable, Sendable {
    case began(vm: Name, grant: String)
    case attached(device: Name, vsmmu: VSMMUID, vsid: StreamID)
    case detached(device: Name)
    /// The source lost records.
    case lostEvents(vsmmu: VSMMUID, count: UInt64)
    /// The rate limit of a context has ended with so many suppressed.
    case suppressedFaults(device: Name, count: UInt64)
    /// The host failed, and the vSMMU was resynchronized.
    case resynchronized(vsmmu: VSMMUID, BackendFailure)
    /// It was not possible to resynchronize it: its devices abort.
    case vsmmuFailed(vsmmu: VSMMUID, BackendFailure)
    case deviceTimedOut(vsmmu: VSMMUID)
    /// Nobody answered a stalled transaction of this device in time: it was aborted.
    case stallTimedOut(device: Name)
    case health(device: Name, HealthNotice.State)
    /// The text is the one that the client is told.
    case refused(RequestType?, Reason, String)
    case ended
}

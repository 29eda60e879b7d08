package import SMMUv3
package import Wire

/// What an operator sees of a session: of fixed size, copied out after every turn.
package struct SessionSnapshot: Hashable, Sendable {
    package var id: SessionID
    /// nil before HELLO.
    package var vm: Name?
    package var pid: UInt32
    package var uid: UInt32
    package var vsmmus: UInt32 = 0
    package var contexts: UInt32 = 0
    package var maps: UInt32 = 0
    package var mappedBytes: UInt64 = 0
    package var counters = SessionCounters()

    package init(id: SessionID, vm: Name?, pid: UInt32, uid: UInt32) {
        (self.id, self.vm, self.pid, self.uid) = (id, vm, pid, uid)
    }
}

/// What a session has done, counted from its beginning.
package struct SessionCounters: Hashable, Sendable {
    package var requests: UInt64 = 0
    package var refusals: UInt64 = 0
    package var batches: UInt64 = 0
    package var commands: UInt64 = 0
    /// Commands that were completed without reaching the backend (P13).
    package var ignoredCommands: UInt64 = 0
    package var stesInstalled: UInt64 = 0
    package var resynchronizations: UInt64 = 0
    package var hostFailures: UInt64 = 0
    /// Read from the source.
    package var events: UInt64 = 0
    /// Handed to the owner's socket, or written into its shared queue.
    package var eventsDelivered: UInt64 = 0
    /// Lost by the source.
    package var eventsLost: UInt64 = 0
    /// Read, and lost by the daemon: at a reset, with the vSMMU, or with the session.
    package var eventsDiscarded: UInt64 = 0
    /// Read, and not written into a shared queue, because they are from before a reset.
    package var eventsOutdated: UInt64 = 0
    /// Kept out of the journal by the rate limit.
    package var journalSuppressed: UInt64 = 0
    /// Calls of the host that took 100 ms or more.
    package var slowCalls: UInt64 = 0
    package init() {}

    /// Read, and waiting for the owner. So each record that was read is counted in one place.
    package var eventsWaiting: UInt64 { events &- eventsDelivered &- eventsDiscarded &- eventsOutdated }
}

/// What an operator sees of one context.
package struct ContextSnapshot: Hashable, Sendable {
    package var vsmmu: VSMMUID
    package var vsid: StreamID
    package var device: Name
    package var smmu: Name
    package var physicalStream: StreamID
    package var state: ContextState
    package var illegal: Bool
    package var vsmmuEnabled: Bool
    package var vsmmuFailed: Bool
    package var health: ContextHealth
    package var events: UInt64
    package var stesInstalled: UInt64
    /// The installed STE's words 0 and 1; 0 without stage 1.
    package var word0: UInt64
    package var word1: UInt64
    /// How long its stalled transactions waited for their answers.
    package var stalls = LatencyHistogram()

    package init(
        vsmmu: VSMMUID, vsid: StreamID, device: Name, smmu: Name, physicalStream: StreamID, state: ContextState,
        illegal: Bool, vsmmuEnabled: Bool, vsmmuFailed: Bool, health: ContextHealth, events: UInt64,
        stesInstalled: UInt64, word0: UInt64, word1: UInt64
    ) {
        (self.vsmmu, self.vsid, self.device, self.smmu) = (vsmmu, vsid, device, smmu)
        (self.physicalStream, self.state, self.illegal) = (physicalStream, state, illegal)
        (self.vsmmuEnabled, self.vsmmuFailed, self.health) = (vsmmuEnabled, vsmmuFailed, health)
        (self.events, self.stesInstalled, self.word0, self.word1) = (events, stesInstalled, word0, word1)
    }
}

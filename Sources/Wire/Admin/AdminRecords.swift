package import SMMUv3

/// What has been done, counted from the beginning.
package struct AdminCounters: Hashable, WireValue {
    package var requests: UInt64 = 0
    package var refusals: UInt64 = 0
    /// Of commands.
    package var batches: UInt64 = 0
    package var commands: UInt64 = 0
    package var ignoredCommands: UInt64 = 0
    package var stesInstalled: UInt64 = 0
    package var resynchronizations: UInt64 = 0
    package var hostFailures: UInt64 = 0
    package var events: UInt64 = 0
    package var eventsDelivered: UInt64 = 0
    package var eventsLost: UInt64 = 0
    package var journalSuppressed: UInt64 = 0
    package var eventsDiscarded: UInt64 = 0
    package var eventsOutdated: UInt64 = 0

    package static let byteCount = 112

    package enum Layout {
        package static let requests = WireField<UInt64>("requests", 0)
        package static let refusals = WireField<UInt64>("refusals", 8)
        package static let batches = WireField<UInt64>("batches", 16)
        package static let commands = WireField<UInt64>("commands", 24)
        package static let ignoredCommands = WireField<UInt64>("ignored_commands", 32)
        package static let stesInstalled = WireField<UInt64>("stes_installed", 40)
        package static let resynchronizations = WireField<UInt64>("resynchronizations", 48)
        package static let hostFailures = WireField<UInt64>("host_failures", 56)
        package static let events = WireField<UInt64>("events", 64)
        package static let eventsDelivered = WireField<UInt64>("events_delivered", 72)
        package static let eventsLost = WireField<UInt64>("events_lost", 80)
        package static let journalSuppressed = WireField<UInt64>("journal_suppressed", 88)
        package static let eventsDiscarded = WireField<UInt64>("events_discarded", 96)
        package static let eventsOutdated = WireField<UInt64>("events_outdated", 104)
    }

    package init() {}

    /// Each counter and its field, in the order of the fields.
    private static var fields: [(WritableKeyPath<Self, UInt64>, WireField<UInt64>)] {
        [
            (\.requests, Layout.requests), (\.refusals, Layout.refusals), (\.batches, Layout.batches),
            (\.commands, Layout.commands), (\.ignoredCommands, Layout.ignoredCommands),
            (\.stesInstalled, Layout.stesInstalled), (\.resynchronizations, Layout.resynchronizations),
            (\.hostFailures, Layout.hostFailures), (\.events, Layout.events),
            (\.eventsDelivered, Layout.eventsDelivered), (\.eventsLost, Layout.eventsLost),
            (\.journalSuppressed, Layout.journalSuppressed), (\.eventsDiscarded, Layout.eventsDiscarded),
            (\.eventsOutdated, Layout.eventsOutdated),
        ]
    }

    package static func load(from packet: RawSpan, at offset: Int) -> AdminCounters {
        var counters = AdminCounters()
        for (counter, field) in fields { counters[keyPath: counter] = packet[field, offset] }
        return counters
    }

    package func store(into packet: inout MutableRawSpan, at offset: Int) {
        for (counter, field) in Self.fields { packet.set(field, at: offset, to: self[keyPath: counter]) }
    }

    /// Each counter by its name in the header.
    package var named: [(name: String, value: UInt64)] {
        Self.fields.map { ($0.1.name, self[keyPath: $0.0]) }
    }

    package static func + (a: Self, b: Self) -> Self {
        var sum = a
        for (counter, _) in fields { sum[keyPath: counter] &+= b[keyPath: counter] }
        return sum
    }
}

/// What an operator sees of a session.
package struct AdminSession: Hashable, WireValue {
    package var id: UInt64
    /// nil before HELLO.
    package var vm: Name?
    package var grant: Name?
    /// Of who connected.
    package var pid: UInt32
    package var uid: UInt32
    package var vsmmus: UInt32
    package var contexts: UInt32
    package var maps: UInt32
    package var suspectContexts: UInt16
    package var quarantinedContexts: UInt16
    package var mappedBytes: UInt64
    /// How long it has been at what it does now, which may be a blocking call; 0: it waits for something to do.
    package var busyNanoseconds: UInt64
    package var counters: AdminCounters

    package static let byteCount = 288

    package enum Layout {
        package static let id = WireField<UInt64>("id", 0)
        package static let vm = WireField<Name>("vm", 8)
        package static let grant = WireField<Name>("grant", 72)
        package static let pid = WireField<UInt32>("pid", 136)
        package static let uid = WireField<UInt32>("uid", 140)
        package static let vsmmus = WireField<UInt32>("vsmmus", 144)
        package static let contexts = WireField<UInt32>("contexts", 148)
        package static let maps = WireField<UInt32>("maps", 152)
        package static let suspectContexts = WireField<UInt16>("suspect_contexts", 156)
        package static let quarantinedContexts = WireField<UInt16>("quarantined_contexts", 158)
        package static let mappedBytes = WireField<UInt64>("mapped_bytes", 160)
        package static let busyNanoseconds = WireField<UInt64>("busy_ns", 168)
        package static let counters = WireField<AdminCounters>("counters", 176)
    }

    package init(
        id: UInt64, vm: Name?, grant: Name?, pid: UInt32, uid: UInt32, vsmmus: UInt32, contexts: UInt32, maps: UInt32,
        suspectContexts: UInt16 = 0, quarantinedContexts: UInt16 = 0, mappedBytes: UInt64, busyNanoseconds: UInt64,
        counters: AdminCounters
    ) {
        (self.id, self.vm, self.grant, self.pid, self.uid) = (id, vm, grant, pid, uid)
        (self.vsmmus, self.contexts, self.maps, self.mappedBytes) = (vsmmus, contexts, maps, mappedBytes)
        (self.suspectContexts, self.quarantinedContexts) = (suspectContexts, quarantinedContexts)
        (self.busyNanoseconds, self.counters) = (busyNanoseconds, counters)
    }

    package static func load(from packet: RawSpan, at base: Int) -> AdminSession {
        AdminSession(
            id: packet[Layout.id, base], vm: packet.optionalName(Layout.vm, at: base),
            grant: packet.optionalName(Layout.grant, at: base), pid: packet[Layout.pid, base],
            uid: packet[Layout.uid, base], vsmmus: packet[Layout.vsmmus, base],
            contexts: packet[Layout.contexts, base], maps: packet[Layout.maps, base],
            suspectContexts: packet[Layout.suspectContexts, base],
            quarantinedContexts: packet[Layout.quarantinedContexts, base],
            mappedBytes: packet[Layout.mappedBytes, base], busyNanoseconds: packet[Layout.busyNanoseconds, base],
            counters: packet[Layout.counters, base])
    }

    package func store(into packet: inout MutableRawSpan, at base: Int) {
        packet.set(Layout.id, at: base, to: id)
        packet.set(Layout.vm, at: base, to: vm)
        packet.set(Layout.grant, at: base, to: grant)
        packet.set(Layout.pid, at: base, to: pid)
        packet.set(Layout.uid, at: base, to: uid)
        packet.set(Layout.vsmmus, at: base, to: vsmmus)
        packet.set(Layout.contexts, at: base, to: contexts)
        packet.set(Layout.maps, at: base, to: maps)
        packet.set(Layout.suspectContexts, at: base, to: suspectContexts)
        packet.set(Layout.quarantinedContexts, at: base, to: quarantinedContexts)
        packet.set(Layout.mappedBytes, at: base, to: mappedBytes)
        packet.set(Layout.busyNanoseconds, at: base, to: busyNanoseconds)
        packet.set(Layout.counters, at: base, to: counters)
    }
}

/// How long something took: nanoseconds, and how often it was measured.
package struct AdminLatency: Hashable, WireValue {
    package var count: UInt64 = 0
    /// Half of them took no longer; a bound of a bucket, and so up to twice as much.
    package var median: UInt64 = 0
    /// 99 of 100.
    package var percentile99: UInt64 = 0
    /// Exactly.
    package var maximum: UInt64 = 0

    package static let byteCount = 32

    package enum Layout {
        package static let count = WireField<UInt64>("count", 0)
        package static let median = WireField<UInt64>("p50_ns", 8)
        package static let percentile99 = WireField<UInt64>("p99_ns", 16)
        package static let maximum = WireField<UInt64>("maximum_ns", 24)
    }

    package init() {}

    package static func load(from packet: RawSpan, at base: Int) -> AdminLatency {
        var latency = AdminLatency()
        (latency.count, latency.median) = (packet[Layout.count, base], packet[Layout.median, base])
        latency.percentile99 = packet[Layout.percentile99, base]
        latency.maximum = packet[Layout.maximum, base]
        return latency
    }

    package func store(into packet: inout MutableRawSpan, at base: Int) {
        packet.set(Layout.count, at: base, to: count)
        packet.set(Layout.median, at: base, to: median)
        packet.set(Layout.percentile99, at: base, to: percentile99)
        packet.set(Layout.maximum, at: base, to: maximum)
    }
}

/// What an operator sees of a context.
package struct AdminContext: Hashable, WireValue {
    package var vsmmu: VSMMUID
    package var vsid: StreamID
    /// nil: from a daemon that breaks the protocol.
    package var device: Name?
    /// The physical one.
    package var smmu: Name?
    package var physicalStream: StreamID
    package var state: ContextState
    package var flags: Flags
    package var health: HealthNotice.State
    package var events: UInt64
    package var stesInstalled: UInt64
    /// Of the installed stage 1; 0 without.
    package var word0: UInt64
    package var word1: UInt64
    /// Of the last change of its health, and all since it was last healthy.
    package var healthReason = HealthReason.none
    package var healthReasons: HealthReasons = []
    /// For how long its health has been so; 0: always.
    package var healthNanoseconds: UInt64 = 0
    /// Until it leaves ABORT by itself; 0: it does not, or is not there.
    package var parkedNanoseconds: UInt64 = 0
    /// How long its stalled transactions waited for their answers.
    package var stalls = AdminLatency()

    package struct Flags: OptionSet, Hashable, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        /// The STE is ILLEGAL, and so the context aborts.
        package static let illegal = Flags(rawValue: 1 << 0)
        /// SMMUEN.
        package static let vsmmuEnabled = Flags(rawValue: 1 << 1)
        /// It aborts until the vSMMU is reset.
        package static let vsmmuFailed = Flags(rawValue: 1 << 2)
    }

    package static let byteCount = 240

    package enum Layout {
        package static let vsmmu = WireField<VSMMUID>("vsmmu", 0)
        package static let vsid = WireField<StreamID>("vsid", 4)
        package static let device = WireField<Name>("device", 8)
        package static let smmu = WireField<Name>("smmu", 72)
        package static let physicalStream = WireField<StreamID>("physical_stream", 136)
        package static let state = WireField<UInt32>("state", 140)
        package static let flags = WireField<UInt32>("flags", 144)
        package static let health = WireField<UInt32>("health", 148)
        package static let events = WireField<UInt64>("events", 152)
        package static let stesInstalled = WireField<UInt64>("stes_installed", 160)
        package static let word0 = WireField<UInt64>("ste", 168)
        package static let word1 = WireField<UInt64>("ste", 176)
        package static let healthReason = WireField<UInt32>("health_reason", 184)
        package static let healthReasons = WireField<UInt32>("health_reasons", 188)
        package static let healthNanoseconds = WireField<UInt64>("health_ns", 192)
        package static let parkedNanoseconds = WireField<UInt64>("parked_ns", 200)
        package static let stalls = WireField<AdminLatency>("stalls", 208)
    }

    package init(
        vsmmu: VSMMUID, vsid: StreamID, device: Name?, smmu: Name?, physicalStream: StreamID, state: ContextState,
        flags: Flags, health: HealthNotice.State, events: UInt64, stesInstalled: UInt64, word0: UInt64, word1: UInt64
    ) {
        (self.vsmmu, self.vsid, self.device, self.smmu) = (vsmmu, vsid, device, smmu)
        (self.physicalStream, self.state, self.flags) = (physicalStream, state, flags)
        (self.health, self.events, self.stesInstalled) = (health, events, stesInstalled)
        (self.word0, self.word1) = (word0, word1)
    }

    /// An unknown state counts as ABORT, an unknown health as suspect, an unknown reason as none.
    package static func load(from packet: RawSpan, at base: Int) -> AdminContext {
        var context = AdminContext(
            vsmmu: packet[Layout.vsmmu, base], vsid: packet[Layout.vsid, base],
            device: packet.optionalName(Layout.device, at: base), smmu: packet.optionalName(Layout.smmu, at: base),
            physicalStream: packet[Layout.physicalStream, base],
            state: ContextState(rawValue: packet[Layout.state, base]) ?? .abort,
            flags: Flags(rawValue: packet[Layout.flags, base]),
            health: HealthNotice.State(rawValue: packet[Layout.health, base]) ?? .suspect,
            events: packet[Layout.events, base], stesInstalled: packet[Layout.stesInstalled, base],
            word0: packet[Layout.word0, base], word1: packet[Layout.word1, base])
        context.healthReason = HealthReason(rawValue: packet[Layout.healthReason, base]) ?? .none
        context.healthReasons = HealthReasons(rawValue: packet[Layout.healthReasons, base])
        context.healthNanoseconds = packet[Layout.healthNanoseconds, base]
        context.parkedNanoseconds = packet[Layout.parkedNanoseconds, base]
        context.stalls = packet[Layout.stalls, base]
        return context
    }

    package func store(into packet: inout MutableRawSpan, at base: Int) {
        packet.set(Layout.vsmmu, at: base, to: vsmmu)
        packet.set(Layout.vsid, at: base, to: vsid)
        packet.set(Layout.device, at: base, to: device)
        packet.set(Layout.smmu, at: base, to: smmu)
        packet.set(Layout.physicalStream, at: base, to: physicalStream)
        packet.set(Layout.state, at: base, to: state.rawValue)
        packet.set(Layout.flags, at: base, to: flags.rawValue)
        packet.set(Layout.health, at: base, to: health.rawValue)
        packet.set(Layout.events, at: base, to: events)
        packet.set(Layout.stesInstalled, at: base, to: stesInstalled)
        packet.set(Layout.word0, at: base, to: word0)
        packet.set(Layout.word1, at: base, to: word1)
        packet.set(Layout.healthReason, at: base, to: healthReason.rawValue)
        packet.set(Layout.healthReasons, at: base, to: healthReasons.rawValue)
        packet.set(Layout.healthNanoseconds, at: base, to: healthNanoseconds)
        packet.set(Layout.parkedNanoseconds, at: base, to: parkedNanoseconds)
        packet.set(Layout.stalls, at: base, to: stalls)
    }
}

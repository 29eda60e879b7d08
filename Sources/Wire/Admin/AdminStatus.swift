/// How the daemon is doing.
package struct AdminStatusReply: Hashable, Sendable {
    /// ``AdminLimits/version`` of the daemon.
    package var version: UInt32 = AdminLimits.version
    /// Of the daemon.
    package var pid: UInt32 = 0
    package var epoch = Epoch(0)
    package var uptimeNanoseconds: UInt64 = 0
    /// Of the calendar.
    package var startedNanoseconds: UInt64 = 0
    package var release: Name?
    package var backend: Name?
    package var sessions: UInt32 = 0
    package var maximumSessions: UInt32 = 0
    package var vsmmus: UInt32 = 0
    package var contexts: UInt32 = 0
    package var monitors: UInt32 = 0
    /// In a turn for more than a second.
    package var busySessions: UInt32 = 0
    package var reloads: UInt32 = 0
    package var refusedReloads: UInt32 = 0
    package var endedSessions: UInt64 = 0
    /// Devices that no session has, and nobody gets at the moment.
    package var heldBack: UInt32 = 0
    package var suspectContexts: UInt32 = 0
    package var quarantinedContexts: UInt32 = 0
    /// Of all sessions, those that have ended too.
    package var counters = AdminCounters()

    /// Without the text.
    package static let byteCount = 360

    package enum Layout {
        package static let version = WireField<UInt32>("version", 32)
        package static let pid = WireField<UInt32>("pid", 36)
        package static let epoch = WireField<Epoch>("epoch", 40)
        package static let uptimeNanoseconds = WireField<UInt64>("uptime_ns", 48)
        package static let startedNanoseconds = WireField<UInt64>("started_ns", 56)
        package static let release = WireField<Name>("release", 64)
        package static let backend = WireField<Name>("backend", 128)
        package static let sessions = WireField<UInt32>("sessions", 192)
        package static let maximumSessions = WireField<UInt32>("maximum_sessions", 196)
        package static let vsmmus = WireField<UInt32>("vsmmus", 200)
        package static let contexts = WireField<UInt32>("contexts", 204)
        package static let monitors = WireField<UInt32>("monitors", 208)
        package static let busySessions = WireField<UInt32>("busy_sessions", 212)
        package static let reloads = WireField<UInt32>("reloads", 216)
        package static let refusedReloads = WireField<UInt32>("refused_reloads", 220)
        package static let endedSessions = WireField<UInt64>("ended_sessions", 224)
        package static let counters = WireField<AdminCounters>("counters", 232)
        package static let suspectContexts = WireField<UInt32>("suspect_contexts", 344)
        package static let quarantinedContexts = WireField<UInt32>("quarantined_contexts", 348)
        package static let textSize = WireField<UInt32>("text_size", 352)
        package static let heldBack = WireField<UInt32>("held_back", 356)
    }

    package init() {}

    /// Reads a packet whose header is right; the text stays in it.
    static func decode(_ packet: RawSpan) throws(WireFault) -> (AdminStatusReply, Records<UInt8>) {
        try packet.require(atLeast: byteCount)
        let text = try packet.records(
            of: UInt8.self, counted: Layout.textSize, allowed: 0...AdminLimits.text, at: byteCount)
        var reply = AdminStatusReply()
        (reply.version, reply.pid, reply.epoch) = (packet[Layout.version], packet[Layout.pid], packet[Layout.epoch])
        reply.uptimeNanoseconds = packet[Layout.uptimeNanoseconds]
        reply.startedNanoseconds = packet[Layout.startedNanoseconds]
        reply.release = packet.optionalName(Layout.release, at: 0)
        reply.backend = packet.optionalName(Layout.backend, at: 0)
        (reply.sessions, reply.maximumSessions) = (packet[Layout.sessions], packet[Layout.maximumSessions])
        (reply.vsmmus, reply.contexts) = (packet[Layout.vsmmus], packet[Layout.contexts])
        (reply.monitors, reply.busySessions) = (packet[Layout.monitors], packet[Layout.busySessions])
        (reply.reloads, reply.refusedReloads) = (packet[Layout.reloads], packet[Layout.refusedReloads])
        (reply.endedSessions, reply.counters) = (packet[Layout.endedSessions], packet[Layout.counters])
        reply.heldBack = packet[Layout.heldBack]
        reply.suspectContexts = packet[Layout.suspectContexts]
        reply.quarantinedContexts = packet[Layout.quarantinedContexts]
        return (reply, text)
    }

    /// Writes the packet and returns its length; `text` has at most ``AdminLimits/text`` bytes.
    package func encode(to request: RequestHeader, text: RawSpan, into packet: inout MutableRawSpan) -> Int {
        packet.clear(Self.byteCount)
        packet.set(Layout.version, to: version)
        packet.set(Layout.pid, to: pid)
        packet.set(Layout.epoch, to: epoch)
        packet.set(Layout.uptimeNanoseconds, to: uptimeNanoseconds)
        packet.set(Layout.startedNanoseconds, to: startedNanoseconds)
        packet.set(Layout.release, at: 0, to: release)
        packet.set(Layout.backend, at: 0, to: backend)
        packet.set(Layout.sessions, to: sessions)
        packet.set(Layout.maximumSessions, to: maximumSessions)
        packet.set(Layout.vsmmus, to: vsmmus)
        packet.set(Layout.contexts, to: contexts)
        packet.set(Layout.monitors, to: monitors)
        packet.set(Layout.busySessions, to: busySessions)
        packet.set(Layout.heldBack, to: heldBack)
        packet.set(Layout.reloads, to: reloads)
        packet.set(Layout.refusedReloads, to: refusedReloads)
        packet.set(Layout.endedSessions, to: endedSessions)
        packet.set(Layout.counters, to: counters)
        packet.set(Layout.suspectContexts, to: suspectContexts)
        packet.set(Layout.quarantinedContexts, to: quarantinedContexts)
        packet.set(Layout.textSize, to: UInt32(text.byteCount))
        packet.copy(text, to: Self.byteCount)
        ReplyHeader(to: request).store(into: &packet, size: Self.byteCount + text.byteCount)
        return Self.byteCount + text.byteCount
    }
}

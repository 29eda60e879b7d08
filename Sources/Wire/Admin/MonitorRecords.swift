package import SMMUv3

/// Faults, as monitors see them: one, or the last of several that are alike.
package struct MonitorEvent: Hashable, WireValue {
    /// Of the vSMMU's records, as its VMM sees it.
    package var sequence: EventSequence
    /// Of the calendar, in nanoseconds.
    package var time: UInt64
    package var session: UInt64
    package var vsmmu: VSMMUID
    package var generation: Generation
    package var vsid: StreamID
    package var vm: Name?
    /// nil: the record names no attached stream.
    package var device: Name?
    package var record: EventRecord
    /// How many there were.
    package var faults: UInt64 = 1
    /// When the first of them was, as ``time``.
    package var firstTime: UInt64
    /// They are of the same kind, and not of the same address.
    package var isSample = false

    package static let byteCount = 216

    package enum Layout {
        package static let sequence = WireField<EventSequence>("sequence", 0)
        package static let time = WireField<UInt64>("time_ns", 8)
        package static let session = WireField<UInt64>("session", 16)
        package static let vsmmu = WireField<VSMMUID>("vsmmu", 24)
        package static let generation = WireField<Generation>("generation", 28)
        package static let vsid = WireField<StreamID>("vsid", 32)
        package static let flags = WireField<UInt32>("flags", 36)
        package static let vm = WireField<Name>("vm", 40)
        package static let device = WireField<Name>("device", 104)
        package static let record = WireField<EventRecord>("words", 168)
        package static let faults = WireField<UInt64>("faults", 200)
        package static let firstTime = WireField<UInt64>("first_ns", 208)
    }

    package init(
        sequence: EventSequence, time: UInt64, session: UInt64, vsmmu: VSMMUID, generation: Generation,
        vsid: StreamID, vm: Name?, device: Name?, record: EventRecord
    ) {
        (self.sequence, self.time, self.session, self.vsmmu) = (sequence, time, session, vsmmu)
        (self.generation, self.vsid, self.vm, self.device, self.record) = (generation, vsid, vm, device, record)
        firstTime = time
    }

    package static func load(from packet: RawSpan, at base: Int) -> MonitorEvent {
        var event = MonitorEvent(
            sequence: packet[Layout.sequence, base], time: packet[Layout.time, base],
            session: packet[Layout.session, base], vsmmu: packet[Layout.vsmmu, base],
            generation: packet[Layout.generation, base], vsid: packet[Layout.vsid, base],
            vm: packet.optionalName(Layout.vm, at: base), device: packet.optionalName(Layout.device, at: base),
            record: packet[Layout.record, base])
        (event.faults, event.firstTime) = (packet[Layout.faults, base], packet[Layout.firstTime, base])
        event.isSample = packet[Layout.flags, base] & 1 == 1
        return event
    }

    package func store(into packet: inout MutableRawSpan, at base: Int) {
        packet.set(Layout.sequence, at: base, to: sequence)
        packet.set(Layout.time, at: base, to: time)
        packet.set(Layout.session, at: base, to: session)
        packet.set(Layout.vsmmu, at: base, to: vsmmu)
        packet.set(Layout.generation, at: base, to: generation)
        packet.set(Layout.vsid, at: base, to: vsid)
        packet.set(Layout.flags, at: base, to: isSample ? 1 : 0)
        packet.set(Layout.vm, at: base, to: vm)
        packet.set(Layout.device, at: base, to: device)
        packet.set(Layout.record, at: base, to: record)
        packet.set(Layout.faults, at: base, to: faults)
        packet.set(Layout.firstTime, at: base, to: firstTime)
    }
}

/// What happened besides faults, as monitors see it. What a kind does not have is 0.
package struct MonitorNotice: Hashable, WireValue {
    /// Of the calendar, in nanoseconds.
    package var time: UInt64
    package var session: UInt64
    /// ``Kind``, or a number from a newer daemon.
    package var kindCode: UInt32
    package var state: HealthNotice.State = .healthy
    package var vsmmu = VSMMUID(0)
    package var vsid = StreamID(0)
    package var count: UInt64 = 0
    package var vm: Name?
    package var device: Name?
    package var reason = HealthReason.none
    package var reasons: HealthReasons = []

    package enum Kind: UInt32, Hashable, Sendable, CaseIterable {
        case began = 1
        case ended = 2
        case attached = 3
        case detached = 4
        case eventsLost = 5
        case resynchronized = 6
        case vsmmuFailed = 7
        case deviceTimedOut = 8
        case health = 9
    }

    package var kind: Kind? { Kind(rawValue: kindCode) }

    package static let byteCount = 176

    package enum Layout {
        package static let time = WireField<UInt64>("time_ns", 0)
        package static let session = WireField<UInt64>("session", 8)
        package static let kind = WireField<UInt32>("kind", 16)
        package static let state = WireField<UInt32>("state", 20)
        package static let vsmmu = WireField<VSMMUID>("vsmmu", 24)
        package static let vsid = WireField<StreamID>("vsid", 28)
        package static let count = WireField<UInt64>("count", 32)
        package static let vm = WireField<Name>("vm", 40)
        package static let device = WireField<Name>("device", 104)
        package static let reason = WireField<UInt32>("reason", 168)
        package static let reasons = WireField<UInt32>("reasons", 172)
    }

    package init(_ kind: Kind, session: UInt64, time: UInt64) {
        (self.time, self.session, kindCode) = (time, session, kind.rawValue)
    }

    package static func load(from packet: RawSpan, at base: Int) -> MonitorNotice {
        var notice = MonitorNotice(.began, session: packet[Layout.session, base], time: packet[Layout.time, base])
        notice.kindCode = packet[Layout.kind, base]
        notice.state = HealthNotice.State(rawValue: packet[Layout.state, base]) ?? .suspect
        (notice.vsmmu, notice.vsid) = (packet[Layout.vsmmu, base], packet[Layout.vsid, base])
        notice.count = packet[Layout.count, base]
        notice.vm = packet.optionalName(Layout.vm, at: base)
        notice.device = packet.optionalName(Layout.device, at: base)
        notice.reason = HealthReason(rawValue: packet[Layout.reason, base]) ?? .none
        notice.reasons = HealthReasons(rawValue: packet[Layout.reasons, base])
        return notice
    }

    package func store(into packet: inout MutableRawSpan, at base: Int) {
        packet.set(Layout.time, at: base, to: time)
        packet.set(Layout.session, at: base, to: session)
        packet.set(Layout.kind, at: base, to: kindCode)
        packet.set(Layout.state, at: base, to: state.rawValue)
        packet.set(Layout.vsmmu, at: base, to: vsmmu)
        packet.set(Layout.vsid, at: base, to: vsid)
        packet.set(Layout.count, at: base, to: count)
        packet.set(Layout.vm, at: base, to: vm)
        packet.set(Layout.device, at: base, to: device)
        packet.set(Layout.reason, at: base, to: reason.rawValue)
        packet.set(Layout.reasons, at: base, to: reasons.rawValue)
    }
}

/// What a monitor was too slow for.
package struct MonitorLoss: Hashable, WireValue {
    /// Each of those that would have been told as one is counted.
    package var faults: UInt64
    package var notices: UInt64

    package static let byteCount = 16

    package enum Layout {
        package static let faults = WireField<UInt64>("faults", 0)
        package static let notices = WireField<UInt64>("notices", 8)
    }

    package init(faults: UInt64 = 0, notices: UInt64 = 0) { (self.faults, self.notices) = (faults, notices) }

    package static func load(from packet: RawSpan, at base: Int) -> MonitorLoss {
        MonitorLoss(faults: packet[Layout.faults, base], notices: packet[Layout.notices, base])
    }

    package func store(into packet: inout MutableRawSpan, at base: Int) {
        packet.set(Layout.faults, at: base, to: faults)
        packet.set(Layout.notices, at: base, to: notices)
    }
}

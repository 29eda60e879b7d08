package import SMMUv3

/// Records that are lost for good, counted.
package struct LossNotice: Hashable, WireValue {
    package var count: UInt64
    package var place: Place

    package enum Place: UInt32, Hashable, Sendable, CaseIterable {
        /// The vEVENTQ overflowed.
        case kernelQueue = 1
        /// A monitor did not keep up, or the owner when a vSMMU was reset or destroyed.
        case subscriber = 2
    }

    package static let byteCount = 16

    package enum Layout {
        package static let count = WireField<UInt64>("count", 0)
        package static let place = WireField<UInt32>("where", 8)
        package static let reserved = WireField<UInt32>("reserved", 12)
    }

    package init(count: UInt64, place: Place) { (self.count, self.place) = (count, place) }

    /// An unknown place counts as the kernel's queue; ``EventMessage`` has refused it before.
    package static func load(from packet: RawSpan, at offset: Int) -> LossNotice {
        LossNotice(
            count: packet[Layout.count, offset], place: Place(rawValue: packet[Layout.place, offset]) ?? .kernelQueue)
    }

    package func store(into packet: inout MutableRawSpan, at offset: Int) {
        packet.set(Layout.count, at: offset, to: count)
        packet.set(Layout.place, at: offset, to: place.rawValue)
        packet.set(Layout.reserved, at: offset, to: 0)
    }
}

/// How a context is doing; of a device that is gone, how it was doing.
package struct HealthNotice: Hashable, WireValue {
    package var vsid: StreamID
    package var state: State
    /// Of this change.
    package var reason: HealthReason
    /// All that has made it worse since it was last healthy.
    package var reasons: HealthReasons

    package enum State: UInt32, Hashable, Sendable, CaseIterable {
        case healthy = 0
        case suspect = 1
        case quarantined = 2
        case recovered = 3
    }

    package static let byteCount = 16

    package enum Layout {
        package static let vsid = WireField<StreamID>("vsid", 0)
        package static let state = WireField<UInt32>("state", 4)
        package static let reason = WireField<UInt32>("reason", 8)
        package static let reasons = WireField<UInt32>("reasons", 12)
    }

    package init(vsid: StreamID, state: State, reason: HealthReason = .none, reasons: HealthReasons = []) {
        (self.vsid, self.state, self.reason, self.reasons) = (vsid, state, reason, reasons)
    }

    /// An unknown state counts as suspect; ``EventMessage`` has refused it before. An unknown reason, from a newer daemon,
    /// counts as none.
    package static func load(from packet: RawSpan, at offset: Int) -> HealthNotice {
        HealthNotice(
            vsid: packet[Layout.vsid, offset], state: State(rawValue: packet[Layout.state, offset]) ?? .suspect,
            reason: HealthReason(rawValue: packet[Layout.reason, offset]) ?? .none,
            reasons: HealthReasons(rawValue: packet[Layout.reasons, offset]))
    }

    package func store(into packet: inout MutableRawSpan, at offset: Int) {
        packet.set(Layout.vsid, at: offset, to: vsid)
        packet.set(Layout.state, at: offset, to: state.rawValue)
        packet.set(Layout.reason, at: offset, to: reason.rawValue)
        packet.set(Layout.reasons, at: offset, to: reasons.rawValue)
    }
}

/// What a packet of a monitor's socket brings: `enum smmu_broker_admin_monitor_type` of the header.
package enum MonitorType: UInt16, Hashable, Sendable, CaseIterable {
    case events = 1
    case notices = 2
    case lost = 3
}

/// A packet of a monitor's socket, decoded.
package struct MonitorMessage: Hashable, Sendable {
    /// Of this packet on this socket, from 1 on.
    package var sequence: UInt64
    package var body: Body

    package enum Body: Hashable, Sendable {
        case events(Records<MonitorEvent>)
        case notices(Records<MonitorNotice>)
        case lost(MonitorLoss)
    }

    /// The header alone.
    package static let byteCount = 16

    package enum Layout {
        package static let type = WireField<UInt16>("type", 0)
        package static let count = WireField<UInt16>("count", 2)
        package static let size = WireField<UInt32>("size", 4)
        package static let sequence = WireField<UInt64>("sequence", 8)
    }

    package init(decoding packet: RawSpan) throws(WireFault) {
        try packet.require(atLeast: Self.byteCount)
        let size = packet[Layout.size]
        if Int(exactly: size) != packet.byteCount { throw .sizeMismatch(size: size, bytes: packet.byteCount) }
        guard let type = MonitorType(rawValue: packet[Layout.type]) else { throw .unknownType(packet[Layout.type]) }
        sequence = packet[Layout.sequence]
        switch type {
        case .events: body = .events(try Self.records(packet, allowed: 1...AdminLimits.records))
        case .notices: body = .notices(try Self.records(packet, allowed: 1...AdminLimits.records))
        case .lost:
            let losses: Records<MonitorLoss> = try Self.records(packet, allowed: 1...1)
            body = .lost(losses.element(0, in: packet))
        }
    }

    private static func records<Element>(
        _ packet: RawSpan, allowed: ClosedRange<Int>
    ) throws(WireFault) -> Records<Element> {
        let count = Int(packet[Layout.count])
        if !allowed.contains(count) {
            throw .badCount(Layout.count.name, value: UInt32(count), allowed: allowed)
        }
        try packet.require(exactly: byteCount + count * Element.byteCount)
        return Records(count: count, at: byteCount)
    }

    /// Writes an EVENT of 1 to ``AdminLimits/records`` records and returns its length.
    package static func encode(
        _ sequence: UInt64, events: Span<MonitorEvent>, into packet: inout MutableRawSpan
    ) -> Int {
        let size = packet.append(events, at: byteCount)
        store(.events, sequence, count: events.count, size: size, into: &packet)
        return size
    }

    /// Writes a NOTICE of 1 to ``AdminLimits/records`` records and returns its length.
    package static func encode(
        _ sequence: UInt64, notices: Span<MonitorNotice>, into packet: inout MutableRawSpan
    ) -> Int {
        let size = packet.append(notices, at: byteCount)
        store(.notices, sequence, count: notices.count, size: size, into: &packet)
        return size
    }

    package static func encode(_ sequence: UInt64, lost: MonitorLoss, into packet: inout MutableRawSpan) -> Int {
        lost.store(into: &packet, at: byteCount)
        let size = byteCount + MonitorLoss.byteCount
        store(.lost, sequence, count: 1, size: size, into: &packet)
        return size
    }

    private static func store(
        _ type: MonitorType, _ sequence: UInt64, count: Int, size: Int, into packet: inout MutableRawSpan
    ) {
        packet.set(Layout.type, to: type.rawValue)
        packet.set(Layout.count, to: UInt16(count))
        packet.set(Layout.size, to: UInt32(size))
        packet.set(Layout.sequence, to: sequence)
    }
}

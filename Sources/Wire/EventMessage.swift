package import SMMUv3

/// A packet of the event socket, decoded.
package struct EventMessage: Hashable, Sendable {
    package var header: EventHeader
    package var body: Body

    package enum Body: Hashable, Sendable {
        /// As the guest's event queue takes them; they stay in the packet.
        case events(Records<EventRecord>)
        case lost(LossNotice)
        case health(HealthNotice)
        case deviceGone(HealthNotice)
        case epoch(Epoch)
    }

    package init(decoding packet: RawSpan) throws(WireFault) {
        typealias Layout = EventHeader.Layout
        try packet.require(atLeast: EventHeader.byteCount)
        let size = packet[Layout.size]
        if Int(exactly: size) != packet.byteCount { throw .sizeMismatch(size: size, bytes: packet.byteCount) }
        guard let type = EventType(rawValue: packet[Layout.type]) else { throw .unknownType(packet[Layout.type]) }
        let start = EventHeader.byteCount
        header = EventHeader(packet)
        switch type {
        case .events:
            body = .events(try Self.records(packet, of: EventRecord.self, allowed: 1...Limits.events))
        case .lost:
            _ = try Self.records(packet, of: LossNotice.self, allowed: 1...1)
            try packet.requireZero(LossNotice.Layout.reserved, at: start)
            _ = try packet.value(
                LossNotice.Layout.place, at: start, as: LossNotice.Place.self,
                rule: "it must be KERNEL_QUEUE or SUBSCRIBER")
            body = .lost(.load(from: packet, at: start))
        case .health: body = .health(try Self.health(packet))
        case .deviceGone: body = .deviceGone(try Self.health(packet))
        case .epoch: body = .epoch(try Self.records(packet, of: Epoch.self, allowed: 1...1).element(0, in: packet))
        }
    }

    private static func records<Element>(
        _ packet: RawSpan, of _: Element.Type, allowed: ClosedRange<Int>
    ) throws(WireFault) -> Records<Element> {
        let count = Int(packet[EventHeader.Layout.count])
        if !allowed.contains(count) {
            throw .badCount(EventHeader.Layout.count.name, value: UInt32(count), allowed: allowed)
        }
        try packet.require(exactly: EventHeader.byteCount + count * Element.byteCount)
        return Records(count: count, at: EventHeader.byteCount)
    }

    private static func health(_ packet: RawSpan) throws(WireFault) -> HealthNotice {
        let notice = try records(packet, of: HealthNotice.self, allowed: 1...1)
        _ = try packet.value(
            HealthNotice.Layout.state, at: notice.offset, as: HealthNotice.State.self, rule: "it must be 0 to 3")
        return notice.element(0, in: packet)
    }
}

extension EventHeader {
    /// Writes an EVENT of 1 to ``Limits/events`` records and returns its length.
    package func encode(_ records: Span<EventRecord>, into packet: inout MutableRawSpan) -> Int {
        let size = packet.append(records, at: Self.byteCount)
        store(.events, count: records.count, size: size, into: &packet)
        return size
    }

    package func encode(_ notice: LossNotice, into packet: inout MutableRawSpan) -> Int {
        encode(.lost, notice, into: &packet)
    }

    package func encodeHealth(_ notice: HealthNotice, into packet: inout MutableRawSpan) -> Int {
        encode(.health, notice, into: &packet)
    }

    package func encodeDeviceGone(_ notice: HealthNotice, into packet: inout MutableRawSpan) -> Int {
        encode(.deviceGone, notice, into: &packet)
    }

    package func encode(_ epoch: Epoch, into packet: inout MutableRawSpan) -> Int {
        encode(.epoch, epoch, into: &packet)
    }

    private func encode<Body: WireValue>(_ type: EventType, _ body: Body, into packet: inout MutableRawSpan) -> Int {
        body.store(into: &packet, at: Self.byteCount)
        let size = Self.byteCount + Body.byteCount
        store(type, count: 1, size: size, into: &packet)
        return size
    }
}

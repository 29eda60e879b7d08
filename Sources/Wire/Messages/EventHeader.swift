/// What a packet of the event socket brings: `enum smmu_broker_event_type` of the header.
package enum EventType: UInt16, Hashable, Sendable, CaseIterable {
    case events = 1
    case lost = 2
    case health = 3
    case deviceGone = 4
    case epoch = 5
}

/// At the start of every packet of the event socket: 24 bytes.
package struct EventHeader: Hashable, Sendable {
    /// Of the first record that follows.
    package var sequence: EventSequence
    package var vsmmu: VSMMUID
    package var generation: Generation

    package static let byteCount = 24

    package enum Layout {
        package static let type = WireField<UInt16>("type", 0)
        package static let count = WireField<UInt16>("count", 2)
        package static let size = WireField<UInt32>("size", 4)
        package static let sequence = WireField<EventSequence>("sequence", 8)
        package static let vsmmu = WireField<VSMMUID>("vsmmu", 16)
        package static let generation = WireField<Generation>("generation", 20)
    }

    package init(sequence: EventSequence, vsmmu: VSMMUID, generation: Generation) {
        (self.sequence, self.vsmmu, self.generation) = (sequence, vsmmu, generation)
    }

    init(_ packet: RawSpan) {
        sequence = packet[Layout.sequence]
        vsmmu = packet[Layout.vsmmu]
        generation = packet[Layout.generation]
    }

    func store(_ type: EventType, count: Int, size: Int, into packet: inout MutableRawSpan) {
        packet.set(Layout.type, to: type.rawValue)
        packet.set(Layout.count, to: UInt16(count))
        packet.set(Layout.size, to: UInt32(size))
        packet.set(Layout.sequence, to: sequence)
        packet.set(Layout.vsmmu, to: vsmmu)
        packet.set(Layout.generation, to: generation)
    }
}

package import SMMUv3

/// What happens to the traffic of a device.
package enum ContextState: UInt32, Hashable, Sendable, CaseIterable {
    case abort = 0
    case bypass = 1
    case translate = 2

    static let rule = "it must be ABORT, BYPASS or TRANSLATE"
}

/// What became of one context.
package struct ContextReport: Hashable, WireValue {
    package var vsid: StreamID
    /// What is in effect.
    package var state: ContextState
    /// Why the host refused, if it did.
    package var status: Status
    /// The STE is ILLEGAL, and so the context aborts.
    package var illegal: Bool

    package static let byteCount = 16

    package enum Layout {
        package static let vsid = WireField<StreamID>("vsid", 0)
        package static let state = WireField<UInt32>("state", 4)
        package static let status = WireField<Status>("status", 8)
        package static let illegal = WireField<UInt32>("illegal", 12)
    }

    package init(vsid: StreamID, state: ContextState, status: Status = .done, illegal: Bool = false) {
        (self.vsid, self.state, self.status, self.illegal) = (vsid, state, status, illegal)
    }

    /// An unknown state counts as ABORT; decoders of whole packets have refused it before.
    package static func load(from packet: RawSpan, at offset: Int) -> ContextReport {
        ContextReport(
            vsid: packet[Layout.vsid, offset], state: ContextState(rawValue: packet[Layout.state, offset]) ?? .abort,
            status: packet[Layout.status, offset], illegal: packet[Layout.illegal, offset] != 0)
    }

    package func store(into packet: inout MutableRawSpan, at offset: Int) {
        packet.set(Layout.vsid, at: offset, to: vsid)
        packet.set(Layout.state, at: offset, to: state.rawValue)
        packet.set(Layout.status, at: offset, to: status)
        packet.set(Layout.illegal, at: offset, to: illegal ? 1 : 0)
    }

    static func check(_ packet: RawSpan, at offset: Int) throws(WireFault) {
        _ = try packet.value(Layout.state, at: offset, as: ContextState.self, rule: ContextState.rule)
        _ = try packet.flag(Layout.illegal, at: offset)
    }
}

/// Reply of VSMMU_STATE and VSMMU_RESET.
package struct ContextsReply: Hashable, Sendable {
    package var generation: Generation
    package let contexts: Records<ContextReport>

    /// Without the contexts.
    package static let byteCount = 40

    package enum Layout {
        package static let contextCount = WireField<UInt32>("context_count", 32)
        package static let generation = WireField<Generation>("generation", 36)
    }

    /// Reads a packet whose header is right.
    init(body packet: RawSpan) throws(WireFault) {
        try packet.require(atLeast: Self.byteCount)
        contexts = try packet.records(
            of: ContextReport.self, counted: Layout.contextCount, allowed: 0...Limits.entries, at: Self.byteCount)
        for index in 0..<contexts.count {
            try ContextReport.check(packet, at: Self.byteCount + index * ContextReport.byteCount)
        }
        generation = packet[Layout.generation]
    }

    /// Writes the packet and returns its length; `packet` must have room for it.
    package static func encode(
        to request: RequestHeader, generation: Generation, contexts: Span<ContextReport>,
        into packet: inout MutableRawSpan
    ) -> Int {
        packet.set(Layout.contextCount, to: UInt32(contexts.count))
        packet.set(Layout.generation, to: generation)
        let size = packet.append(contexts, at: byteCount)
        ReplyHeader(to: request).store(into: &packet, size: size)
        return size
    }
}

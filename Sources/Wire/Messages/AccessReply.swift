package import SMMUv3

/// What hardware would do with an access.
package struct AccessReply: Hashable, Sendable {
    package var stage1: Outcome
    package var stage2: Outcome
    /// What stage 1 gave.
    package var ipa: IPA
    /// Stage 1's, for unprivileged data.
    package var permissions: Permissions
    /// ``event`` has been recorded.
    package var recorded: Bool
    /// Of a fault, recorded or not; else 0.
    package var event: EventRecord
    /// Bytes that were written, or that follow.
    package var size: UInt32

    /// How one stage ended.
    package enum Outcome: UInt32, Hashable, Sendable, CaseIterable {
        case done = 0
        /// The stage does not translate.
        case bypass = 1
        /// Terminated without an event.
        case abort = 2
        case fault = 3
        case stalled = 4
        /// Of stage 2, when stage 1 did not come through.
        case notReached = 5

        static let rule = "it must be 0 to 5"
    }

    package struct Permissions: OptionSet, Hashable, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        package static let read = Permissions(rawValue: 1 << 0)
        package static let write = Permissions(rawValue: 1 << 1)
        static let known: Permissions = [.read, .write]
    }

    /// Without the data.
    package static let byteCount = 96

    package enum Layout {
        package static let stage1 = WireField<UInt32>("stage1", 32)
        package static let stage2 = WireField<UInt32>("stage2", 36)
        package static let ipa = WireField<IPA>("ipa", 40)
        package static let permissions = WireField<UInt32>("permissions", 48)
        package static let recorded = WireField<UInt32>("recorded", 52)
        package static let event = WireField<EventRecord>("event", 56)
        package static let size = WireField<UInt32>("size", 88)
        package static let reserved = WireField<UInt32>("reserved", 92)
    }

    package init(
        stage1: Outcome, stage2: Outcome, ipa: IPA, permissions: Permissions, recorded: Bool, event: EventRecord,
        size: UInt32 = 0
    ) {
        (self.stage1, self.stage2, self.ipa, self.permissions) = (stage1, stage2, ipa, permissions)
        (self.recorded, self.event, self.size) = (recorded, event, size)
    }

    /// Reads a packet whose header is right. `size` bytes of data follow or none: only who asked knows which is right.
    static func decode(_ packet: RawSpan) throws(WireFault) -> (AccessReply, Records<UInt8>) {
        try packet.require(atLeast: byteCount)
        try packet.requireZero(Layout.reserved)
        let size = packet[Layout.size]
        let data: Records<UInt8>
        if packet.byteCount == byteCount {
            if size > Limits.data { throw .badCount(Layout.size.name, value: size, allowed: 0...Limits.data) }
            data = Records(count: 0, at: byteCount)
        } else {
            data = try packet.records(of: UInt8.self, counted: Layout.size, allowed: 0...Limits.data, at: byteCount)
        }
        let reply = AccessReply(
            stage1: try packet.value(Layout.stage1, as: Outcome.self, rule: Outcome.rule),
            stage2: try packet.value(Layout.stage2, as: Outcome.self, rule: Outcome.rule),
            ipa: packet[Layout.ipa],
            permissions: try packet.flags(
                Layout.permissions, known: Permissions.known, rule: "the known bits are READ and WRITE"),
            recorded: try packet.flag(Layout.recorded), event: packet[Layout.event], size: size)
        return (reply, data)
    }

    /// Writes the packet and returns its length; `packet` must have room for it. `size` must be right already.
    package func encode(to request: RequestHeader, data: RawSpan, into packet: inout MutableRawSpan) -> Int {
        packet.clear(Self.byteCount)
        packet.set(Layout.stage1, to: stage1.rawValue)
        packet.set(Layout.stage2, to: stage2.rawValue)
        packet.set(Layout.ipa, to: ipa)
        packet.set(Layout.permissions, to: permissions.rawValue)
        packet.set(Layout.recorded, to: recorded ? 1 : 0)
        packet.set(Layout.event, to: event)
        packet.set(Layout.size, to: size)
        packet.copy(data, to: Self.byteCount)
        ReplyHeader(to: request).store(into: &packet, size: Self.byteCount + data.byteCount)
        return Self.byteCount + data.byteCount
    }

    /// The same when `dataSize` bytes of data are in `packet` already, behind the reply.
    package func encode(to request: RequestHeader, dataInPlace dataSize: Int, into packet: inout MutableRawSpan) -> Int
    {
        let size = encode(to: request, data: RawSpan(), into: &packet) + dataSize
        ReplyHeader(to: request).store(into: &packet, size: size)
        return size
    }
}

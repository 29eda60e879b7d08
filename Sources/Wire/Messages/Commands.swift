package import SMMUv3

/// Commands as the guest wrote them. Its reply is a header whose `completed` counts those that are done.
package struct CommandsRequest: Hashable, Sendable {
    package var vsmmu: VSMMUID
    package let commands: Records<Command>

    /// Without the commands.
    package static let byteCount = 24

    package enum Layout {
        package static let vsmmu = WireField<VSMMUID>("vsmmu", 16)
        package static let count = WireField<UInt32>("count", 20)
    }

    /// Reads a packet whose header is right. The commands stay in it, and are not looked at.
    init(body packet: RawSpan) throws(WireFault) {
        try packet.require(atLeast: Self.byteCount)
        commands = try packet.records(
            of: Command.self, counted: Layout.count, allowed: 1...Limits.commands, at: Self.byteCount)
        vsmmu = packet[Layout.vsmmu]
    }

    /// Writes the packet and returns its length; `packet` must have room for it.
    package static func encode(
        vsmmu: VSMMUID, commands: Span<Command>, _ cookie: Cookie, into packet: inout MutableRawSpan
    ) -> Int {
        packet.set(Layout.vsmmu, to: vsmmu)
        packet.set(Layout.count, to: UInt32(commands.count))
        let size = packet.append(commands, at: byteCount)
        RequestHeader(.commands, cookie).store(into: &packet, size: size)
        return size
    }
}

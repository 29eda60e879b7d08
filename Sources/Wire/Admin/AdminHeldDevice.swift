/// A device that no session has, and nobody gets at the moment.
package struct AdminHeldDevice: Hashable, WireValue {
    package enum Reason: UInt32, Hashable, Sendable, CaseIterable {
        /// Somebody still has a descriptor of it.
        case orphaned = 1
        /// An operator has taken it for the host.
        case withheld = 2

        package var name: String { self == .orphaned ? "orphaned" : "withheld" }
    }

    package var device: Name?
    /// That had it last.
    package var vm: Name?
    package var session: UInt64
    /// nil: one that this version does not know.
    package var reason: Reason?

    package static let byteCount = 144

    package enum Layout {
        package static let device = WireField<Name>("device", 0)
        package static let vm = WireField<Name>("vm", 64)
        package static let session = WireField<UInt64>("session", 128)
        package static let reason = WireField<UInt32>("reason", 136)
        package static let reserved = WireField<UInt32>("reserved", 140)
    }

    package init(device: Name?, vm: Name?, session: UInt64, reason: Reason?) {
        (self.device, self.vm, self.session, self.reason) = (device, vm, session, reason)
    }

    package static func load(from packet: RawSpan, at base: Int) -> AdminHeldDevice {
        AdminHeldDevice(
            device: packet.optionalName(Layout.device, at: base), vm: packet.optionalName(Layout.vm, at: base),
            session: packet[Layout.session, base], reason: Reason(rawValue: packet[Layout.reason, base]))
    }

    package func store(into packet: inout MutableRawSpan, at base: Int) {
        packet.set(Layout.device, at: base, to: device)
        packet.set(Layout.vm, at: base, to: vm)
        packet.set(Layout.session, at: base, to: session)
        packet.set(Layout.reason, at: base, to: reason?.rawValue ?? 0)
        packet.set(Layout.reserved, at: base, to: 0)
    }
}

// MARK: - The reply

extension AdminHeldDevice {
    /// Of the reply, without the devices.
    package static let replyByteCount = 40

    package enum ReplyLayout {
        package static let total = WireField<UInt32>("total", 32)
        package static let count = WireField<UInt32>("count", 36)
    }

    /// Reads a packet whose header is right.
    static func decode(_ packet: RawSpan) throws(WireFault) -> (total: UInt32, devices: Records<AdminHeldDevice>) {
        try packet.require(atLeast: replyByteCount)
        let devices = try packet.records(
            of: AdminHeldDevice.self, counted: ReplyLayout.count, allowed: 0...AdminLimits.heldBack,
            at: replyByteCount)
        return (packet[ReplyLayout.total], devices)
    }

    /// Writes the packet and returns its length; `packet` must have room for it.
    package static func encode(
        to request: RequestHeader, total: UInt32, _ devices: Span<AdminHeldDevice>, into packet: inout MutableRawSpan
    ) -> Int {
        packet.set(ReplyLayout.total, to: total)
        packet.set(ReplyLayout.count, to: UInt32(devices.count))
        let size = packet.append(devices, at: replyByteCount)
        ReplyHeader(to: request).store(into: &packet, size: size)
        return size
    }
}

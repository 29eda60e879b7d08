/// Asks for what happens, on a socket of its own, which comes along.
package struct AdminMonitorRequest: FixedRequest {
    /// nil: of every session.
    package var session: UInt64?
    package var flags: Flags
    /// Or ``VSMMUID/every``.
    package var vsmmu = VSMMUID.every
    /// Of events: bit n is the number n, the last bit all from 63 on.
    package var kinds = Self.everyKind
    /// nil: of every device, and what concerns none.
    package var device: Name?

    package struct Flags: OptionSet, Hashable, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        /// First what is kept of the past.
        package static let history = Flags(rawValue: 1 << 0)
        /// Then what happens; without it the socket is closed.
        package static let follow = Flags(rawValue: 1 << 1)
        /// Not only events.
        package static let notices = Flags(rawValue: 1 << 2)
        static let known: Flags = [.history, .follow, .notices]
    }

    package static let everySession: UInt64 = .max
    package static let everyKind: UInt64 = .max
    package static let byteCount = 104

    package enum Layout {
        package static let session = WireField<UInt64>("session", 16)
        package static let flags = WireField<UInt32>("flags", 24)
        package static let vsmmu = WireField<VSMMUID>("vsmmu", 28)
        package static let kinds = WireField<UInt64>("kinds", 32)
        package static let device = WireField<Name>("device", 40)
    }

    package init(session: UInt64? = nil, flags: Flags) { (self.session, self.flags) = (session, flags) }

    package init(fields packet: RawSpan) throws(WireFault) {
        flags = try packet.flags(
            Layout.flags, known: Flags.known, rule: "the known bits are HISTORY, FOLLOW and NOTICES")
        if flags.isDisjoint(with: [.history, .follow]) {
            throw .badValue(
                Layout.flags.name, value: UInt64(flags.rawValue), rule: "it must have HISTORY, FOLLOW or both")
        }
        (vsmmu, kinds) = (packet[Layout.vsmmu], packet[Layout.kinds])
        if kinds == 0 {
            throw .badValue(
                Layout.kinds.name, value: 0, rule: "it must have a bit: a monitor wants events of some kind")
        }
        device = packet[Layout.device].isUnset ? nil : try packet.name(Layout.device)
        let session = packet[Layout.session]
        self.session = session == Self.everySession ? nil : session
    }

    package func store(into packet: inout MutableRawSpan) {
        packet.set(Layout.session, to: session ?? Self.everySession)
        packet.set(Layout.flags, to: flags.rawValue)
        packet.set(Layout.vsmmu, to: vsmmu)
        packet.set(Layout.kinds, to: kinds)
        packet.set(Layout.device, at: 0, to: device)
    }
}

extension AdminMonitorRequest {
    /// The bit of ``kinds`` for event records of a number.
    package static func kind(_ number: UInt8) -> UInt64 { 1 << UInt64(min(number, 63)) }
}

/// Asks for what happens, on a socket of its own, which comes along.
package struct AdminMonitorRequest: FixedRequest {
    /// nil: of every session.
    package var session: UInt64?
    package var flags: Flags

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
    package static let byteCount = 32

    package enum Layout {
        package static let session = WireField<UInt64>("session", 16)
        package static let flags = WireField<UInt32>("flags", 24)
        package static let reserved = WireField<UInt32>("reserved", 28)
    }

    package init(session: UInt64? = nil, flags: Flags) { (self.session, self.flags) = (session, flags) }

    package init(fields packet: RawSpan) throws(WireFault) {
        try packet.requireZero(Layout.reserved)
        flags = try packet.flags(
            Layout.flags, known: Flags.known, rule: "the known bits are HISTORY, FOLLOW and NOTICES")
        if flags.isDisjoint(with: [.history, .follow]) {
            throw .badValue(
                Layout.flags.name, value: UInt64(flags.rawValue), rule: "it must have HISTORY, FOLLOW or both")
        }
        let session = packet[Layout.session]
        self.session = session == Self.everySession ? nil : session
    }

    package func store(into packet: inout MutableRawSpan) {
        packet.set(Layout.session, to: session ?? Self.everySession)
        packet.set(Layout.flags, to: flags.rawValue)
    }
}

/// Sessions in the order of their numbers.
package struct AdminListRequest: FixedRequest {
    /// Those with higher numbers than this; 0: all.
    package var after: UInt64

    package static let byteCount = 24

    package enum Layout {
        package static let after = WireField<UInt64>("after", 16)
    }

    package init(after: UInt64 = 0) { self.after = after }

    package init(fields packet: RawSpan) throws(WireFault) { after = packet[Layout.after] }

    package func store(into packet: inout MutableRawSpan) { packet.set(Layout.after, to: after) }
}

/// As many sessions as there are, or as fit.
package struct AdminListReply: Hashable, Sendable {
    /// Sessions at the moment.
    package var total: UInt32
    package let sessions: Records<AdminSession>

    /// Without the sessions.
    package static let byteCount = 40

    package enum Layout {
        package static let total = WireField<UInt32>("total", 32)
        package static let count = WireField<UInt32>("count", 36)
    }

    /// Reads a packet whose header is right.
    init(body packet: RawSpan) throws(WireFault) {
        try packet.require(atLeast: Self.byteCount)
        sessions = try packet.records(
            of: AdminSession.self, counted: Layout.count, allowed: 0...AdminLimits.sessions, at: Self.byteCount)
        total = packet[Layout.total]
    }

    /// Writes the packet and returns its length; `packet` must have room for it.
    package static func encode(
        to request: RequestHeader, total: UInt32, sessions: Span<AdminSession>, into packet: inout MutableRawSpan
    ) -> Int {
        packet.set(Layout.total, to: total)
        packet.set(Layout.count, to: UInt32(sessions.count))
        let size = packet.append(sessions, at: byteCount)
        ReplyHeader(to: request).store(into: &packet, size: size)
        return size
    }
}

/// One session with its contexts.
package struct AdminShowRequest: FixedRequest {
    package var session: UInt64
    /// Index of the first context that is wanted.
    package var first: UInt32

    package static let byteCount = 32

    package enum Layout {
        package static let session = WireField<UInt64>("session", 16)
        package static let first = WireField<UInt32>("first", 24)
        package static let reserved = WireField<UInt32>("reserved", 28)
    }

    package init(session: UInt64, first: UInt32 = 0) { (self.session, self.first) = (session, first) }

    package init(fields packet: RawSpan) throws(WireFault) {
        try packet.requireZero(Layout.reserved)
        session = packet[Layout.session]
        first = packet[Layout.first]
    }

    package func store(into packet: inout MutableRawSpan) {
        packet.set(Layout.session, to: session)
        packet.set(Layout.first, to: first)
    }
}

package struct AdminShowReply: Hashable, Sendable {
    package var session: AdminSession
    /// Contexts at the moment.
    package var total: UInt32
    package let contexts: Records<AdminContext>

    /// Without the contexts.
    package static let byteCount = 328

    package enum Layout {
        package static let session = WireField<AdminSession>("session", 32)
        package static let total = WireField<UInt32>("total", 320)
        package static let count = WireField<UInt32>("count", 324)
    }

    /// Reads a packet whose header is right.
    init(body packet: RawSpan) throws(WireFault) {
        try packet.require(atLeast: Self.byteCount)
        contexts = try packet.records(
            of: AdminContext.self, counted: Layout.count, allowed: 0...AdminLimits.contexts, at: Self.byteCount)
        session = packet[Layout.session]
        total = packet[Layout.total]
    }

    /// Writes the packet and returns its length; `packet` must have room for it.
    package static func encode(
        to request: RequestHeader, session: AdminSession, total: UInt32, contexts: Span<AdminContext>,
        into packet: inout MutableRawSpan
    ) -> Int {
        packet.set(Layout.session, to: session)
        packet.set(Layout.total, to: total)
        packet.set(Layout.count, to: UInt32(contexts.count))
        let size = packet.append(contexts, at: byteCount)
        ReplyHeader(to: request).store(into: &packet, size: size)
        return size
    }
}

/// The number of a session: reply of SESSION_CREATE, QUARANTINE and RELEASE.
package struct AdminSessionReply: FixedReply {
    package var session: UInt64

    package static let byteCount = 40

    package enum Layout {
        package static let session = WireField<UInt64>("session", 32)
    }

    package init(session: UInt64) { self.session = session }

    package init(fields packet: RawSpan) throws(WireFault) { session = packet[Layout.session] }

    package func store(into packet: inout MutableRawSpan) { packet.set(Layout.session, to: session) }
}

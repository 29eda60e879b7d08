/// What a request of the admin socket asks for: `enum smmu_broker_admin_type` of the header.
package enum AdminRequestType: UInt16, Hashable, Sendable, CaseIterable {
    case status = 64
    case list = 65
    case show = 66
    case metrics = 67
    case monitor = 68
    case sessionCreate = 69
    case quarantine = 70
    case release = 71
    case reload = 72
    case handBack = 73
    case readmit = 74
    case heldBack = 75
    case letGo = 76

    /// The name in the header, without `SMMU_BROKER_ADMIN_`.
    package var name: String {
        switch self {
        case .status: "STATUS"
        case .list: "LIST"
        case .show: "SHOW"
        case .metrics: "METRICS"
        case .monitor: "MONITOR"
        case .sessionCreate: "SESSION_CREATE"
        case .quarantine: "QUARANTINE"
        case .release: "RELEASE"
        case .reload: "RELOAD"
        case .handBack: "HAND_BACK"
        case .readmit: "READMIT"
        case .heldBack: "HELD_BACK"
        case .letGo: "LET_GO"
        }
    }

    /// Whether it changes something, and not only asks.
    package var changes: Bool {
        switch self {
        case .status, .list, .show, .metrics, .monitor, .heldBack: false
        case .sessionCreate, .quarantine, .release, .reload, .handBack, .readmit, .letGo: true
        }
    }
}

/// The numbers that both sides of the admin socket agree on without talking.
package enum AdminLimits {
    package static let version: UInt32 = 1
    /// Sessions in one reply of LIST.
    package static let sessions = 192
    /// Contexts in one reply of SHOW.
    package static let contexts = 256
    /// Devices in one reply of HELD_BACK.
    package static let heldBack = 256
    /// Device patterns in one SESSION_CREATE.
    package static let patterns = 64
    /// Bytes of text in one reply.
    package static let text = 32768
    /// Records in one packet of a monitor.
    package static let records = 64
}

extension RequestHeader {
    package init(_ type: AdminRequestType, _ cookie: Cookie) { (self.type, self.cookie) = (type.rawValue, cookie) }

    /// Checks all of the header and returns the type.
    static func checkAdmin(_ packet: RawSpan) throws(WireFault) -> AdminRequestType {
        try packet.require(atLeast: Layout.byteCount)
        if packet.byteCount > Limits.packet { throw .tooLong(bytes: packet.byteCount, allowed: Limits.packet) }
        let size = packet[Layout.size]
        if Int(exactly: size) != packet.byteCount { throw .sizeMismatch(size: size, bytes: packet.byteCount) }
        guard let type = AdminRequestType(rawValue: packet[Layout.type]) else {
            throw .unknownType(packet[Layout.type])
        }
        if packet[Layout.reserved] != 0 { throw .reservedNotZero(Layout.reserved.name) }
        return type
    }
}

extension ReplyHeader {
    package var adminRequest: AdminRequestType? {
        type & Self.replyBit == 0 ? nil : AdminRequestType(rawValue: type & ~Self.replyBit)
    }
}

extension FixedRequest {
    /// Writes the packet and returns its length; `packet` must have room for it.
    package func encode(as type: AdminRequestType, _ cookie: Cookie, into packet: inout MutableRawSpan) -> Int {
        packet.clear(Self.byteCount)
        RequestHeader(type, cookie).store(into: &packet, size: Self.byteCount)
        store(into: &packet)
        return Self.byteCount
    }
}

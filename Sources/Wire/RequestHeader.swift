/// What a request asks for: `enum smmu_broker_type` of the header.
package enum RequestType: UInt16, Hashable, Sendable, CaseIterable {
    case hello = 1
    case vsmmuCreate = 2
    case vsmmuDestroy = 3
    case vsmmuState = 4
    case vsmmuReset = 5
    case memoryMap = 6
    case memoryUnmap = 7
    case deviceAttach = 8
    case deviceRebind = 9
    case deviceDetach = 10
    case deviceReset = 11
    case steSet = 12
    case commands = 13
    case msiDoorbell = 14
    case eventsSubscribe = 15
    case pageResponse = 16
    case translate = 17
    case dma = 18

    /// The name in the header, without `SMMU_BROKER_`.
    package var name: String {
        switch self {
        case .hello: "HELLO"
        case .vsmmuCreate: "VSMMU_CREATE"
        case .vsmmuDestroy: "VSMMU_DESTROY"
        case .vsmmuState: "VSMMU_STATE"
        case .vsmmuReset: "VSMMU_RESET"
        case .memoryMap: "MEMORY_MAP"
        case .memoryUnmap: "MEMORY_UNMAP"
        case .deviceAttach: "DEVICE_ATTACH"
        case .deviceRebind: "DEVICE_REBIND"
        case .deviceDetach: "DEVICE_DETACH"
        case .deviceReset: "DEVICE_RESET"
        case .steSet: "STE_SET"
        case .commands: "COMMANDS"
        case .msiDoorbell: "MSI_DOORBELL"
        case .eventsSubscribe: "EVENTS_SUBSCRIBE"
        case .pageResponse: "PAGE_RESPONSE"
        case .translate: "TRANSLATE"
        case .dma: "DMA"
        }
    }
}

/// At the start of every request: 16 bytes.
package struct RequestHeader: Hashable, Sendable {
    /// ``RequestType``, or a number that this version does not know.
    package var type: UInt16
    package var cookie: Cookie

    package enum Layout {
        package static let type = WireField<UInt16>("type", 0)
        package static let reserved = WireField<UInt16>("reserved", 2)
        package static let size = WireField<UInt32>("size", 4)
        package static let cookie = WireField<Cookie>("cookie", 8)
        package static let byteCount = 16
    }

    package init(_ type: RequestType, _ cookie: Cookie) { (self.type, self.cookie) = (type.rawValue, cookie) }

    /// What can be read of a packet that may be anything, to answer it: what is not there counts as 0.
    package init(peekingAt packet: RawSpan) {
        type = packet.byteCount >= Layout.type.end ? packet[Layout.type] : 0
        cookie = packet.byteCount >= Layout.cookie.end ? packet[Layout.cookie] : Cookie(0)
    }

    /// Checks all of the header and returns the type.
    static func check(_ packet: RawSpan) throws(WireFault) -> RequestType {
        try packet.require(atLeast: Layout.byteCount)
        if packet.byteCount > Limits.packet { throw .tooLong(bytes: packet.byteCount, allowed: Limits.packet) }
        let size = packet[Layout.size]
        if Int(exactly: size) != packet.byteCount { throw .sizeMismatch(size: size, bytes: packet.byteCount) }
        guard let type = RequestType(rawValue: packet[Layout.type]) else { throw .unknownType(packet[Layout.type]) }
        if packet[Layout.reserved] != 0 { throw .reservedNotZero(Layout.reserved.name) }
        return type
    }

    func store(into packet: inout MutableRawSpan, size: Int) {
        packet.set(Layout.type, to: type)
        packet.set(Layout.reserved, to: 0)
        packet.set(Layout.size, to: UInt32(size))
        packet.set(Layout.cookie, to: cookie)
    }
}

/// A request, decoded: a value without references. What has a variable length stays in the packet.
package enum Request: Hashable, Sendable {
    case hello(HelloRequest)
    case vsmmuCreate(VSMMUCreateRequest)
    case vsmmuDestroy(VSMMURequest)
    case vsmmuState(VSMMUStateRequest)
    case vsmmuReset(VSMMURequest)
    case memoryMap(MemoryMapRequest)
    case memoryUnmap(MemoryUnmapRequest)
    case deviceAttach(DeviceAttachRequest)
    case deviceRebind(DeviceRebindRequest)
    case deviceDetach(DeviceRequest)
    case deviceReset(DeviceResetRequest)
    case steSet(STESetRequest)
    case commands(CommandsRequest)
    case msiDoorbell(MSIDoorbellRequest)
    case eventsSubscribe(EventsSubscribeRequest)
    case pageResponse(PageResponseRequest)
    case translate(AccessRequest)
    case dma(AccessRequest)

    /// Reads a packet of any bytes. Checks all that can be seen from it alone: lengths, counts, reserved fields, names,
    /// flags. Whether addresses, vSMMUs and vSIDs make sense is the session's to say.
    package init(decoding packet: RawSpan) throws(WireFault) {
        switch try RequestHeader.check(packet) {
        case .hello: self = .hello(try HelloRequest(body: packet))
        case .vsmmuCreate: self = .vsmmuCreate(try VSMMUCreateRequest(body: packet))
        case .vsmmuDestroy: self = .vsmmuDestroy(try VSMMURequest(body: packet))
        case .vsmmuState: self = .vsmmuState(try VSMMUStateRequest(body: packet))
        case .vsmmuReset: self = .vsmmuReset(try VSMMURequest(body: packet))
        case .memoryMap: self = .memoryMap(try MemoryMapRequest(body: packet))
        case .memoryUnmap: self = .memoryUnmap(try MemoryUnmapRequest(body: packet))
        case .deviceAttach: self = .deviceAttach(try DeviceAttachRequest(body: packet))
        case .deviceRebind: self = .deviceRebind(try DeviceRebindRequest(body: packet))
        case .deviceDetach: self = .deviceDetach(try DeviceRequest(body: packet))
        case .deviceReset: self = .deviceReset(try DeviceResetRequest(body: packet))
        case .steSet: self = .steSet(try STESetRequest(body: packet))
        case .commands: self = .commands(try CommandsRequest(body: packet))
        case .msiDoorbell: self = .msiDoorbell(try MSIDoorbellRequest(body: packet))
        case .eventsSubscribe: self = .eventsSubscribe(try EventsSubscribeRequest(body: packet))
        case .pageResponse: self = .pageResponse(try PageResponseRequest(body: packet))
        case .translate: self = .translate(try AccessRequest(body: packet, type: .translate))
        case .dma: self = .dma(try AccessRequest(body: packet, type: .dma))
        }
    }

    package var type: RequestType {
        switch self {
        case .hello: .hello
        case .vsmmuCreate: .vsmmuCreate
        case .vsmmuDestroy: .vsmmuDestroy
        case .vsmmuState: .vsmmuState
        case .vsmmuReset: .vsmmuReset
        case .memoryMap: .memoryMap
        case .memoryUnmap: .memoryUnmap
        case .deviceAttach: .deviceAttach
        case .deviceRebind: .deviceRebind
        case .deviceDetach: .deviceDetach
        case .deviceReset: .deviceReset
        case .steSet: .steSet
        case .commands: .commands
        case .msiDoorbell: .msiDoorbell
        case .eventsSubscribe: .eventsSubscribe
        case .pageResponse: .pageResponse
        case .translate: .translate
        case .dma: .dma
        }
    }
}

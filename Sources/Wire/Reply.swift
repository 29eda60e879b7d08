/// A reply, decoded: for clients.
package struct Reply: Hashable, Sendable {
    package var header: ReplyHeader
    package var body: Body

    package enum Body: Hashable, Sendable {
        case refused(Refusal)
        /// Done, and no more to say. COMMANDS: the header's `completed` says how many.
        case done
        case hello(HelloReply)
        case vsmmuCreate(VSMMUCreateReply, Records<Narrowing>)
        /// Of VSMMU_STATE and VSMMU_RESET.
        case contexts(ContextsReply)
        case deviceAttach(DeviceAttachReply)
        case steSet(STESetReply)
        case msiDoorbell(MSIDoorbellReply)
        /// Of TRANSLATE and DMA; of a DMA read with its data.
        case access(AccessReply, Records<UInt8>)
    }

    package init(decoding packet: RawSpan) throws(WireFault) {
        header = try ReplyHeader(decoding: packet)
        if header.refused {
            body = .refused(Refusal(header, in: packet))
            return
        }
        guard let request = header.request else { throw .unknownType(header.type) }
        switch request {
        case .hello: body = .hello(try HelloReply(body: packet))
        case .vsmmuCreate:
            let (reply, narrowings) = try VSMMUCreateReply.decode(packet)
            body = .vsmmuCreate(reply, narrowings)
        case .vsmmuState, .vsmmuReset: body = .contexts(try ContextsReply(body: packet))
        case .deviceAttach: body = .deviceAttach(try DeviceAttachReply(body: packet))
        case .steSet: body = .steSet(try STESetReply(body: packet))
        case .msiDoorbell: body = .msiDoorbell(try MSIDoorbellReply(body: packet))
        case .translate, .dma:
            let (reply, data) = try AccessReply.decode(packet)
            body = .access(reply, data)
        case .vsmmuDestroy, .memoryMap, .memoryUnmap, .deviceRebind, .deviceDetach, .deviceReset, .commands,
            .eventsSubscribe, .pageResponse:
            try packet.require(exactly: ReplyHeader.Layout.byteCount)
            body = .done
        }
    }
}

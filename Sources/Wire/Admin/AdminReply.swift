/// A reply of the admin socket, decoded: for clients. Lists and texts stay in the packet.
package struct AdminReply: Hashable, Sendable {
    package var header: ReplyHeader
    package var body: Body

    package enum Body: Hashable, Sendable {
        case refused(Refusal)
        case status(AdminStatusReply, Records<UInt8>)
        case list(AdminListReply)
        case show(AdminShowReply)
        case metrics(total: UInt32, Records<UInt8>)
        /// MONITOR and READMIT: there is no more to say.
        case done
        /// SESSION_CREATE, QUARANTINE, RELEASE, HAND_BACK and LET_GO: the session's number.
        case session(UInt64)
        case reload(applied: Bool, Records<UInt8>)
        case heldBack(total: UInt32, Records<AdminHeldDevice>)
    }

    package init(decoding packet: RawSpan) throws(WireFault) {
        header = try ReplyHeader(decoding: packet)
        if header.refused {
            body = .refused(Refusal(header, in: packet))
            return
        }
        guard let request = header.adminRequest else { throw .unknownType(header.type) }
        switch request {
        case .status:
            let (reply, text) = try AdminStatusReply.decode(packet)
            body = .status(reply, text)
        case .list: body = .list(try AdminListReply(body: packet))
        case .show: body = .show(try AdminShowReply(body: packet))
        case .metrics:
            let (total, text) = try AdminTextReply.metrics.decode(packet)
            body = .metrics(total: total, text)
        case .heldBack:
            let (total, devices) = try AdminHeldDevice.decode(packet)
            body = .heldBack(total: total, devices)
        case .monitor, .readmit:
            try packet.require(exactly: ReplyHeader.Layout.byteCount)
            body = .done
        case .sessionCreate, .quarantine, .release, .handBack, .letGo:
            body = .session(try AdminSessionReply(body: packet).session)
        case .reload:
            let (applied, text) = try AdminTextReply.reload.decode(packet)
            if applied > 1 { throw .badValue("applied", value: UInt64(applied), rule: "it must be 0 or 1") }
            body = .reload(applied: applied == 1, text)
        }
    }

    /// How many descriptors may come with the packet.
    package var descriptorCounts: ClosedRange<Int> {
        if case .session = body, header.adminRequest == .sessionCreate { 1...1 } else { 0...0 }
    }
}

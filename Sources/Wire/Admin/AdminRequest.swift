/// A request of the admin socket, decoded.
package enum AdminRequest: Hashable, Sendable {
    case status
    case list(AdminListRequest)
    case show(AdminShowRequest)
    case metrics(AdminMetricsRequest)
    case monitor(AdminMonitorRequest)
    case sessionCreate(AdminSessionCreateRequest)
    case quarantine(AdminDeviceRequest)
    case release(AdminDeviceRequest)
    case reload
    case handBack(AdminDeviceRequest)
    case readmit(AdminDeviceRequest)
    case heldBack
    case letGo(AdminDeviceRequest)

    /// Reads a packet of any bytes. Checks all that can be seen from it alone.
    package init(decoding packet: RawSpan) throws(WireFault) {
        switch try RequestHeader.checkAdmin(packet) {
        case .status:
            try packet.require(exactly: RequestHeader.Layout.byteCount)
            self = .status
        case .list: self = .list(try AdminListRequest(body: packet))
        case .show: self = .show(try AdminShowRequest(body: packet))
        case .metrics: self = .metrics(try AdminMetricsRequest(body: packet))
        case .monitor: self = .monitor(try AdminMonitorRequest(body: packet))
        case .sessionCreate: self = .sessionCreate(try AdminSessionCreateRequest(body: packet))
        case .quarantine: self = .quarantine(try AdminDeviceRequest(body: packet))
        case .release: self = .release(try AdminDeviceRequest(body: packet))
        case .reload:
            try packet.require(exactly: RequestHeader.Layout.byteCount)
            self = .reload
        case .handBack: self = .handBack(try AdminDeviceRequest(body: packet))
        case .readmit: self = .readmit(try AdminDeviceRequest(body: packet))
        case .heldBack:
            try packet.require(exactly: RequestHeader.Layout.byteCount)
            self = .heldBack
        case .letGo: self = .letGo(try AdminDeviceRequest(body: packet))
        }
    }

    package var type: AdminRequestType {
        switch self {
        case .status: .status
        case .list: .list
        case .show: .show
        case .metrics: .metrics
        case .monitor: .monitor
        case .sessionCreate: .sessionCreate
        case .quarantine: .quarantine
        case .release: .release
        case .reload: .reload
        case .handBack: .handBack
        case .readmit: .readmit
        case .heldBack: .heldBack
        case .letGo: .letGo
        }
    }

    /// How many descriptors must come with the packet.
    package var descriptorCount: Int { type == .monitor ? 1 : 0 }

    /// Checks what came with the packet. `truncated`: the kernel could not hand over all of them.
    package func checkDescriptors(count: Int, truncated: Bool = false) throws(WireFault) {
        if truncated { throw .descriptorsTruncated }
        if count != descriptorCount {
            throw .wrongDescriptorCount(count, expected: descriptorCount...descriptorCount)
        }
    }

    /// Writes a request that is nothing but its header, STATUS, RELOAD or HELD_BACK, and returns its length.
    package static func encodeHeader(
        _ type: AdminRequestType, _ cookie: Cookie, into packet: inout MutableRawSpan
    ) -> Int {
        RequestHeader(type, cookie).store(into: &packet, size: RequestHeader.Layout.byteCount)
        return RequestHeader.Layout.byteCount
    }
}

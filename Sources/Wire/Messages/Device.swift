package import SMMUv3

/// DEVICE_DETACH: names a context and nothing else.
package struct DeviceRequest: FixedRequest {
    package var vsmmu: VSMMUID
    package var vsid: StreamID

    package static let byteCount = 24

    package enum Layout {
        package static let vsmmu = WireField<VSMMUID>("vsmmu", 16)
        package static let vsid = WireField<StreamID>("vsid", 20)
    }

    package init(vsmmu: VSMMUID, vsid: StreamID) { (self.vsmmu, self.vsid) = (vsmmu, vsid) }

    package init(fields packet: RawSpan) throws(WireFault) {
        vsmmu = packet[Layout.vsmmu]
        vsid = packet[Layout.vsid]
    }

    package func store(into packet: inout MutableRawSpan) {
        packet.set(Layout.vsmmu, to: vsmmu)
        packet.set(Layout.vsid, to: vsid)
    }
}

/// Resets an orphaned device, which is no session's: hence by its name.
package struct DeviceResetRequest: TypedRequest {
    package var device: Name

    package static let type = RequestType.deviceReset
    package static let byteCount = 80

    package enum Layout {
        package static let device = WireField<Name>("device", 16)
    }

    package init(device: Name) { self.device = device }

    package init(fields packet: RawSpan) throws(WireFault) { device = try packet.name(Layout.device) }

    package func store(into packet: inout MutableRawSpan) { packet.set(Layout.device, to: device) }
}

/// Gives a device another vSID.
package struct DeviceRebindRequest: TypedRequest {
    package var vsmmu: VSMMUID
    package var vsid: StreamID
    package var newVSID: StreamID

    package static let type = RequestType.deviceRebind
    package static let byteCount = 32

    package enum Layout {
        package static let vsmmu = WireField<VSMMUID>("vsmmu", 16)
        package static let vsid = WireField<StreamID>("vsid", 20)
        package static let newVSID = WireField<StreamID>("new_vsid", 24)
        package static let reserved = WireField<UInt32>("reserved", 28)
    }

    package init(vsmmu: VSMMUID, vsid: StreamID, newVSID: StreamID) {
        (self.vsmmu, self.vsid, self.newVSID) = (vsmmu, vsid, newVSID)
    }

    package init(fields packet: RawSpan) throws(WireFault) {
        try packet.requireZero(Layout.reserved)
        vsmmu = packet[Layout.vsmmu]
        vsid = packet[Layout.vsid]
        newVSID = packet[Layout.newVSID]
    }

    package func store(into packet: inout MutableRawSpan) {
        packet.set(Layout.vsmmu, to: vsmmu)
        packet.set(Layout.vsid, to: vsid)
        packet.set(Layout.newVSID, to: newVSID)
    }
}

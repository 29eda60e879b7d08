package import SMMUv3

/// Puts a device under a vSMMU, with the StreamID by which the guest knows it.
package struct DeviceAttachRequest: TypedRequest {
    package var vsmmu: VSMMUID
    package var vsid: StreamID
    /// `0000:01:00.0`, or the name of a model device.
    package var device: Name

    package static let type = RequestType.deviceAttach
    package static let byteCount = 88

    package enum Layout {
        package static let vsmmu = WireField<VSMMUID>("vsmmu", 16)
        package static let vsid = WireField<StreamID>("vsid", 20)
        package static let device = WireField<Name>("device", 24)
    }

    package init(vsmmu: VSMMUID, vsid: StreamID, device: Name) {
        (self.vsmmu, self.vsid, self.device) = (vsmmu, vsid, device)
    }

    package init(fields packet: RawSpan) throws(WireFault) {
        vsmmu = packet[Layout.vsmmu]
        vsid = packet[Layout.vsid]
        device = try packet.name(Layout.device)
    }

    package func store(into packet: inout MutableRawSpan) {
        packet.set(Layout.vsmmu, to: vsmmu)
        packet.set(Layout.vsid, to: vsid)
        packet.set(Layout.device, to: device)
    }
}

/// What the VMM has to know of the device. With a vfio device descriptor where the backend has one.
package struct DeviceAttachReply: FixedReply {
    /// IOVA window that the guest's firmware must identity-map; size 0: none.
    package var msiBase: IOVA
    package var msiSize: UInt64
    package var flags: Flags
    package var pasidBits: UInt32
    /// StreamID of the physical SMMU, for people.
    package var physicalStream: StreamID
    package var state: ContextState

    /// Unknown ones, from a newer daemon, are kept.
    package struct Flags: OptionSet, Hashable, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        package static let ats = Flags(rawValue: 1 << 0)
        /// A vfio device descriptor comes along.
        package static let descriptor = Flags(rawValue: 1 << 1)
    }

    package static let byteCount = 64

    package enum Layout {
        package static let msiBase = WireField<IOVA>("msi_base", 32)
        package static let msiSize = WireField<UInt64>("msi_size", 40)
        package static let flags = WireField<UInt32>("flags", 48)
        package static let pasidBits = WireField<UInt32>("pasid_bits", 52)
        package static let physicalStream = WireField<StreamID>("physical_stream", 56)
        package static let state = WireField<UInt32>("state", 60)
    }

    package init(
        msiBase: IOVA, msiSize: UInt64, flags: Flags, pasidBits: UInt32, physicalStream: StreamID, state: ContextState
    ) {
        (self.msiBase, self.msiSize, self.flags) = (msiBase, msiSize, flags)
        (self.pasidBits, self.physicalStream, self.state) = (pasidBits, physicalStream, state)
    }

    package init(fields packet: RawSpan) throws(WireFault) {
        msiBase = packet[Layout.msiBase]
        msiSize = packet[Layout.msiSize]
        flags = Flags(rawValue: packet[Layout.flags])
        pasidBits = packet[Layout.pasidBits]
        physicalStream = packet[Layout.physicalStream]
        state = try packet.value(Layout.state, as: ContextState.self, rule: ContextState.rule)
    }

    package func store(into packet: inout MutableRawSpan) {
        packet.set(Layout.msiBase, to: msiBase)
        packet.set(Layout.msiSize, to: msiSize)
        packet.set(Layout.flags, to: flags.rawValue)
        packet.set(Layout.pasidBits, to: pasidBits)
        packet.set(Layout.physicalStream, to: physicalStream)
        packet.set(Layout.state, to: state.rawValue)
    }
}

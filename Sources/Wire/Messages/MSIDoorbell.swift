package import SMMUv3

/// Model: a guest doorbell. iommufd: nothing is set, and the reply says the fixed window.
package struct MSIDoorbellRequest: TypedRequest {
    package var vsmmu: VSMMUID
    package var vsid: StreamID
    package var iova: IOVA
    package var ipa: IPA

    package static let type = RequestType.msiDoorbell
    package static let byteCount = 40

    package enum Layout {
        package static let vsmmu = WireField<VSMMUID>("vsmmu", 16)
        package static let vsid = WireField<StreamID>("vsid", 20)
        package static let iova = WireField<IOVA>("iova", 24)
        package static let ipa = WireField<IPA>("ipa", 32)
    }

    package init(vsmmu: VSMMUID, vsid: StreamID, iova: IOVA, ipa: IPA) {
        (self.vsmmu, self.vsid, self.iova, self.ipa) = (vsmmu, vsid, iova, ipa)
    }

    package init(fields packet: RawSpan) throws(WireFault) {
        vsmmu = packet[Layout.vsmmu]
        vsid = packet[Layout.vsid]
        iova = packet[Layout.iova]
        ipa = packet[Layout.ipa]
    }

    package func store(into packet: inout MutableRawSpan) {
        packet.set(Layout.vsmmu, to: vsmmu)
        packet.set(Layout.vsid, to: vsid)
        packet.set(Layout.iova, to: iova)
        packet.set(Layout.ipa, to: ipa)
    }
}

/// Where the device's MSIs go.
package struct MSIDoorbellReply: FixedReply {
    package var base: IOVA
    package var size: UInt64

    package static let byteCount = 48

    package enum Layout {
        package static let base = WireField<IOVA>("base", 32)
        package static let size = WireField<UInt64>("size", 40)
    }

    package init(base: IOVA, size: UInt64) { (self.base, self.size) = (base, size) }

    package init(fields packet: RawSpan) throws(WireFault) {
        base = packet[Layout.base]
        size = packet[Layout.size]
    }

    package func store(into packet: inout MutableRawSpan) {
        packet.set(Layout.base, to: base)
        packet.set(Layout.size, to: size)
    }
}

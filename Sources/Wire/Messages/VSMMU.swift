/// VSMMU_DESTROY and VSMMU_RESET: they name a vSMMU and nothing else.
package struct VSMMURequest: FixedRequest {
    package var vsmmu: VSMMUID

    package static let byteCount = 24

    package enum Layout {
        package static let vsmmu = WireField<VSMMUID>("vsmmu", 16)
        package static let reserved = WireField<UInt32>("reserved", 20)
    }

    package init(vsmmu: VSMMUID) { self.vsmmu = vsmmu }

    package init(fields packet: RawSpan) throws(WireFault) {
        try packet.requireZero(Layout.reserved)
        vsmmu = packet[Layout.vsmmu]
    }

    package func store(into packet: inout MutableRawSpan) { packet.set(Layout.vsmmu, to: vsmmu) }
}

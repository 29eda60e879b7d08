package import SMMUv3

/// The STE of one context, as the guest wrote it.
package struct STESetRequest: TypedRequest {
    package var vsmmu: VSMMUID
    package var vsid: StreamID
    package var ste: StreamTableEntry

    package static let type = RequestType.steSet
    package static let byteCount = 88

    package enum Layout {
        package static let vsmmu = WireField<VSMMUID>("vsmmu", 16)
        package static let vsid = WireField<StreamID>("vsid", 20)
        package static let ste = WireField<StreamTableEntry>("ste", 24)
    }

    package init(vsmmu: VSMMUID, vsid: StreamID, ste: StreamTableEntry) {
        (self.vsmmu, self.vsid, self.ste) = (vsmmu, vsid, ste)
    }

    package init(fields packet: RawSpan) throws(WireFault) {
        vsmmu = packet[Layout.vsmmu]
        vsid = packet[Layout.vsid]
        ste = packet[Layout.ste]
    }

    package func store(into packet: inout MutableRawSpan) {
        packet.set(Layout.vsmmu, to: vsmmu)
        packet.set(Layout.vsid, to: vsid)
        packet.set(Layout.ste, to: ste)
    }
}

/// What became of the context.
package struct STESetReply: FixedReply {
    package var context: ContextReport

    package static let byteCount = 48

    package enum Layout {
        package static let context = WireField<ContextReport>("context", 32)
    }

    package init(context: ContextReport) { self.context = context }

    package init(fields packet: RawSpan) throws(WireFault) {
        try ContextReport.check(packet, at: Layout.context.offset)
        context = packet[Layout.context]
    }

    package func store(into packet: inout MutableRawSpan) { packet.set(Layout.context, to: context) }
}

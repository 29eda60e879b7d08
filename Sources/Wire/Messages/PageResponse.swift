package import SMMUv3

/// The answer to a stalled transaction.
package struct PageResponseRequest: TypedRequest {
    package var vsmmu: VSMMUID
    package var vsid: StreamID
    package var stag: StallTag
    package var code: Code

    package enum Code: UInt32, Hashable, Sendable, CaseIterable {
        case retry = 0
        case terminate = 1
        case abort = 2
        /// STALL_TERM: every stalled transaction of the vSID.
        case terminateAll = 3
    }

    package static let type = RequestType.pageResponse
    package static let byteCount = 32

    package enum Layout {
        package static let vsmmu = WireField<VSMMUID>("vsmmu", 16)
        package static let vsid = WireField<StreamID>("vsid", 20)
        package static let stag = WireField<StallTag>("stag", 24)
        package static let code = WireField<UInt32>("code", 28)
    }

    package init(vsmmu: VSMMUID, vsid: StreamID, stag: StallTag, code: Code) {
        (self.vsmmu, self.vsid, self.stag, self.code) = (vsmmu, vsid, stag, code)
    }

    package init(fields packet: RawSpan) throws(WireFault) {
        code = try packet.value(
            Layout.code, as: Code.self, rule: "it must be RETRY, TERMINATE, ABORT or TERMINATE_ALL")
        vsmmu = packet[Layout.vsmmu]
        vsid = packet[Layout.vsid]
        stag = packet[Layout.stag]
        if code == .terminateAll && stag.rawValue != 0 {
            throw .badValue(
                Layout.stag.name, value: UInt64(stag.rawValue), rule: "TERMINATE_ALL takes none: it must be 0")
        }
    }

    package func store(into packet: inout MutableRawSpan) {
        packet.set(Layout.vsmmu, to: vsmmu)
        packet.set(Layout.vsid, to: vsid)
        packet.set(Layout.stag, to: stag)
        packet.set(Layout.code, to: code.rawValue)
    }
}

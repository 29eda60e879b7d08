package import SMMUv3

/// TRANSLATE and DMA: what a device of the model does.
package struct AccessRequest: Hashable, Sendable {
    package var vsmmu: VSMMUID
    package var vsid: StreamID
    package var iova: IOVA
    /// nil: the transaction has none.
    package var substream: SubstreamID?
    package var flags: Flags
    /// Bytes of a DMA; 0 for TRANSLATE.
    package var size: Int
    /// What a DMA writes; empty for everything else.
    package let data: Records<UInt8>

    package struct Flags: OptionSet, Hashable, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }
        /// As every option set has it. Here, because the general one is not specialised for other targets.
        package func contains(_ other: Flags) -> Bool { rawValue & other.rawValue == other.rawValue }

        package static let write = Flags(rawValue: 1 << 0)
        package static let privileged = Flags(rawValue: 1 << 1)
        package static let instruction = Flags(rawValue: 1 << 2)
        package static let substream = Flags(rawValue: 1 << 3)
        static let known: Flags = [.write, .privileged, .instruction, .substream]
    }

    /// Without the data.
    package static let byteCount = 48

    package enum Layout {
        package static let vsmmu = WireField<VSMMUID>("vsmmu", 16)
        package static let vsid = WireField<StreamID>("vsid", 20)
        package static let iova = WireField<IOVA>("iova", 24)
        package static let substream = WireField<SubstreamID>("ssid", 32)
        package static let flags = WireField<UInt32>("flags", 36)
        package static let size = WireField<UInt32>("size", 40)
        package static let reserved = WireField<UInt32>("reserved", 44)
    }

    /// Reads a packet whose header is right. The data stay in it.
    init(body packet: RawSpan, type: RequestType) throws(WireFault) {
        try packet.require(atLeast: Self.byteCount)
        try packet.requireZero(Layout.reserved)
        flags = try packet.flags(
            Layout.flags, known: Flags.known,
            rule: "the known bits are WRITE, PRIVILEGED, INSTRUCTION and SUBSTREAM")
        if type == .dma && flags.contains(.write) {
            data = try packet.records(
                of: UInt8.self, counted: Layout.size, allowed: 1...Limits.data, at: Self.byteCount)
            size = data.count
        } else {
            size = try Self.sizeWithoutData(packet, allowed: type == .dma ? 1...Limits.data : 0...0)
            data = Records(count: 0, at: Self.byteCount)
        }
        vsmmu = packet[Layout.vsmmu]
        vsid = packet[Layout.vsid]
        iova = packet[Layout.iova]
        substream = try Self.substream(packet, meant: flags.contains(.substream))
    }

    private static func sizeWithoutData(_ packet: RawSpan, allowed: ClosedRange<Int>) throws(WireFault) -> Int {
        let value = packet[Layout.size]
        guard let size = Int(exactly: value), allowed.contains(size) else {
            throw .badCount(Layout.size.name, value: value, allowed: allowed)
        }
        try packet.require(exactly: byteCount)
        return size
    }

    private static func substream(_ packet: RawSpan, meant: Bool) throws(WireFault) -> SubstreamID? {
        let substream = packet[Layout.substream]
        if meant && substream.rawValue >= 1 << 20 {
            throw .badValue(Layout.substream.name, value: UInt64(substream.rawValue), rule: "SubstreamIDs have 20 bits")
        }
        if !meant && substream.rawValue != 0 {
            throw .badValue(
                Layout.substream.name, value: UInt64(substream.rawValue), rule: "without SUBSTREAM it must be 0")
        }
        return meant ? substream : nil
    }
}

extension AccessRequest {
    /// The part that TRANSLATE, a DMA read and a DMA write have in common.
    package struct Target: Hashable, Sendable {
        package var vsmmu: VSMMUID
        package var vsid: StreamID
        package var iova: IOVA
        package var substream: SubstreamID?
        /// `write` and `substream` are set by what is encoded.
        package var flags: Flags

        package init(vsmmu: VSMMUID, vsid: StreamID, iova: IOVA, substream: SubstreamID? = nil, flags: Flags = []) {
            (self.vsmmu, self.vsid, self.iova) = (vsmmu, vsid, iova)
            (self.substream, self.flags) = (substream, flags)
        }
    }

    package static func encodeTranslate(
        _ target: Target, write: Bool, _ cookie: Cookie, into packet: inout MutableRawSpan
    ) -> Int {
        store(target, write: write, size: 0, into: &packet)
        RequestHeader(.translate, cookie).store(into: &packet, size: byteCount)
        return byteCount
    }

    package static func encodeRead(
        _ target: Target, size: Int, _ cookie: Cookie, into packet: inout MutableRawSpan
    ) -> Int {
        store(target, write: false, size: size, into: &packet)
        RequestHeader(.dma, cookie).store(into: &packet, size: byteCount)
        return byteCount
    }

    package static func encodeWrite(
        _ target: Target, data: RawSpan, _ cookie: Cookie, into packet: inout MutableRawSpan
    ) -> Int {
        store(target, write: true, size: data.byteCount, into: &packet)
        packet.copy(data, to: byteCount)
        RequestHeader(.dma, cookie).store(into: &packet, size: byteCount + data.byteCount)
        return byteCount + data.byteCount
    }

    private static func store(_ target: Target, write: Bool, size: Int, into packet: inout MutableRawSpan) {
        var flags = target.flags.subtracting([.write, .substream])
        if write { flags.insert(.write) }
        if target.substream != nil { flags.insert(.substream) }
        packet.clear(byteCount)
        packet.set(Layout.vsmmu, to: target.vsmmu)
        packet.set(Layout.vsid, to: target.vsid)
        packet.set(Layout.iova, to: target.iova)
        packet.set(Layout.substream, to: target.substream ?? SubstreamID(0))
        packet.set(Layout.flags, to: flags.rawValue)
        packet.set(Layout.size, to: UInt32(size))
    }
}

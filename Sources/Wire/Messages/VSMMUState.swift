package import SMMUv3

/// What the guest wrote to CR0.SMMUEN and GBPA.ABORT. With SMMUEN the STEs of all attached vSIDs come along.
package struct VSMMUStateRequest: Hashable, Sendable {
    package var vsmmu: VSMMUID
    package var flags: Flags
    package let entries: Records<ContextEntry>

    package struct Flags: OptionSet, Hashable, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        package static let smmuEnabled = Flags(rawValue: 1 << 0)
        package static let bypassAborts = Flags(rawValue: 1 << 1)
        static let known: Flags = [.smmuEnabled, .bypassAborts]
    }

    /// Without the entries.
    package static let byteCount = 32

    package enum Layout {
        package static let vsmmu = WireField<VSMMUID>("vsmmu", 16)
        package static let flags = WireField<UInt32>("flags", 20)
        package static let entryCount = WireField<UInt32>("entry_count", 24)
        package static let reserved = WireField<UInt32>("reserved", 28)
    }

    /// Reads a packet whose header is right. The entries stay in it; their reserved fields have been checked.
    init(body packet: RawSpan) throws(WireFault) {
        try packet.require(atLeast: Self.byteCount)
        flags = try packet.flags(Layout.flags, known: Flags.known, rule: "the known bits are SMMUEN and GBPA_ABORT")
        entries = try packet.records(
            of: ContextEntry.self, counted: Layout.entryCount,
            allowed: flags.contains(.smmuEnabled) ? 0...Limits.entries : 0...0, at: Self.byteCount)
        try packet.requireZero(Layout.reserved)
        for index in 0..<entries.count {
            try packet.requireZero(ContextEntry.Layout.reserved, at: Self.byteCount + index * ContextEntry.byteCount)
        }
        vsmmu = packet[Layout.vsmmu]
    }

    /// Writes the packet and returns its length; `packet` must have room for it.
    package static func encode(
        vsmmu: VSMMUID, flags: Flags, entries: Span<ContextEntry>, _ cookie: Cookie,
        into packet: inout MutableRawSpan
    ) -> Int {
        packet.clear(byteCount)
        packet.set(Layout.vsmmu, to: vsmmu)
        packet.set(Layout.flags, to: flags.rawValue)
        packet.set(Layout.entryCount, to: UInt32(entries.count))
        let size = packet.append(entries, at: byteCount)
        RequestHeader(.vsmmuState, cookie).store(into: &packet, size: size)
        return size
    }
}

/// A context and its STE as the guest wrote it.
package struct ContextEntry: Hashable, WireValue {
    package var vsid: StreamID
    package var ste: StreamTableEntry

    package static let byteCount = 72

    package enum Layout {
        package static let vsid = WireField<StreamID>("vsid", 0)
        package static let reserved = WireField<UInt32>("reserved", 4)
        package static let ste = WireField<StreamTableEntry>("ste", 8)
    }

    package init(vsid: StreamID, ste: StreamTableEntry) { (self.vsid, self.ste) = (vsid, ste) }

    package static func load(from packet: RawSpan, at offset: Int) -> ContextEntry {
        ContextEntry(vsid: packet[Layout.vsid, offset], ste: packet[Layout.ste, offset])
    }

    package func store(into packet: inout MutableRawSpan, at offset: Int) {
        packet.set(Layout.vsid, at: offset, to: vsid)
        packet.set(Layout.reserved, at: offset, to: 0)
        packet.set(Layout.ste, at: offset, to: ste)
    }
}

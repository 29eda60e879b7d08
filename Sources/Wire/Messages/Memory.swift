/// Guest memory at an IPA, from a file whose descriptor comes with the packet.
package struct MemoryMapRequest: TypedRequest {
    package var ipa: IPA
    package var size: UInt64
    /// In the file.
    package var offset: UInt64
    package var flags: Flags

    package struct Flags: OptionSet, Hashable, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        package static let read = Flags(rawValue: 1 << 0)
        package static let write = Flags(rawValue: 1 << 1)
        /// The descriptor is a BAR of a device of this session.
        package static let dmabuf = Flags(rawValue: 1 << 2)
        static let known: Flags = [.read, .write, .dmabuf]
    }

    package static let type = RequestType.memoryMap
    package static let byteCount = 48

    package enum Layout {
        package static let ipa = WireField<IPA>("ipa", 16)
        package static let size = WireField<UInt64>("size", 24)
        package static let offset = WireField<UInt64>("offset", 32)
        package static let flags = WireField<UInt32>("flags", 40)
        package static let reserved = WireField<UInt32>("reserved", 44)
    }

    package init(ipa: IPA, size: UInt64, offset: UInt64, flags: Flags) {
        (self.ipa, self.size, self.offset, self.flags) = (ipa, size, offset, flags)
    }

    package init(fields packet: RawSpan) throws(WireFault) {
        try packet.requireZero(Layout.reserved)
        flags = try packet.flags(Layout.flags, known: Flags.known, rule: "the known bits are READ, WRITE and DMABUF")
        if flags.isDisjoint(with: [.read, .write]) {
            throw .badValue(Layout.flags.name, value: UInt64(flags.rawValue), rule: "READ, WRITE or both must be set")
        }
        ipa = packet[Layout.ipa]
        size = packet[Layout.size]
        offset = packet[Layout.offset]
        if size == 0 { throw .badValue(Layout.size.name, value: 0, rule: "map at least one page") }
    }

    package func store(into packet: inout MutableRawSpan) {
        packet.set(Layout.ipa, to: ipa)
        packet.set(Layout.size, to: size)
        packet.set(Layout.offset, to: offset)
        packet.set(Layout.flags, to: flags.rawValue)
    }
}

/// Removes whole earlier maps.
package struct MemoryUnmapRequest: TypedRequest {
    package var ipa: IPA
    package var size: UInt64

    package static let type = RequestType.memoryUnmap
    package static let byteCount = 32

    package enum Layout {
        package static let ipa = WireField<IPA>("ipa", 16)
        package static let size = WireField<UInt64>("size", 24)
    }

    package init(ipa: IPA, size: UInt64) { (self.ipa, self.size) = (ipa, size) }

    package init(fields packet: RawSpan) throws(WireFault) {
        ipa = packet[Layout.ipa]
        size = packet[Layout.size]
        if size == 0 { throw .badValue(Layout.size.name, value: 0, rule: "unmap at least one page") }
    }

    package func store(into packet: inout MutableRawSpan) {
        packet.set(Layout.ipa, to: ipa)
        packet.set(Layout.size, to: size)
    }
}

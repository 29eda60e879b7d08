/// OpenMetrics text from an offset on.
package struct AdminMetricsRequest: FixedRequest {
    /// 0 makes a new text; any other goes on in the one that this connection got last.
    package var offset: UInt32

    package static let byteCount = 24

    package enum Layout {
        package static let offset = WireField<UInt32>("offset", 16)
        package static let reserved = WireField<UInt32>("reserved", 20)
    }

    package init(offset: UInt32 = 0) { self.offset = offset }

    package init(fields packet: RawSpan) throws(WireFault) {
        try packet.requireZero(Layout.reserved)
        offset = packet[Layout.offset]
    }

    package func store(into packet: inout MutableRawSpan) { packet.set(Layout.offset, to: offset) }
}

/// QUARANTINE and RELEASE.
package struct AdminDeviceRequest: FixedRequest {
    package var device: Name

    package static let byteCount = 80

    package enum Layout {
        package static let device = WireField<Name>("device", 16)
    }

    package init(device: Name) { self.device = device }

    package init(fields packet: RawSpan) throws(WireFault) { device = try packet.name(Layout.device) }

    package func store(into packet: inout MutableRawSpan) { packet.set(Layout.device, to: device) }
}

/// A session for a VM that cannot reach the VMMs' socket: what it may have is said here.
package struct AdminSessionCreateRequest: Hashable, Sendable {
    /// Of the grant, for people.
    package var name: Name
    package var limits: Limits
    package let patterns: Records<AdminPattern>

    /// How much it may have; 0: the default.
    package struct Limits: Hashable, Sendable {
        package var memory: UInt64 = 0
        package var maps: UInt32 = 0
        package var vsmmus: UInt32 = 0
        package var contexts: UInt32 = 0
        package init() {}
    }

    /// Without the patterns.
    package static let byteCount = 104

    package enum Layout {
        package static let name = WireField<Name>("name", 16)
        package static let memory = WireField<UInt64>("maximum_memory", 80)
        package static let maps = WireField<UInt32>("maximum_maps", 88)
        package static let vsmmus = WireField<UInt32>("maximum_vsmmus", 92)
        package static let contexts = WireField<UInt32>("maximum_contexts", 96)
        package static let patternCount = WireField<UInt32>("pattern_count", 100)
    }

    /// Reads a packet whose header is right; the patterns stay in it, and each has been checked.
    init(body packet: RawSpan) throws(WireFault) {
        try packet.require(atLeast: Self.byteCount)
        patterns = try packet.records(
            of: AdminPattern.self, counted: Layout.patternCount, allowed: 1...AdminLimits.patterns, at: Self.byteCount)
        name = try packet.name(Layout.name)
        limits = Limits()
        limits.memory = packet[Layout.memory]
        limits.maps = packet[Layout.maps]
        limits.vsmmus = packet[Layout.vsmmus]
        limits.contexts = packet[Layout.contexts]
        for index in 0..<patterns.count {
            if let problem = patterns.element(index, in: packet).problem { throw .badName("devices", problem) }
        }
    }

    /// Writes the packet and returns its length; `packet` must have room for it.
    package static func encode(
        name: Name, limits: Limits, patterns: Span<AdminPattern>, _ cookie: Cookie, into packet: inout MutableRawSpan
    ) -> Int {
        packet.clear(byteCount)
        packet.set(Layout.name, to: name)
        packet.set(Layout.memory, to: limits.memory)
        packet.set(Layout.maps, to: limits.maps)
        packet.set(Layout.vsmmus, to: limits.vsmmus)
        packet.set(Layout.contexts, to: limits.contexts)
        packet.set(Layout.patternCount, to: UInt32(patterns.count))
        let size = packet.append(patterns, at: byteCount)
        RequestHeader(.sessionCreate, cookie).store(into: &packet, size: size)
        return size
    }
}

/// A device's name, or a pattern with `*` and `?`.
package struct AdminPattern: Hashable, WireValue {
    private var bytes: InlineArray<64, UInt8>

    package static let byteCount = 64

    package enum Layout {
        package static let text = WireField<AdminPattern>("text", 0)
    }

    /// nil when `text` is no pattern.
    package init?(_ text: String) {
        bytes = InlineArray(repeating: 0)
        var count = 0
        for byte in text.utf8 {
            guard count < 64 else { return nil }
            bytes[count] = byte
            count += 1
        }
        if problem != nil { return nil }
    }

    private init(unchecked bytes: InlineArray<64, UInt8>) { self.bytes = bytes }

    /// That of the name which has a letter for each `*` and `?`.
    package var problem: NameProblem? {
        let letters = InlineArray<64, UInt8> { index in
            bytes[index] == UInt8(ascii: "*") || bytes[index] == UInt8(ascii: "?") ? UInt8(ascii: "x") : bytes[index]
        }
        return Name(letters).problem
    }

    package var text: String {
        var text = ""
        for index in 0..<64 where bytes[index] != 0 { text.unicodeScalars.append(Unicode.Scalar(bytes[index])) }
        return text
    }

    package static func == (a: Self, b: Self) -> Bool {
        for index in 0..<64 where a.bytes[index] != b.bytes[index] { return false }
        return true
    }

    package func hash(into hasher: inout Hasher) {
        for index in 0..<64 { hasher.combine(bytes[index]) }
    }

    package static func load(from packet: RawSpan, at offset: Int) -> AdminPattern {
        AdminPattern(unchecked: InlineArray { UInt8.load(from: packet, at: offset + $0) })
    }

    package func store(into packet: inout MutableRawSpan, at offset: Int) {
        for index in 0..<64 { bytes[index].store(into: &packet, at: offset + index) }
    }
}

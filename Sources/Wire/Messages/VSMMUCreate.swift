package import SMMUv3

/// Makes a vSMMU on the physical SMMU of a device, or of the devices of a template.
package struct VSMMUCreateRequest: TypedRequest {
    package var device: Name
    /// What the guest is to be shown, at most. All 0: as much as possible.
    package var wanted: IDRegisters

    package static let type = RequestType.vsmmuCreate
    package static let byteCount = 112

    package enum Layout {
        package static let device = WireField<Name>("device", 16)
        package static let wanted = WireField<IDRegisters>("wanted", 80)
    }

    package init(device: Name, wanted: IDRegisters) { (self.device, self.wanted) = (device, wanted) }

    package init(fields packet: RawSpan) throws(WireFault) {
        device = try packet.name(Layout.device)
        wanted = packet[Layout.wanted]
    }

    package func store(into packet: inout MutableRawSpan) {
        packet.set(Layout.device, to: device)
        packet.set(Layout.wanted, to: wanted)
    }
}

/// What the physical SMMU has, what the guest is to be shown, and why that is less than was wanted.
package struct VSMMUCreateReply: Hashable, Sendable {
    package var vsmmu: VSMMUID
    package var errata: Errata
    package var host: IDRegisters
    /// Frozen from now on.
    package var advertised: IDRegisters

    /// The SMMU's faults that a guest has to know of.
    package struct Errata: OptionSet, Hashable, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        /// The guest has to issue each TLBI and CFGI twice, or be shown the erratum.
        package static let repeatTLBIAndCFGI = Errata(rawValue: 1 << 0)
    }

    /// Without the narrowings.
    package static let byteCount = 112
    /// As many as a packet has room for.
    package static let maximumNarrowings = (Limits.packet - byteCount) / Narrowing.byteCount

    package enum Layout {
        package static let vsmmu = WireField<VSMMUID>("vsmmu", 32)
        package static let errata = WireField<UInt32>("errata", 36)
        package static let host = WireField<IDRegisters>("host", 40)
        package static let advertised = WireField<IDRegisters>("advertised", 72)
        package static let narrowingCount = WireField<UInt32>("narrowing_count", 104)
        package static let reserved = WireField<UInt32>("reserved", 108)
    }

    package init(vsmmu: VSMMUID, errata: Errata, host: IDRegisters, advertised: IDRegisters) {
        (self.vsmmu, self.errata, self.host, self.advertised) = (vsmmu, errata, host, advertised)
    }

    /// Reads a reply; the narrowings stay in the packet, and each has been checked. Unknown errata are kept.
    static func decode(_ packet: RawSpan) throws(WireFault) -> (VSMMUCreateReply, Records<Narrowing>) {
        try packet.require(atLeast: byteCount)
        let narrowings = try packet.records(
            of: Narrowing.self, counted: Layout.narrowingCount, allowed: 0...maximumNarrowings, at: byteCount)
        try packet.requireZero(Layout.reserved)
        for index in 0..<narrowings.count {
            _ = try packet.name(Narrowing.Layout.field, at: byteCount + index * Narrowing.byteCount)
        }
        let reply = VSMMUCreateReply(
            vsmmu: packet[Layout.vsmmu], errata: Errata(rawValue: packet[Layout.errata]), host: packet[Layout.host],
            advertised: packet[Layout.advertised])
        return (reply, narrowings)
    }

    /// Writes the packet and returns its length; `packet` must have room for it.
    package func encode(
        to request: RequestHeader, narrowings: Span<Narrowing>, into packet: inout MutableRawSpan
    ) -> Int {
        packet.clear(Self.byteCount)
        packet.set(Layout.vsmmu, to: vsmmu)
        packet.set(Layout.errata, to: errata.rawValue)
        packet.set(Layout.host, to: host)
        packet.set(Layout.advertised, to: advertised)
        packet.set(Layout.narrowingCount, to: UInt32(narrowings.count))
        let size = packet.append(narrowings, at: Self.byteCount)
        ReplyHeader(to: request).store(into: &packet, size: size)
        return size
    }
}

/// A field of the ID registers in which the guest is shown less than was wanted.
package struct Narrowing: Hashable, WireValue {
    package var field: RegisterFieldName
    package var wanted: UInt32
    package var host: UInt32
    package var given: UInt32
    /// ``Cause``, or a number from a newer daemon.
    package var causeCode: UInt32

    package enum Cause: UInt32, Sendable, CaseIterable {
        /// The physical SMMU has less.
        case host = 1
        /// It cannot be offered to a guest whose stage 1 runs nested.
        case nesting = 2
        /// The host's configuration withholds it.
        case policy = 3
    }

    package var cause: Cause? { Cause(rawValue: causeCode) }

    package static let byteCount = 40

    package enum Layout {
        package static let field = WireField<RegisterFieldName>("field", 0)
        package static let wanted = WireField<UInt32>("wanted", 24)
        package static let host = WireField<UInt32>("host", 28)
        package static let given = WireField<UInt32>("given", 32)
        package static let cause = WireField<UInt32>("cause", 36)
    }

    package init(field: RegisterFieldName, wanted: UInt32, host: UInt32, given: UInt32, cause: Cause) {
        (self.field, self.wanted, self.host, self.given) = (field, wanted, host, given)
        causeCode = cause.rawValue
    }

    package static func load(from packet: RawSpan, at offset: Int) -> Narrowing { Narrowing(packet, at: offset) }

    private init(_ packet: RawSpan, at offset: Int) {
        field = packet[Layout.field, offset]
        wanted = packet[Layout.wanted, offset]
        host = packet[Layout.host, offset]
        given = packet[Layout.given, offset]
        causeCode = packet[Layout.cause, offset]
    }

    package func store(into packet: inout MutableRawSpan, at offset: Int) {
        packet.set(Layout.field, at: offset, to: field)
        packet.set(Layout.wanted, at: offset, to: wanted)
        packet.set(Layout.host, at: offset, to: host)
        packet.set(Layout.given, at: offset, to: given)
        packet.set(Layout.cause, at: offset, to: causeCode)
    }
}

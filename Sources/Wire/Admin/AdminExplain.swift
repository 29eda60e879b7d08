package import SMMUv3

/// What is known of one access of a device. The session that has it is asked, and the reply comes when it has answered.
package struct AdminExplainRequest: FixedRequest {
    package var session: UInt64
    package var vsmmu: VSMMUID
    package var vsid: StreamID
    package var iova: IOVA
    /// nil: the access has none.
    package var substream: SubstreamID?
    /// Those of TRANSLATE.
    package var flags: AccessRequest.Flags

    package static let byteCount = 48

    package enum Layout {
        package static let session = WireField<UInt64>("session", 16)
        package static let vsmmu = WireField<VSMMUID>("vsmmu", 24)
        package static let vsid = WireField<StreamID>("vsid", 28)
        package static let iova = WireField<IOVA>("iova", 32)
        package static let substream = WireField<SubstreamID>("ssid", 40)
        package static let flags = WireField<UInt32>("flags", 44)
    }

    package init(
        session: UInt64, vsmmu: VSMMUID, vsid: StreamID, iova: IOVA, substream: SubstreamID? = nil,
        flags: AccessRequest.Flags = []
    ) {
        (self.session, self.vsmmu, self.vsid, self.iova) = (session, vsmmu, vsid, iova)
        self.substream = substream
        self.flags = flags.subtracting(.substream).union(substream == nil ? [] : .substream)
    }

    package init(fields packet: RawSpan) throws(WireFault) {
        flags = try packet.flags(
            Layout.flags, known: AccessRequest.Flags.known,
            rule: "the known bits are WRITE, PRIVILEGED, INSTRUCTION and SUBSTREAM")
        let ssid = packet[Layout.substream]
        let limit: UInt32 = flags.contains(.substream) ? 1 << 20 : 1
        if ssid.rawValue >= limit {
            throw .badValue(
                "ssid", value: UInt64(ssid.rawValue), rule: "it has 20 bits, and is 0 without the flag SUBSTREAM")
        }
        substream = flags.contains(.substream) ? ssid : nil
        session = packet[Layout.session]
        vsmmu = packet[Layout.vsmmu]
        vsid = packet[Layout.vsid]
        iova = packet[Layout.iova]
    }

    package func store(into packet: inout MutableRawSpan) {
        packet.set(Layout.session, to: session)
        packet.set(Layout.vsmmu, to: vsmmu)
        packet.set(Layout.vsid, to: vsid)
        packet.set(Layout.iova, to: iova)
        packet.set(Layout.substream, to: substream ?? SubstreamID(0))
        packet.set(Layout.flags, to: flags.rawValue)
    }
}

/// A batch of invalidations: its first and its last command stand for all of it.
package struct AdminInvalidation: Hashable, WireValue {
    package var first: Command
    package var last: Command
    /// Nanoseconds before the session answered.
    package var age: UInt64
    /// Commands that reached the SMMU.
    package var count: UInt32

    package static let byteCount = 48

    package enum Layout {
        package static let first = WireField<Command>("first", 0)
        package static let last = WireField<Command>("last", 16)
        package static let age = WireField<UInt64>("age_ns", 32)
        package static let count = WireField<UInt32>("count", 40)
        package static let reserved = WireField<UInt32>("reserved", 44)
    }

    package init(first: Command, last: Command, age: UInt64, count: UInt32) {
        (self.first, self.last, self.age, self.count) = (first, last, age, count)
    }

    package static func load(from packet: RawSpan, at base: Int) -> AdminInvalidation {
        AdminInvalidation(
            first: packet[Layout.first, base], last: packet[Layout.last, base], age: packet[Layout.age, base],
            count: packet[Layout.count, base])
    }

    package func store(into packet: inout MutableRawSpan, at base: Int) {
        packet.set(Layout.first, at: base, to: first)
        packet.set(Layout.last, at: base, to: last)
        packet.set(Layout.age, at: base, to: age)
        packet.set(Layout.count, at: base, to: count)
        packet.set(Layout.reserved, at: base, to: 0)
    }
}

/// A word of memory that a walk reads, at an address as the SMMU sees it.
package struct AdminWord: Hashable, WireValue {
    package var address: UInt64
    package var value: UInt64

    package static let byteCount = 16

    package enum Layout {
        package static let address = WireField<UInt64>("address", 0)
        package static let value = WireField<UInt64>("value", 8)
    }

    package init(address: UInt64, value: UInt64) { (self.address, self.value) = (address, value) }

    package static func load(from packet: RawSpan, at base: Int) -> AdminWord {
        AdminWord(address: packet[Layout.address, base], value: packet[Layout.value, base])
    }

    package func store(into packet: inout MutableRawSpan, at base: Int) {
        packet.set(Layout.address, at: base, to: address)
        packet.set(Layout.value, at: base, to: value)
    }
}

/// The context, what was invalidated last, and what the translation of the access reads in memory as it is now.
package struct AdminExplainReply: Hashable, Sendable {
    package var context: AdminContext
    /// As the guest gave it last; only with ``Flags/entry``.
    package var ste = StreamTableEntry()
    /// Those of the SMMU that walks, and where its stream table is; only with ``Flags/memory``.
    package var registers = IDRegisters()
    package var streamTableBase: UInt64 = 0
    package var streamTableBaseConfig: UInt32 = 0
    /// The device's in that stream table.
    package var stream = StreamID(0)
    package var flags: Flags = []
    /// When the session answered, in nanoseconds since 1970.
    package var time: UInt64 = 0

    package struct Flags: OptionSet, Hashable, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        /// The guest has given an STE.
        package static let entry = Flags(rawValue: 1 << 0)
        /// Guest memory is at hand.
        package static let memory = Flags(rawValue: 1 << 1)
    }

    /// Without what follows.
    package static let byteCount = 408

    package enum Layout {
        package static let context = WireField<AdminContext>("context", 32)
        package static let ste = WireField<StreamTableEntry>("ste", 272)
        package static let registers = WireField<IDRegisters>("registers", 336)
        package static let streamTableBase = WireField<UInt64>("strtab_base", 368)
        package static let streamTableBaseConfig = WireField<UInt32>("strtab_base_cfg", 376)
        package static let stream = WireField<StreamID>("stream", 380)
        package static let flags = WireField<UInt32>("flags", 384)
        package static let invalidationCount = WireField<UInt32>("invalidation_count", 388)
        package static let wordCount = WireField<UInt32>("word_count", 392)
        package static let reserved = WireField<UInt32>("reserved", 396)
        package static let time = WireField<UInt64>("time_ns", 400)
    }

    package init(context: AdminContext) { self.context = context }

    /// Reads a packet whose header is right; the records stay in it.
    static func decode(
        _ packet: RawSpan
    ) throws(WireFault) -> (Self, invalidations: Records<AdminInvalidation>, words: Records<AdminWord>) {
        try packet.require(atLeast: byteCount)
        let count = packet[Layout.invalidationCount]
        if Int(clamping: count) > AdminLimits.invalidations {
            throw .badCount(Layout.invalidationCount.name, value: count, allowed: 0...AdminLimits.invalidations)
        }
        let wordsBegin = byteCount + Int(count) * AdminInvalidation.byteCount
        try packet.require(atLeast: wordsBegin)
        let words = try packet.records(
            of: AdminWord.self, counted: Layout.wordCount, allowed: 0...AdminLimits.words, at: wordsBegin)
        var reply = Self(context: packet[Layout.context])
        reply.ste = packet[Layout.ste]
        reply.registers = packet[Layout.registers]
        reply.streamTableBase = packet[Layout.streamTableBase]
        reply.streamTableBaseConfig = packet[Layout.streamTableBaseConfig]
        reply.stream = packet[Layout.stream]
        reply.flags = Flags(rawValue: packet[Layout.flags])
        reply.time = packet[Layout.time]
        return (reply, Records(count: Int(count), at: byteCount), words)
    }

    /// Writes the packet and returns its length; `packet` must have room for it.
    package func encode(
        to request: RequestHeader, invalidations: Span<AdminInvalidation>, words: Span<AdminWord>,
        into packet: inout MutableRawSpan
    ) -> Int {
        packet.set(Layout.context, to: context)
        packet.set(Layout.ste, to: ste)
        packet.set(Layout.registers, to: registers)
        packet.set(Layout.streamTableBase, to: streamTableBase)
        packet.set(Layout.streamTableBaseConfig, to: streamTableBaseConfig)
        packet.set(Layout.stream, to: stream)
        packet.set(Layout.flags, to: flags.rawValue)
        packet.set(Layout.invalidationCount, to: UInt32(invalidations.count))
        packet.set(Layout.wordCount, to: UInt32(words.count))
        packet.set(Layout.reserved, to: 0)
        packet.set(Layout.time, to: time)
        let size = packet.append(words, at: packet.append(invalidations, at: Self.byteCount))
        ReplyHeader(to: request).store(into: &packet, size: size)
        return size
    }
}

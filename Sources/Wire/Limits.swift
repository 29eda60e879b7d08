/// The numbers that both sides agree on without talking.
package enum Limits {
    package static let version: UInt32 = 1
    /// Commands in one COMMANDS.
    package static let commands = 4096
    /// Contexts in one VSMMU_STATE, and so in its reply.
    package static let entries = 512
    /// Bytes of data in one DMA.
    package static let data = 4096
    /// Records in one EVENT.
    package static let events = 128
    /// Bytes of the largest packet in either direction.
    package static let packet = 65792
}

/// What may be there or not; both sides speak of it in HELLO.
package struct Features: OptionSet, Hashable, WireValue {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    /// As every option set has it. Here, because the general one is not specialised for other targets.
    package func contains(_ other: Features) -> Bool { rawValue & other.rawValue == other.rawValue }

    /// TRANSLATE and DMA work: the backend is the model.
    package static let model = Features(rawValue: 1 << 0)
    /// Events into a queue in shared memory.
    package static let sharedEvents = Features(rawValue: 1 << 1)
    /// Stalled transactions can be answered.
    package static let pageResponse = Features(rawValue: 1 << 2)

    package static var byteCount: Int { 8 }
    package static func load(from packet: RawSpan, at offset: Int) -> Features {
        Features(rawValue: UInt64.load(from: packet, at: offset))
    }
    package func store(into packet: inout MutableRawSpan, at offset: Int) { rawValue.store(into: &packet, at: offset) }
}

/// A record of the PRI queue: 16 bytes, two little-endian words (IHI 0070, 8). The words are the value; fields are views.
///
/// The software SMMU makes none: it offers no PRI. Tools decode them.
public struct PageRequest: Hashable, Sendable {
    public var d0: UInt64
    public var d1: UInt64

    public init(d0: UInt64 = 0, d1: UInt64 = 0) { (self.d0, self.d1) = (d0, d1) }

    public var streamID: StreamID {
        get { StreamID(UInt32(truncatingIfNeeded: d0)) }
        set { d0.setBits(31, 0, UInt64(newValue.rawValue)) }
    }
    /// SSV and SubstreamID: nil when the device gave no PASID.
    public var substreamID: SubstreamID? {
        get { d0.bit(63) ? SubstreamID(UInt32(d0.bits(51, 32))) : nil }
        set {
            d0.setBit(63, newValue != nil)
            d0.setBits(51, 32, UInt64(newValue?.rawValue ?? 0))
        }
    }
    public var privileged: Bool {
        get { d0.bit(58) }
        set { d0.setBit(58, newValue) }
    }
    public var execute: Bool {
        get { d0.bit(59) }
        set { d0.setBit(59, newValue) }
    }
    public var read: Bool {
        get { d0.bit(60) }
        set { d0.setBit(60, newValue) }
    }
    public var write: Bool {
        get { d0.bit(61) }
        set { d0.setBit(61, newValue) }
    }
    /// Last: the group is complete and wants its one response.
    public var last: Bool {
        get { d0.bit(62) }
        set { d0.setBit(62, newValue) }
    }
    /// PRGIndex: which group of requests this one belongs to; PRI_RESP answers it.
    public var groupIndex: Int {
        get { Int(d1.bits(8, 0)) }
        set { d1.setBits(8, 0, UInt64(truncatingIfNeeded: newValue)) }
    }
    /// The page, bits 63:12.
    public var address: UInt64 {
        get { d1 & ~0xfff }
        set { d1 = (d1 & 0xfff) | (newValue & ~0xfff) }
    }

    public static let fields: [Field] = [
        Field("StreamID", 0, 31, 0, .hex), Field("SubstreamID", 0, 51, 32, .hex), Field("Priv", 0, 58, 58, .flag),
        Field("X", 0, 59, 59, .flag), Field("R", 0, 60, 60, .flag), Field("W", 0, 61, 61, .flag),
        Field("Last", 0, 62, 62, .flag), Field("SSV", 0, 63, 63, .flag),
        Field("PRGIndex", 1, 8, 0), Field("Address", 1, 63, 12, .address),
    ]

    public func describe() -> [DescribedField] {
        let fields = Self.fields.filter { $0.name != "SubstreamID" || d0.bit(63) }
        return Field.describe(fields, words: [d0, d1])
    }
}

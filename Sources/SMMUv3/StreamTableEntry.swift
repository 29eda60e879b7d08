/// A stream table entry: 64 bytes, eight little-endian words (IHI 0070, 5.2).
///
/// The words are the value; fields are views of them, so that what is not understood is kept.
public struct StreamTableEntry: Hashable, Sendable {
    public var words: SIMD8<UInt64>

    public init(words: SIMD8<UInt64> = .zero) { self.words = words }

    /// Word 0 and 1 only: all that a nested vSMMU passes on (linux/iommufd.h, iommu_hwpt_arm_smmuv3).
    public init(_ word0: UInt64, _ word1: UInt64) {
        words = .zero
        words[0] = word0
        words[1] = word1
    }

    public enum Config: UInt8, Sendable, CaseIterable {
        case abort = 0
        case reserved1, reserved2, reserved3
        case bypass, stage1, stage2, nested

        /// 0b0xx terminates without an event, the reserved ones as well.
        public var aborts: Bool { rawValue < 4 }
        public var stage1: Bool { self == .stage1 || self == .nested }
        public var stage2: Bool { self == .stage2 || self == .nested }
    }

    /// S1DSS: what happens to traffic without a SubstreamID when there is more than one CD.
    public enum DefaultSubstream: UInt8, Sendable { case terminate, bypass, substream0, reserved }

    /// EATS.
    public enum ATSMode: UInt8, Sendable { case disabled, full, splitStage, reserved }

    /// STRW, for streams with stage 1 only.
    public enum StreamWorld: UInt8, Sendable { case nsEL1, reserved1, el2, reserved3 }

    public var valid: Bool {
        get { words[0].bit(0) }
        set { words[0].setBit(0, newValue) }
    }
    public var config: Config {
        get { Config(rawValue: UInt8(words[0].bits(3, 1))) ?? .abort }
        set { words[0].setBits(3, 1, UInt64(newValue.rawValue)) }
    }
    public var s1Format: Int {
        get { Int(words[0].bits(5, 4)) }
        set { words[0].setBits(5, 4, UInt64(truncatingIfNeeded: newValue)) }
    }
    /// Address of the CD or CD table, 64-byte aligned; an IPA when stage 2 translates.
    public var s1ContextPointer: UInt64 {
        get { words[0] & Self.contextPointerMask }
        set { words[0] = (words[0] & ~Self.contextPointerMask) | (newValue & Self.contextPointerMask) }
    }
    public static let contextPointerMask: UInt64 = 0x000f_ffff_ffff_ffc0
    /// log2 of the number of CDs; 0: one, and no SubstreamID is accepted.
    public var s1CDMax: Int {
        get { Int(words[0].bits(63, 59)) }
        set { words[0].setBits(63, 59, UInt64(truncatingIfNeeded: newValue)) }
    }
    public var s1DefaultSubstream: DefaultSubstream {
        get { DefaultSubstream(rawValue: UInt8(words[1].bits(1, 0))) ?? .reserved }
        set { words[1].setBits(1, 0, UInt64(newValue.rawValue)) }
    }
    public var mergeEvents: Bool { words[1].bit(19) }
    public var s2ForceWriteBack: Bool {
        get { words[1].bit(25) }
        set { words[1].setBit(25, newValue) }
    }
    public var s1StallDisabled: Bool {
        get { words[1].bit(27) }
        set { words[1].setBit(27, newValue) }
    }
    public var atsMode: ATSMode {
        get { ATSMode(rawValue: UInt8(words[1].bits(29, 28))) ?? .reserved }
        set { words[1].setBits(29, 28, UInt64(newValue.rawValue)) }
    }
    public var streamWorld: StreamWorld {
        get { StreamWorld(rawValue: UInt8(words[1].bits(31, 30))) ?? .nsEL1 }
        set { words[1].setBits(31, 30, UInt64(newValue.rawValue)) }
    }
    /// PRIVCFG: 0 use incoming, 2 unprivileged, 3 privileged.
    public var privilegeOverride: Int {
        get { Int(words[1].bits(49, 48)) }
        set { words[1].setBits(49, 48, UInt64(truncatingIfNeeded: newValue)) }
    }
    /// INSTCFG: 0 use incoming, 2 data, 3 instruction.
    public var instructionOverride: Int {
        get { Int(words[1].bits(51, 50)) }
        set { words[1].setBits(51, 50, UInt64(truncatingIfNeeded: newValue)) }
    }

    public var s2VMID: UInt16 {
        get { UInt16(words[2].bits(15, 0)) }
        set { words[2].setBits(15, 0, UInt64(newValue)) }
    }
    public var s2T0SZ: Int {
        get { Int(words[2].bits(37, 32)) }
        set { words[2].setBits(37, 32, UInt64(truncatingIfNeeded: newValue)) }
    }
    public var s2SL0: Int {
        get { Int(words[2].bits(39, 38)) }
        set { words[2].setBits(39, 38, UInt64(truncatingIfNeeded: newValue)) }
    }
    public var s2TG: Int {
        get { Int(words[2].bits(47, 46)) }
        set { words[2].setBits(47, 46, UInt64(truncatingIfNeeded: newValue)) }
    }
    public var s2PS: Int {
        get { Int(words[2].bits(50, 48)) }
        set { words[2].setBits(50, 48, UInt64(truncatingIfNeeded: newValue)) }
    }
    public var s2AArch64: Bool {
        get { words[2].bit(51) }
        set { words[2].setBit(51, newValue) }
    }
    public var s2BigEndian: Bool {
        get { words[2].bit(52) }
        set { words[2].setBit(52, newValue) }
    }
    public var s2AccessFlagFaultDisabled: Bool {
        get { words[2].bit(53) }
        set { words[2].setBit(53, newValue) }
    }
    public var s2ProtectedTableWalk: Bool {
        get { words[2].bit(54) }
        set { words[2].setBit(54, newValue) }
    }
    public var s2Stall: Bool {
        get { words[2].bit(57) }
        set { words[2].setBit(57, newValue) }
    }
    public var s2Record: Bool {
        get { words[2].bit(58) }
        set { words[2].setBit(58, newValue) }
    }
    public var s2TableBase: UInt64 {
        get { words[3] & Self.s2TableMask }
        set { words[3] = (words[3] & ~Self.s2TableMask) | (newValue & Self.s2TableMask) }
    }
    public static let s2TableMask: UInt64 = 0x000f_ffff_ffff_fff0

    public static let fields: [Field] = [
        Field("V", 0, 0, 0),
        Field(
            "Config", 0, 3, 1, .number,
            [
                "abort", "reserved: abort", "reserved: abort", "reserved: abort", "bypass", "stage 1 only",
                "stage 2 only", "stage 1 and stage 2",
            ]),
        Field("S1Fmt", 0, 5, 4, .number, ["linear", "two-level, 4 KB leaves", "two-level, 64 KB leaves", "reserved"]),
        Field("S1ContextPtr", 0, 51, 6, .address), Field("S1CDMax", 0, 63, 59),
        Field("S1DSS", 1, 1, 0, .number, ["terminate", "bypass stage 1", "use CD 0", "reserved"]),
        Field("S1CIR", 1, 3, 2, .number, cacheability), Field("S1COR", 1, 5, 4, .number, cacheability),
        Field("S1CSH", 1, 7, 6, .number, shareability), Field("S2HWU", 1, 11, 8, .hex), Field("DRE", 1, 12, 12, .flag),
        Field("CONT", 1, 16, 13), Field("DCP", 1, 17, 17, .flag), Field("PPAR", 1, 18, 18, .flag),
        Field("MEV", 1, 19, 19, .flag), Field("S2FWB", 1, 25, 25, .flag), Field("S1MPAM", 1, 26, 26, .flag),
        Field("S1STALLD", 1, 27, 27, .flag),
        Field("EATS", 1, 29, 28, .number, ["ATS refused", "full ATS", "split-stage ATS", "reserved"]),
        Field("STRW", 1, 31, 30, .number, ["NS-EL1", "reserved", "EL2", "reserved"]), Field("MemAttr", 1, 35, 32, .hex),
        Field("MTCFG", 1, 36, 36, .flag), Field("ALLOCCFG", 1, 40, 37, .hex),
        Field("SHCFG", 1, 45, 44, .number, ["non-shareable", "use incoming", "outer", "inner"]),
        Field("NSCFG", 1, 47, 46),
        Field("PRIVCFG", 1, 49, 48, .number, ["use incoming", "reserved", "unprivileged", "privileged"]),
        Field("INSTCFG", 1, 51, 50, .number, ["use incoming", "reserved", "data", "instruction"]),
        Field("S2VMID", 2, 15, 0), Field("S2T0SZ", 2, 37, 32), Field("S2SL0", 2, 39, 38),
        Field("S2IR0", 2, 41, 40, .number, cacheability), Field("S2OR0", 2, 43, 42, .number, cacheability),
        Field("S2SH0", 2, 45, 44, .number, shareability),
        Field("S2TG", 2, 47, 46, .number, ["4K", "64K", "16K", "reserved"]),
        Field("S2PS", 2, 50, 48, .number, addressSizes), Field("S2AA64", 2, 51, 51, .flag),
        Field("S2ENDI", 2, 52, 52, .flag), Field("S2AFFD", 2, 53, 53, .flag), Field("S2PTW", 2, 54, 54, .flag),
        Field("S2HD", 2, 55, 55, .flag), Field("S2HA", 2, 56, 56, .flag), Field("S2S", 2, 57, 57, .flag),
        Field("S2R", 2, 58, 58, .flag), Field("S2TTB", 3, 51, 4, .address),
    ]

    static let cacheability = ["non-cacheable", "write-back, allocate", "write-through", "write-back, no allocate"]
    static let shareability = ["non-shareable", "reserved", "outer", "inner"]
    static let addressSizes = ["32 bits", "36 bits", "40 bits", "42 bits", "44 bits", "48 bits", "52 bits", "reserved"]

    /// The fields that matter for this entry: those of a stage that is off are left out.
    public func describe() -> [DescribedField] {
        let fields = Self.fields.filter { field in
            switch field.name {
            case "V", "Config": true
            case let name where name.hasPrefix("S1"): config.stage1
            case "S2VMID": config.stage1 || config.stage2
            case let name where name.hasPrefix("S2"): config.stage2
            case "STRW": config == .stage1
            default: field.style == .flag || field.value(in: words[field.word]) != 0
            }
        }
        return Field.describe(fields, words: (0..<8).map { words[$0] })
    }
}

/// A descriptor of the first level of a two-level stream table: 8 bytes (IHI 0070, 5.1).
public struct StreamTableL1Descriptor: Hashable, Sendable {
    public var word: UInt64

    public init(word: UInt64) { self.word = word }

    /// 0: no second level; n: 2^(n-1) STEs.
    public var span: Int {
        get { Int(word.bits(4, 0)) }
        set { word.setBits(4, 0, UInt64(truncatingIfNeeded: newValue)) }
    }

    /// Address of the STE array; bits below the array's size are taken as zero.
    public var l2Pointer: UInt64 {
        get { word & 0x000f_ffff_ffff_ffc0 & ~UInt64.ones(6 + max(span - 1, 0)) }
        set { word = (word & ~0x000f_ffff_ffff_ffc0) | (newValue & 0x000f_ffff_ffff_ffc0) }
    }

    public static let fields: [Field] = [Field("Span", 0, 4, 0), Field("L2Ptr", 0, 51, 6, .address)]

    public func describe() -> [DescribedField] { Field.describe(Self.fields, words: [word]) }
}

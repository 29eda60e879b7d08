/// A context descriptor: 64 bytes, eight little-endian words; the stage 1 of one address space (IHI 0070, 5.4).
public struct ContextDescriptor: Hashable, Sendable {
    public var words: SIMD8<UInt64>

    public init(words: SIMD8<UInt64> = .zero) { self.words = words }

    /// The fields of one of the two translation tables, TT0 or TT1.
    public struct Table: Sendable {
        /// 64 minus the input address bits.
        public let tsz: Int
        /// nil: the TG code is reserved.
        public let granule: Granule?
        /// EPD: no walk through this table.
        public let walkDisabled: Bool
        /// TBI: bits 63:56 of the address do not take part.
        public let topByteIgnored: Bool
        /// HAD: hierarchical attributes of table descriptors are ignored.
        public let hierarchicalAttributesDisabled: Bool
        /// E0PD: unprivileged access always faults.
        public let unprivilegedDisabled: Bool
        /// TTB, bits 51:4 as they stand.
        public let base: UInt64
    }

    public func table(_ index: Int) -> Table {
        let w = words[0]
        let attributes = index == 0 ? words[1] : words[2]
        return Table(
            tsz: Int(index == 0 ? w.bits(5, 0) : w.bits(21, 16)),
            granule: index == 0 ? Granule(tg0: Int(w.bits(7, 6))) : Granule(tg1: Int(w.bits(23, 22))),
            walkDisabled: w.bit(index == 0 ? 14 : 30), topByteIgnored: w.bit(index == 0 ? 38 : 39),
            hierarchicalAttributesDisabled: attributes.bit(1), unprivilegedDisabled: attributes.bit(2),
            base: attributes & Self.tableMask)
    }

    public static let tableMask: UInt64 = 0x000f_ffff_ffff_fff0

    public var valid: Bool { words[0].bit(31) }
    public var bigEndian: Bool { words[0].bit(15) }
    /// IPS: the size of what stage 1 puts out, as an ``AddressSize`` code.
    public var ipsCode: Int { Int(words[0].bits(34, 32)) }
    public var accessFlagFaultDisabled: Bool { words[0].bit(35) }
    public var writableExecuteNever: Bool { words[0].bit(36) }
    public var unprivilegedWritableExecuteNever: Bool { words[0].bit(37) }
    public var privilegedAccessNever: Bool { words[0].bit(40) }
    public var aarch64: Bool { words[0].bit(41) }
    public var hardwareDirty: Bool { words[0].bit(42) }
    public var hardwareAccessFlag: Bool { words[0].bit(43) }
    /// S: faults stall.
    public var stall: Bool { words[0].bit(44) }
    /// R: faults are recorded.
    public var record: Bool { words[0].bit(45) }
    /// A: a terminated transaction aborts; else it reads zero and ignores writes.
    public var abort: Bool { words[0].bit(46) }
    public var asid: UInt16 { UInt16(words[0].bits(63, 48)) }

    /// What stage 1 puts out at most, in bits: IPS clamped to the SMMU's output size, and to 48 with the granules
    /// that know no 52-bit descriptors.
    public func outputBits(on ids: IDRegisters, granule: Granule) -> Int {
        let bits = AddressSize.effectiveBits(code: ipsCode, outputAddressSize: ids.outputAddressSize)
        return granule == .k64 ? bits : min(bits, 48)
    }

    public static let fields: [Field] = [
        Field("V", 0, 31, 31), Field("T0SZ", 0, 5, 0),
        Field("TG0", 0, 7, 6, .number, ["4K", "64K", "16K", "reserved"]),
        Field("IR0", 0, 9, 8), Field("OR0", 0, 11, 10), Field("SH0", 0, 13, 12), Field("EPD0", 0, 14, 14, .flag),
        Field("ENDI", 0, 15, 15, .flag), Field("T1SZ", 0, 21, 16),
        Field("TG1", 0, 23, 22, .number, ["reserved", "16K", "4K", "64K"]), Field("IR1", 0, 25, 24),
        Field("OR1", 0, 27, 26), Field("SH1", 0, 29, 28), Field("EPD1", 0, 30, 30, .flag),
        Field("IPS", 0, 34, 32, .number, StreamTableEntry.addressSizes), Field("AFFD", 0, 35, 35, .flag),
        Field("WXN", 0, 36, 36, .flag), Field("UWXN", 0, 37, 37, .flag), Field("TBI0", 0, 38, 38, .flag),
        Field("TBI1", 0, 39, 39, .flag), Field("PAN", 0, 40, 40, .flag), Field("AA64", 0, 41, 41, .flag),
        Field("HD", 0, 42, 42, .flag), Field("HA", 0, 43, 43, .flag), Field("S", 0, 44, 44, .flag),
        Field("R", 0, 45, 45, .flag), Field("A", 0, 46, 46, .flag), Field("ASET", 0, 47, 47, .flag),
        Field("ASID", 0, 63, 48),
        Field("NSCFG0", 1, 0, 0, .flag), Field("HAD0", 1, 1, 1, .flag), Field("E0PD0", 1, 2, 2, .flag),
        Field("HAFT", 1, 3, 3, .flag), Field("TTB0", 1, 51, 4, .address),
        Field("NSCFG1", 2, 0, 0, .flag), Field("HAD1", 2, 1, 1, .flag), Field("E0PD1", 2, 2, 2, .flag),
        Field("TTB1", 2, 51, 4, .address), Field("MAIR", 3, 63, 0, .hex), Field("AMAIR", 4, 63, 0, .hex),
    ]

    /// The fields that matter: those of a table that EPD switches off are left out.
    public func describe() -> [DescribedField] {
        let ofTable0: Set = ["T0SZ", "TG0", "IR0", "OR0", "SH0", "TBI0", "HAD0", "NSCFG0", "E0PD0", "TTB0"]
        let ofTable1: Set = ["T1SZ", "TG1", "IR1", "OR1", "SH1", "TBI1", "HAD1", "NSCFG1", "E0PD1", "TTB1"]
        let fields = Self.fields.filter { field in
            if ofTable0.contains(field.name) { return !words[0].bit(14) }
            if ofTable1.contains(field.name) { return !words[0].bit(30) }
            return field.name != "AMAIR" || words[4] != 0
        }
        return Field.describe(fields, words: (0..<8).map { words[$0] })
    }
}

/// A descriptor of the first level of a two-level CD table: 8 bytes (IHI 0070, 5.3).
public struct CDTableL1Descriptor: Hashable, Sendable {
    public var word: UInt64

    public init(word: UInt64) { self.word = word }

    public var valid: Bool {
        get { word.bit(0) }
        set { word.setBit(0, newValue) }
    }
    /// Address of the CD array, 4 KB aligned; an IPA when stage 2 translates.
    public var l2Pointer: UInt64 {
        get { word & 0x000f_ffff_ffff_f000 }
        set { word = (word & ~0x000f_ffff_ffff_f000) | (newValue & 0x000f_ffff_ffff_f000) }
    }

    public static let fields: [Field] = [Field("V", 0, 0, 0), Field("L2Ptr", 0, 51, 12, .address)]

    public func describe() -> [DescribedField] { Field.describe(Self.fields, words: [word]) }
}

/// What an SMMU says it can do: SMMU_IDR0…IDR5, IIDR, AIDR (IHI 0070, 6.3.1–6.3.8).
///
/// The same registers describe a physical SMMU and the vSMMU that a guest is shown; validation takes whichever applies.
public struct IDRegisters: Hashable, Sendable {
    public var idr0: UInt32
    public var idr1: UInt32
    public var idr2: UInt32
    public var idr3: UInt32
    public var idr4: UInt32
    public var idr5: UInt32
    public var iidr: UInt32
    public var aidr: UInt32

    public init(
        idr0: UInt32 = 0, idr1: UInt32 = 0, idr2: UInt32 = 0, idr3: UInt32 = 0, idr4: UInt32 = 0, idr5: UInt32 = 0,
        iidr: UInt32 = 0, aidr: UInt32 = 0
    ) {
        (self.idr0, self.idr1, self.idr2, self.idr3) = (idr0, idr1, idr2, idr3)
        (self.idr4, self.idr5, self.iidr, self.aidr) = (idr4, idr5, iidr, aidr)
    }

    // MARK: IDR0

    public var stage2Supported: Bool { idr0.bit(0) }
    public var stage1Supported: Bool { idr0.bit(1) }
    /// TTF: AArch64 tables are walked when bit 1 of the field is set.
    public var aarch64TablesSupported: Bool { idr0.bit(3) }
    public var aarch32TablesSupported: Bool { idr0.bit(2) }
    public var coherentAccess: Bool { idr0.bit(4) }
    public var broadcastTLBMaintenance: Bool { idr0.bit(5) }
    /// HTTU: 0 no hardware update of descriptors, 1 Access flag, 2 also dirty state.
    public var hardwareTableUpdate: Int { idr0.bits(7, 6) }
    /// Whether a CD or an STE may ask for these updates: that of the dirty state needs HTTU 2.
    public func allowsHardwareUpdate(accessFlag: Bool, dirty: Bool) -> Bool {
        hardwareTableUpdate >= (dirty ? 2 : (accessFlag ? 1 : 0))
    }
    public var hypSupported: Bool { idr0.bit(9) }
    public var atsSupported: Bool { idr0.bit(10) }
    public var asid16Bit: Bool { idr0.bit(12) }
    public var msiSupported: Bool { idr0.bit(13) }
    public var sevSupported: Bool { idr0.bit(14) }
    public var priSupported: Bool { idr0.bit(16) }
    public var vmid16Bit: Bool { idr0.bit(18) }
    public var twoLevelCDSupported: Bool { idr0.bit(19) }
    public var tableEndianness: TableEndianness {
        switch idr0.bits(22, 21) {
        case 0: .mixed
        case 3: .bigOnly
        default: .littleOnly
        }
    }
    public var stallModel: StallModel { StallModel(rawValue: UInt8(idr0.bits(25, 24))) ?? .terminateOnly }
    /// TERM_MODEL: terminated transactions always abort; CD.A = 0 is ILLEGAL.
    public var terminationAlwaysAborts: Bool { idr0.bit(26) }
    public var twoLevelStreamTableSupported: Bool { idr0.bits(28, 27) == 1 }

    public enum TableEndianness: UInt8, Sendable { case mixed, littleOnly, bigOnly }

    public enum StallModel: UInt8, Sendable { case stallAndTerminate, terminateOnly, stallForced }

    // MARK: IDR1, IDR3

    /// Bits of a StreamID.
    public var streamIDSize: Int { min(idr1.bits(5, 0), 32) }
    /// Bits of a SubstreamID; 0: none are accepted. The architecture ends at 20.
    public var substreamIDSize: Int { min(idr1.bits(10, 6), 20) }
    // The largest queues, as log2 of their entries. The architecture ends at 19.
    public var priQueueLog2Size: Int { min(idr1.bits(15, 11), 19) }
    public var eventQueueLog2Size: Int { min(idr1.bits(20, 16), 19) }
    public var commandQueueLog2Size: Int { min(idr1.bits(25, 21), 19) }
    /// ATTR_PERMS_OVR: STE.PRIVCFG and STE.INSTCFG have an effect.
    public var permissionOverrideSupported: Bool { idr1.bit(26) }

    public var hierarchicalAttributeDisable: Bool { idr3.bit(2) }
    public var executeNeverXNX: Bool { idr3.bit(4) }
    public var forceWriteBack: Bool { idr3.bit(8) }
    public var smallTranslationTables: Bool { idr3.bit(9) }
    public var rangeInvalidation: Bool { idr3.bit(10) }
    public var e0pd: Bool { idr3.bit(13) }

    // MARK: IDR5

    /// Bits of a physical address.
    public var outputAddressSize: Int { AddressSize.bits(code: idr5.bits(2, 0)) ?? 52 }
    /// VAX: 1 is 52-bit virtual addresses, 2 yet larger ones; both allow 52 bits with 64 KB granules.
    public var largeVirtualAddress: Bool { idr5.bits(11, 10) == 1 || idr5.bits(11, 10) == 2 }
    /// DS: 52-bit addresses with 4 KB and 16 KB granules.
    public var smallGranule52Bit: Bool { idr5.bit(7) }
    /// How many transactions may be stalled at once.
    public var maximumStalled: Int { idr5.bits(31, 16) }

    /// AIDR as the architecture's version, "3.2"; nil for a major version that is not known.
    public var architectureVersion: String? { aidr.bits(7, 4) == 0 ? "3.\(aidr.bits(3, 0))" : nil }

    public func supports(_ granule: Granule) -> Bool {
        switch granule {
        case .k4: idr5.bit(4)
        case .k16: idr5.bit(5)
        case .k64: idr5.bit(6)
        }
    }
}

/// The three-bit codes of IDR5.OAS, CD.IPS and STE.S2PS (IHI 0070, 6.3.6).
public enum AddressSize {
    /// Bits of the address, nil for the reserved code 7.
    @inlinable public static func bits(code: Int) -> Int? {
        switch code {
        case 0: 32
        case 1: 36
        case 2: 40
        case 3: 42
        case 4: 44
        case 5: 48
        case 6: 52
        default: nil
        }
    }

    /// The size in effect: never above the SMMU's output size; the reserved code counts as the largest.
    @inlinable public static func effectiveBits(code: Int, outputAddressSize: Int) -> Int {
        min(bits(code: code) ?? 52, outputAddressSize)
    }
}

extension IDRegisters {
    public static let fields: [Field] = [
        Field("IDR0.S2P", 0, 0, 0, .flag), Field("IDR0.S1P", 0, 1, 1, .flag),
        Field("IDR0.TTF", 0, 3, 2, .number, ["reserved", "AArch32", "AArch64", "AArch32 and AArch64"]),
        Field("IDR0.COHACC", 0, 4, 4, .flag), Field("IDR0.BTM", 0, 5, 5, .flag), Field("IDR0.HTTU", 0, 7, 6),
        Field("IDR0.DORMHINT", 0, 8, 8, .flag), Field("IDR0.HYP", 0, 9, 9, .flag), Field("IDR0.ATS", 0, 10, 10, .flag),
        Field("IDR0.NS1ATS", 0, 11, 11, .flag), Field("IDR0.ASID16", 0, 12, 12, .flag),
        Field("IDR0.MSI", 0, 13, 13, .flag), Field("IDR0.SEV", 0, 14, 14, .flag), Field("IDR0.ATOS", 0, 15, 15, .flag),
        Field("IDR0.PRI", 0, 16, 16, .flag), Field("IDR0.VMW", 0, 17, 17, .flag),
        Field("IDR0.VMID16", 0, 18, 18, .flag), Field("IDR0.CD2L", 0, 19, 19, .flag),
        Field("IDR0.VATOS", 0, 20, 20, .flag),
        Field("IDR0.TTENDIAN", 0, 22, 21, .number, ["mixed", "reserved", "little", "big"]),
        Field("IDR0.ATSRECERR", 0, 23, 23, .flag),
        Field(
            "IDR0.STALL_MODEL", 0, 25, 24, .number,
            ["stall and terminate", "terminate only", "stall forced", "reserved"]),
        Field("IDR0.TERM_MODEL", 0, 26, 26, .number, ["abort or RAZ/WI", "always abort"]),
        Field("IDR0.ST_LEVEL", 0, 28, 27, .number, ["linear", "two-level"]),
        Field("IDR0.RME_IMPL", 0, 30, 30, .flag),
        Field("IDR1.SIDSIZE", 1, 5, 0), Field("IDR1.SSIDSIZE", 1, 10, 6), Field("IDR1.PRIQS", 1, 15, 11),
        Field("IDR1.EVENTQS", 1, 20, 16), Field("IDR1.CMDQS", 1, 25, 21),
        Field("IDR1.ATTR_PERMS_OVR", 1, 26, 26, .flag), Field("IDR1.ATTR_TYPES_OVR", 1, 27, 27, .flag),
        Field("IDR1.REL", 1, 28, 28, .flag), Field("IDR1.QUEUES_PRESET", 1, 29, 29, .flag),
        Field("IDR1.TABLES_PRESET", 1, 30, 30, .flag), Field("IDR1.ECMDQ", 1, 31, 31, .flag),
        Field("IDR2.BA_VATOS", 2, 9, 0),
        Field("IDR3.HAD", 3, 2, 2, .flag), Field("IDR3.PBHA", 3, 3, 3, .flag), Field("IDR3.XNX", 3, 4, 4, .flag),
        Field("IDR3.PPS", 3, 5, 5, .flag), Field("IDR3.MPAM", 3, 7, 7, .flag), Field("IDR3.FWB", 3, 8, 8, .flag),
        Field("IDR3.STT", 3, 9, 9, .flag), Field("IDR3.RIL", 3, 10, 10, .flag), Field("IDR3.BBML", 3, 12, 11),
        Field("IDR3.E0PD", 3, 13, 13, .flag), Field("IDR3.PTWNNC", 3, 14, 14, .flag),
        Field("IDR3.DPT", 3, 15, 15, .flag), Field("IDR3.PASIDTT", 3, 16, 16, .flag),
        Field("IDR3.EPAN", 3, 17, 17, .flag), Field("IDR3.S1PI", 3, 18, 18, .flag),
        Field("IDR3.S2PI", 3, 19, 19, .flag), Field("IDR3.S2PO", 3, 20, 20, .flag), Field("IDR3.THE", 3, 21, 21, .flag),
        Field("IDR3.MTEPERM", 3, 22, 22, .flag), Field("IDR3.AIE", 3, 23, 23, .flag),
        Field("IDR4", 4, 31, 0, .hex),
        Field(
            "IDR5.OAS", 5, 2, 0, .number,
            ["32 bits", "36 bits", "40 bits", "42 bits", "44 bits", "48 bits", "52 bits", "56 bits"]),
        Field("IDR5.GRAN4K", 5, 4, 4, .flag), Field("IDR5.GRAN16K", 5, 5, 5, .flag),
        Field("IDR5.GRAN64K", 5, 6, 6, .flag), Field("IDR5.DS", 5, 7, 7, .flag),
        Field("IDR5.D128", 5, 8, 8, .flag), Field("IDR5.VAX", 5, 11, 10, .number, ["48 bits", "52 bits", "56 bits"]),
        Field("IDR5.STALL_MAX", 5, 31, 16),
        Field("IIDR.Implementer", 6, 11, 0, .hex), Field("IIDR.Revision", 6, 15, 12),
        Field("IIDR.Variant", 6, 19, 16), Field("IIDR.ProductID", 6, 31, 20, .hex),
        Field("AIDR.ArchMinorRev", 7, 3, 0), Field("AIDR.ArchMajorRev", 7, 7, 4),
    ]

    /// From the eight ``words``.
    public init(words: [UInt64]) {
        let registers = words.map(UInt32.init(truncatingIfNeeded:))
        self.init(
            idr0: registers[0], idr1: registers[1], idr2: registers[2], idr3: registers[3], idr4: registers[4],
            idr5: registers[5], iidr: registers[6], aidr: registers[7])
    }

    /// IDR0…IDR5, IIDR, AIDR, the order in which ``fields`` counts them.
    public var words: [UInt64] { [idr0, idr1, idr2, idr3, idr4, idr5, iidr, aidr].map(UInt64.init) }

    public func describe() -> [DescribedField] { Field.describe(Self.fields, words: words) }
}

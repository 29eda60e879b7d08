/// What a vSMMU whose stage 1 runs nested on a physical SMMU may pass on: the tables of the Linux uAPI
/// (linux/iommufd.h, iommu_hwpt_arm_smmuv3 and iommu_viommu_arm_smmuv3_invalidate; arm-smmu-v3-iommufd.c).
///
/// They bind whatever the kernel checks by itself: before Linux 7.3 it forwarded command fields unchecked into the queue
/// that all virtual machines share.
public enum NestedVSMMU {
    /// V, Config, S1Fmt, S1ContextPtr, S1CDMax.
    public static let steWord0Mask: UInt64 = 0xf80f_ffff_ffff_ffff
    /// S1DSS, S1CIR, S1COR, S1CSH, S1STALLD, EATS.
    public static let steWord1Mask: UInt64 = 0x0000_0000_3800_00ff
}

// MARK: - STE

extension NestedVSMMU {
    /// What a nested vSMMU makes of a guest's STE.
    public enum STEVerdict: Hashable, Sendable {
        /// V = 0, an aborting Config, or ILLEGAL: the stream is on ABORT. Reasons are empty for a legal abort.
        case abort([STERefusal])
        /// Stage 1 bypassed: stage 2 of the host only.
        case bypass
        /// Words 0 and 1 to install; nothing in them is outside the masks.
        case translate(word0: UInt64, word1: UInt64)
    }

    public enum STERefusal: Hashable, Sendable {
        /// ILLEGAL by the architecture, for what the vSMMU advertises.
        case illegal(STEIllegality)
        /// Config asks for stage 2, which belongs to the host.
        case stage2IsTheHosts
        /// EATS 2 or 3: only "refused" and "full" can be passed on.
        case atsMode

        public var text: String {
            switch self {
            case .illegal(let reason): reason.rawValue
            case .stage2IsTheHosts: "Config enables stage 2, which belongs to the host"
            case .atsMode: "EATS is neither 0 nor 1"
            }
        }

        public var rule: String {
            switch self {
            case .illegal(let reason): reason.rule
            case .stage2IsTheHosts: "linux/iommufd.h, iommu_hwpt_arm_smmuv3: Config is abort, bypass or stage 1"
            case .atsMode: "linux/iommufd.h, iommu_hwpt_arm_smmuv3: EATS is 0 or 1"
            }
        }
    }

    /// The verdict on `ste` for a vSMMU that advertises `ids`. EATS is dropped when it does not advertise ATS: else a
    /// device would cache translations that no ATC_INV ever drops. So is S1CDMax when it advertises no SubstreamIDs: the
    /// guest's SMMU does not look at it, the physical one would take a single CD for a table.
    public static func verdict(on ste: StreamTableEntry, advertised ids: IDRegisters) -> STEVerdict {
        guard ste.valid else { return .abort([.illegal(.notValid)]) }
        switch ste.config {
        case .abort, .reserved1, .reserved2, .reserved3: return .abort([])
        case .stage2, .nested: return .abort([.stage2IsTheHosts])
        case .bypass: return .bypass
        case .stage1: break
        }
        var word1 = ste.words[1] & steWord1Mask
        if !ids.atsSupported { word1.setBits(29, 28, 0) }
        var canonical = StreamTableEntry(ste.words[0] & steWord0Mask, word1)
        canonical.s1CDMax = canonical.effectiveS1CDMax(on: ids)
        var refusals = canonical.illegalities(on: ids).filter { !$0.isOfATS }.map(STERefusal.illegal)
        if word1.bits(29, 28) > 1 { refusals.append(.atsMode) }
        return refusals.isEmpty
            ? .translate(word0: canonical.words[0], word1: canonical.words[1]) : .abort(refusals)
    }

    /// Bits of words 0 and 1 that are stripped before the STE is passed on.
    public static func strippedBits(of ste: StreamTableEntry) -> (word0: UInt64, word1: UInt64) {
        (ste.words[0] & ~steWord0Mask, ste.words[1] & ~steWord1Mask)
    }
}

extension STEIllegality {
    fileprivate var isOfATS: Bool { self == .atsSplitStageUnsupported || self == .atsWithStage2Stall }
}

// MARK: - Commands

/// Why a command must not reach the physical command queue.
public enum NestedCommandRefusal: String, Hashable, Sendable, CaseIterable {
    case opcode = "only TLBI_NSNH_ALL, TLBI_NH_*, ATC_INV, CFGI_CD and CFGI_CD_ALL are forwarded"
    case reservedBits = "bits are set that the command's fields do not cover"
    case asidTooLarge = "ASID bits 15:8 are set, but IDR0.ASID16 is 0"
    case rangeUnsupported = "NUM, SCALE, TTL or TG is set, but IDR3.RIL is 0"
    case rangeWithoutGranule = "NUM, SCALE or TTL is set with TG 0"
    case rangeReserved = "TG is set with NUM, SCALE and TTL all 0: reserved"
    case levelReserved = "16K granule with TTL 1 needs IDR5.DS"
    case atsUnsupported = "ATC_INV needs IDR0.ATS"
    case atcSize = "Size of ATC_INV is above 52"
    case substreamUnsupported = "SSV, SubstreamID or Global is set, but IDR1.SSIDSIZE is 0"
}

extension NestedVSMMU {
    /// The bits a forwarded command may have, by word; nil for a command that is not forwarded.
    ///
    /// The masks of Linux 7.3 for an SMMU with these ID registers.
    @inlinable
    @inline(__always)
    public static func commandMask(_ opcode: Command.Opcode, advertised ids: IDRegisters) -> (d0: UInt64, d1: UInt64)? {
        let range: UInt64 = ids.rangeInvalidation ? (ids.smallGranule52Bit ? 0x03f1_f000 : 0x01f1_f000) : 0
        let addressed: UInt64 = ids.rangeInvalidation ? 0xffff_ffff_ffff_ff01 : 0xffff_ffff_ffff_f001
        let substreams = ids.substreamIDSize > 0
        switch opcode {
        case .tlbiNSNHAll: return (0x0000_0000_0000_00ff, 0)
        case .tlbiNHAll: return (0x0000_ffff_0000_00ff, 0)
        case .tlbiNHASID: return (0xffff_ffff_0000_00ff, 0)
        case .tlbiNHVA: return (0xffff_ffff_0000_00ff | range, addressed)
        case .tlbiNHVAA: return (0x0000_ffff_0000_00ff | range, addressed)
        case .atcInv: return (substreams ? 0xffff_ffff_ffff_faff : 0xffff_ffff_0000_00ff, 0xffff_ffff_ffff_f03f)
        case .cfgiCD: return (substreams ? 0xffff_ffff_ffff_f0ff : 0xffff_ffff_0000_00ff, 1)
        case .cfgiCDAll: return (0xffff_ffff_0000_00ff, 0)
        default: return nil
        }
    }

    /// nil when `command` may be forwarded for a vSMMU that advertises `ids`. Stream ownership is not looked at.
    @inlinable
    public static func refusal(of command: Command, advertised ids: IDRegisters) -> NestedCommandRefusal? {
        refusal(of: command, command.opcode, advertised: ids)
    }

    /// The same for who knows the command's opcode already.
    @inlinable
    public static func refusal(
        of command: Command, _ opcode: Command.Opcode?, advertised ids: IDRegisters
    ) -> NestedCommandRefusal? {
        guard let opcode, let mask = commandMask(opcode, advertised: ids) else { return .opcode }
        guard command.d0 & ~mask.d0 == 0, command.d1 & ~mask.d1 == 0 else {
            return reasonForStrayBits(command, opcode, ids)
        }
        switch opcode {
        case .tlbiNHASID: return asidRefusal(command, ids)
        case .tlbiNHVA: return asidRefusal(command, ids) ?? rangeRefusal(command, ids)
        case .tlbiNHVAA: return rangeRefusal(command, ids)
        case .atcInv:
            if !ids.atsSupported { return .atsUnsupported }
            return command.atcSize > 52 ? .atcSize : nil
        default: return nil
        }
    }

    @inlinable
    @inline(__always)
    static func asidRefusal(_ command: Command, _ ids: IDRegisters) -> NestedCommandRefusal? {
        !ids.asid16Bit && command.asid > 0xff ? .asidTooLarge : nil
    }

    @usableFromInline
    static func rangeRefusal(_ command: Command, _ ids: IDRegisters) -> NestedCommandRefusal? {
        let scale = command.d0.bits(25, 20)
        let noRange = command.num == 0 && scale == 0 && command.ttl == 0
        if command.tg == 0 { return noRange ? nil : .rangeWithoutGranule }
        if noRange { return .rangeReserved }
        return command.tg == 2 && command.ttl == 1 && !ids.smallGranule52Bit ? .levelReserved : nil
    }

    @usableFromInline
    static func reasonForStrayBits(
        _ command: Command, _ opcode: Command.Opcode, _ ids: IDRegisters
    ) -> NestedCommandRefusal {
        let addressed = opcode == .tlbiNHVA || opcode == .tlbiNHVAA
        if addressed, !ids.rangeInvalidation, command.d0 & 0x01f1_f000 != 0 || command.d1 & 0xf00 != 0 {
            return .rangeUnsupported
        }
        let named = opcode == .atcInv || opcode == .cfgiCD
        if named, ids.substreamIDSize == 0, command.d0 & 0xffff_fa00 != 0, !command.secure {
            return .substreamUnsupported
        }
        return .reservedBits
    }
}

/// Why a command is illegal: the queue stops at it with CERROR_ILL (IHI 0070, 4.1 and 7.1).
public enum CommandIllegality: String, Hashable, Sendable, CaseIterable {
    case unknownOpcode = "the opcode is not one of the architecture's"
    case secure = "SSec is set in a Non-secure command queue"
    case hypUnsupported = "an EL2 command needs IDR0.HYP"
    case el3Command = "an EL3 command belongs to the Secure command queue"
    case stage2Unsupported = "a stage 2 command needs IDR0.S2P"
    case stage1Unsupported = "a stage 1 command needs IDR0.S1P"
    case atsUnsupported = "ATC_INV needs IDR0.ATS"
    case priUnsupported = "PRI_RESP needs IDR0.PRI"
    case stallUnsupported = "RESUME and STALL_TERM need a stall model"
    case partitionUnsupported = "CFGI_VMS_PIDM needs IDR3.MPAM"
    case atcSize = "Size of ATC_INV is above 52"
    case rangeReserved = "TG is set with NUM, SCALE and TTL all 0"
    case syncSignalReserved = "CS 3 of SYNC is reserved"
    case responseReserved = "Resp of PRI_RESP is reserved"

    public var rule: String {
        switch self {
        case .unknownOpcode: "IHI 0070, 4.1.1 (opcodes)"
        case .secure: "IHI 0070, 4.1.6 (SSec)"
        case .hypUnsupported, .el3Command, .stage2Unsupported: "IHI 0070, 4.4 (TLB invalidation)"
        case .stage1Unsupported: "IHI 0070, 4.3.3, 4.3.4 (CFGI_CD) and 4.4.2 (TLBI_NH)"
        case .atsUnsupported, .atcSize: "IHI 0070, 4.5 (ATC_INV)"
        case .priUnsupported, .responseReserved: "IHI 0070, 4.5.2 (PRI_RESP)"
        case .stallUnsupported: "IHI 0070, 4.7 (RESUME, STALL_TERM)"
        case .partitionUnsupported: "IHI 0070, 4.3 (CFGI_VMS_PIDM)"
        case .rangeReserved: "IHI 0070, 4.4.1 (TG, TTL)"
        case .syncSignalReserved: "IHI 0070, 4.7.3 (SYNC)"
        }
    }
}

extension Command {
    /// nil when an SMMU with these ID registers takes the command. Bits that the command leaves reserved are not
    /// looked at: the architecture lets an SMMU ignore them (``reservedBits``).
    @inlinable
    public func illegality(on ids: IDRegisters) -> CommandIllegality? { illegality(opcode, on: ids) }

    /// The same for who knows the command's opcode already.
    @inlinable
    public func illegality(_ opcode: Opcode?, on ids: IDRegisters) -> CommandIllegality? {
        guard let opcode else { return .unknownOpcode }
        if secure { return .secure }
        switch opcode {
        case .prefetchConfig, .prefetchAddress, .cfgiSTE, .cfgiSTERange, .tlbiNSNHAll: return nil
        case .cfgiVMSPIDM: return ids.idr3.bit(7) ? nil : .partitionUnsupported
        case .cfgiCD, .cfgiCDAll, .tlbiNHAll, .tlbiNHASID: return ids.stage1Supported ? nil : .stage1Unsupported
        case .tlbiNHVA, .tlbiNHVAA: return ids.stage1Supported ? rangeIllegality(on: ids) : .stage1Unsupported
        case .tlbiEL3All, .tlbiEL3VA: return .el3Command
        case .tlbiEL2All, .tlbiEL2ASID: return ids.hypSupported ? nil : .hypUnsupported
        case .tlbiEL2VA, .tlbiEL2VAA: return ids.hypSupported ? rangeIllegality(on: ids) : .hypUnsupported
        case .tlbiS12VMAll: return ids.stage2Supported ? nil : .stage2Unsupported
        case .tlbiS2IPA: return ids.stage2Supported ? rangeIllegality(on: ids) : .stage2Unsupported
        case .atcInv:
            if !ids.atsSupported { return .atsUnsupported }
            return atcSize > 52 ? .atcSize : nil
        case .priResp:
            if !ids.priSupported { return .priUnsupported }
            return d1.bits(13, 12) == 3 ? .responseReserved : nil
        case .resume, .stallTerm: return ids.stallModel == .terminateOnly ? .stallUnsupported : nil
        case .sync: return d0.bits(13, 12) == 3 ? .syncSignalReserved : nil
        }
    }

    /// TTL 1 of the 16K granule counts as 0 without DS.
    @inlinable
    public var effectiveTTL: Int { tg == 2 && ttl == 1 ? 0 : ttl }

    @usableFromInline
    func rangeIllegality(on ids: IDRegisters) -> CommandIllegality? {
        guard ids.rangeInvalidation, tg != 0 else { return nil }
        return num == 0 && scale == 0 && effectiveTTL == 0 ? .rangeReserved : nil
    }
}

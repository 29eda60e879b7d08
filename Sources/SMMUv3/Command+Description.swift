extension Command.Opcode {
    /// The architecture's name without its CMD_ prefix.
    public var name: String {
        switch self {
        case .prefetchConfig: "PREFETCH_CONFIG"
        case .prefetchAddress: "PREFETCH_ADDR"
        case .cfgiSTE: "CFGI_STE"
        case .cfgiSTERange: "CFGI_STE_RANGE"
        case .cfgiCD: "CFGI_CD"
        case .cfgiCDAll: "CFGI_CD_ALL"
        case .cfgiVMSPIDM: "CFGI_VMS_PIDM"
        case .tlbiNHAll: "TLBI_NH_ALL"
        case .tlbiNHASID: "TLBI_NH_ASID"
        case .tlbiNHVA: "TLBI_NH_VA"
        case .tlbiNHVAA: "TLBI_NH_VAA"
        case .tlbiEL3All: "TLBI_EL3_ALL"
        case .tlbiEL3VA: "TLBI_EL3_VA"
        case .tlbiEL2All: "TLBI_EL2_ALL"
        case .tlbiEL2ASID: "TLBI_EL2_ASID"
        case .tlbiEL2VA: "TLBI_EL2_VA"
        case .tlbiEL2VAA: "TLBI_EL2_VAA"
        case .tlbiS12VMAll: "TLBI_S12_VMALL"
        case .tlbiS2IPA: "TLBI_S2_IPA"
        case .tlbiNSNHAll: "TLBI_NSNH_ALL"
        case .atcInv: "ATC_INV"
        case .priResp: "PRI_RESP"
        case .resume: "RESUME"
        case .stallTerm: "STALL_TERM"
        case .sync: "SYNC"
        }
    }

    /// The fields besides the opcode (IHI 0070, 4.2–4.7).
    public var fields: [Field] { [Field("SSec", 0, 10, 10, .flag)] + operands }

    private var operands: [Field] {
        let sid = Field("StreamID", 0, 63, 32, .hex)
        let ssid = Field("SubstreamID", 0, 31, 12, .hex)
        let ssv = Field("SSV", 0, 11, 11, .flag)
        let vmid = Field("VMID", 0, 47, 32)
        let asid = Field("ASID", 0, 63, 48)
        let leaf = Field("Leaf", 1, 0, 0, .flag)
        let span = [
            Field("NUM", 0, 16, 12), Field("SCALE", 0, 24, 20),
            Field("TTL", 1, 9, 8, .number, ["any level", "leaf at level 1", "leaf at level 2", "leaf at level 3"]),
            Field("TG", 1, 11, 10, .number, ["one address", "4K", "16K", "64K"]),
        ]
        let address = Field("Address", 1, 63, 12, .address)
        switch self {
        case .prefetchConfig: return [ssv, ssid, sid]
        case .prefetchAddress:
            return [ssv, ssid, sid, Field("Size", 1, 4, 0), Field("NS", 1, 9, 9, .flag), address]
        case .cfgiSTE: return [sid, leaf]
        case .cfgiSTERange: return [sid, Field("Range", 1, 4, 0)]
        case .cfgiCD: return [ssid, sid, leaf]
        case .cfgiCDAll: return [sid]
        case .cfgiVMSPIDM: return [vmid]
        case .tlbiNHAll, .tlbiS12VMAll: return [vmid]
        case .tlbiNHASID: return [vmid, asid]
        case .tlbiNHVA: return [vmid, asid] + span + [leaf, address]
        case .tlbiNHVAA: return [vmid] + span + [leaf, address]
        case .tlbiEL2All, .tlbiEL3All, .tlbiNSNHAll: return []
        case .tlbiEL2ASID: return [asid]
        case .tlbiEL2VA: return [asid] + span + [leaf, address]
        case .tlbiEL2VAA, .tlbiEL3VA: return span + [leaf, address]
        case .tlbiS2IPA: return [vmid] + span + [leaf, Field("IPA", 1, 51, 12, .address)]
        case .atcInv:
            return [ssv, Field("Global", 0, 9, 9, .flag), ssid, sid, Field("Size", 1, 5, 0), address]
        case .priResp:
            let response = ["response failure", "invalid request", "success", "reserved"]
            return [ssv, ssid, sid, Field("PRGIndex", 1, 8, 0), Field("Resp", 1, 13, 12, .number, response)]
        case .resume:
            return [
                Field("Ac", 0, 12, 12, .flag), Field("Ab", 0, 13, 13, .flag), sid, Field("STAG", 1, 15, 0, .hex),
            ]
        case .stallTerm: return [sid]
        case .sync:
            return [
                Field("CS", 0, 13, 12, .number, ["no signal", "interrupt", "send event", "reserved"]),
                Field("MSH", 0, 23, 22), Field("MSIAttr", 0, 27, 24, .hex), Field("MSIData", 0, 63, 32, .hex),
                Field("MSIAddress", 1, 51, 2, .address),
            ]
        }
    }
}

extension Command {
    /// Bits set outside the command's fields, by word. An SMMU may ignore them; software must leave them 0.
    public var reservedBits: (d0: UInt64, d1: UInt64) {
        guard let opcode else { return (0, 0) }
        var allowed: (UInt64, UInt64) = (0xff, 0)
        for field in opcode.fields {
            if field.word == 0 { allowed.0 |= field.mask } else { allowed.1 |= field.mask }
        }
        return (d0 & ~allowed.0, d1 & ~allowed.1)
    }

    public var name: String {
        if opcode == .cfgiSTERange, range == 31 { return "CFGI_ALL" }
        return opcode?.name ?? "opcode \(d0.bits(7, 0).hex)"
    }

    public func describe() -> [DescribedField] {
        let opcodeField = DescribedField(
            name: "Opcode", value: d0.bits(7, 0), text: "\(d0.bits(7, 0).hex) (\(opcode == nil ? "unknown" : name))")
        return [opcodeField] + Field.describe(opcode?.fields ?? [], words: [d0, d1])
    }

    /// What the command asks for, in one sentence.
    public var summary: String {
        guard let opcode else { return "an unknown command" }
        switch opcode {
        case .tlbiNHVA, .tlbiNHVAA, .tlbiEL2VA, .tlbiEL2VAA, .tlbiEL3VA, .tlbiS2IPA:
            let start = opcode == .tlbiS2IPA ? ipa : address
            guard let granule = Granule(commandTG: tg) else {
                return "drop translations of the page at \(start.hex)"
            }
            let pages = UInt64(num + 1) << UInt64(scale)
            return "drop translations of \(pages) pages of \(granule.name) from \(start.hex)"
        case .cfgiSTERange:
            if range == 31 { return "drop every cached STE and CD" }
            let count = UInt64(1) << UInt64(range + 1)
            let first = UInt64(streamID.rawValue) & ~(count - 1)
            return "drop the cached STEs and CDs of StreamIDs \(first.hex)…\((first + count - 1).hex)"
        case .atcInv:
            let start = atcSize >= 52 ? 0 : address & ~UInt64.ones(12 + atcSize)
            let span = atcSize >= 52 ? "everything" : "\(UInt64(1) << UInt64(atcSize)) × 4 KB from \(start.hex)"
            return "the device drops \(span) from its ATC"
        default: return opcode.purpose
        }
    }
}

extension Command {
    /// The command and what it is about, as short as can be: `TLBI_NH_VA ASID 5, 0x1000`.
    public var brief: String {
        guard let opcode else { return name }
        let stream = " StreamID \(UInt64(streamID.rawValue).hex)"
        let pages = Granule(commandTG: tg).map { "\(UInt64(num + 1) << UInt64(scale)) pages of \($0.name) from " } ?? ""
        switch opcode {
        case .tlbiNHVA, .tlbiEL2VA: return "\(name) ASID \(asid), \(pages)\(address.hex)"
        case .tlbiNHVAA, .tlbiEL2VAA, .tlbiEL3VA: return "\(name) \(pages)\(address.hex)"
        case .tlbiS2IPA: return "\(name) \(pages)\(ipa.hex)"
        case .tlbiNHASID, .tlbiEL2ASID: return "\(name) ASID \(asid)"
        case .cfgiSTE, .cfgiCDAll, .stallTerm: return name + stream
        case .cfgiCD: return "\(name)\(stream), SubstreamID \(UInt64(substreamID.rawValue).hex)"
        case .atcInv:
            let whole = atcSize >= 52
            let start = whole ? 0 : address & ~UInt64.ones(12 + atcSize)
            return "\(name)\(stream), "
                + (whole ? "everything" : "\(UInt64(1) << UInt64(atcSize)) × 4 KB from \(start.hex)")
        default: return name
        }
    }
}

extension Command.Opcode {
    fileprivate var purpose: String {
        switch self {
        case .prefetchConfig, .prefetchAddress: "a hint to fetch configuration or translations early"
        case .cfgiSTE: "drop the cached STE of one stream, and its CDs"
        case .cfgiCD: "drop one cached CD"
        case .cfgiCDAll: "drop every cached CD of one stream"
        case .cfgiVMSPIDM: "drop the cached PARTID map of a VMID"
        case .tlbiNHAll: "drop the stage 1 translations of a VMID"
        case .tlbiNHASID: "drop the translations of one ASID of a VMID"
        case .tlbiEL2All: "drop every EL2 translation"
        case .tlbiEL2ASID: "drop the EL2 translations of one ASID"
        case .tlbiEL3All: "drop every EL3 translation"
        case .tlbiS12VMAll: "drop the translations of both stages of a VMID"
        case .tlbiNSNHAll: "drop every Non-secure translation outside EL2"
        case .priResp: "answer a PCIe page request"
        case .resume: "answer a stalled transaction"
        case .stallTerm: "terminate every stalled transaction of a stream"
        case .sync: "wait until all commands before this one are complete"
        default: name
        }
    }
}

extension EventID {
    /// The fields that a record of this kind carries besides its number (IHI 0070, 7.3.2–7.3.20).
    public var fields: [Field] {
        let stream = Field("StreamID", 0, 63, 32, .hex)
        let substream = [Field("SSV", 0, 11, 11, .flag), Field("SubstreamID", 0, 31, 12, .hex)]
        let input = Field("InputAddr", 2, 63, 0, .address)
        let fetch = Field("FetchAddr", 3, 51, 3, .address)
        let direction = Field("RnW", 1, 35, 35, .number, ["write", "read"])
        let access = [
            Field("PnU", 1, 33, 33, .number, ["unprivileged", "privileged"]),
            Field("InD", 1, 34, 34, .number, ["data", "instruction"]), direction,
        ]
        let stage = [
            Field("S2", 1, 39, 39, .number, ["stage 1", "stage 2"]),
            Field("CLASS", 1, 41, 40, .number, ["CD fetch", "table descriptor fetch", "input address", "reserved"]),
        ]
        let stall = [Field("STALL", 1, 31, 31, .flag), Field("STAG", 1, 15, 0, .hex)]
        let cause = [Field("Reason", 1, 15, 0, .hex)]
        let abort = cause + [Field("GPCF", 1, 16, 16, .flag)]
        let ipa = [Field("NSIPA", 1, 38, 38, .flag), Field("IPA", 3, 51, 12, .address)]
        switch self {
        case .unsupportedUpstreamTransaction: return [stream] + substream + cause + access + [input]
        case .badStreamID, .badSTE, .badCD: return [stream] + substream
        case .configurationConflict: return [stream] + substream + cause
        case .badSubstreamID: return [stream, substream[1]]
        case .steFetch, .cdFetch, .vmsFetch: return [stream] + substream + abort + [fetch]
        case .badATSRequest: return [stream] + substream + [input]
        case .streamDisabled: return [stream]
        case .translationForbidden: return [stream] + substream + [direction, input]
        case .walkExternalAbort: return [stream] + substream + abort + access + stage + [input, fetch]
        case .translation, .addressSize, .access: return [stream] + substream + stall + access + stage + [input] + ipa
        case .permission:
            let tableAccess = Field("TTRnW", 1, 44, 44, .number, ["table write", "table read"])
            return [stream] + substream + stall + access + stage + [tableAccess, input] + ipa
        case .tlbConflict: return [stream] + substream + cause + access + [stage[0], input] + ipa
        case .pageRequest:
            let wanted = ["uX", "uW", "uR"].enumerated().map { Field($1, 1, 33 + $0, 33 + $0, .flag) }
            let privileged = ["pX", "pW", "pR"].enumerated().map { Field($1, 1, 37 + $0, 37 + $0, .flag) }
            let pages = [Field("Span", 1, 51, 44), Field("InputAddr", 2, 63, 12, .address)]
            return [stream] + substream + wanted + privileged + pages
        }
    }

    /// What happened, for someone who reads a log.
    public var meaning: String {
        switch self {
        case .unsupportedUpstreamTransaction: "the device sent a transaction of a kind the SMMU does not take"
        case .badStreamID: "the StreamID is beyond the stream table, or its first-level descriptor is not valid"
        case .steFetch: "reading the STE (or its first-level descriptor) ended in an external abort"
        case .badSTE: "the STE is ILLEGAL: V = 0, a reserved value, or a feature this SMMU does not have"
        case .badATSRequest: "the device sent an ATS translation request, but STE.EATS refuses ATS"
        case .streamDisabled: "a transaction without usable SubstreamID on a stream whose S1DSS terminates those"
        case .translationForbidden: "the device sent an already translated address, but STE.EATS refuses ATS"
        case .badSubstreamID:
            "the SubstreamID is beyond the CD table, its first-level descriptor is not valid, "
                + "or the stream takes none"
        case .cdFetch: "reading the CD (or its first-level descriptor) ended in an external abort"
        case .badCD: "the CD is ILLEGAL: V = 0, a reserved value, or a feature this SMMU does not have"
        case .walkExternalAbort: "reading a translation table ended in an external abort"
        case .translation: "no valid translation for the address"
        case .addressSize: "an address is larger than the size configured for it"
        case .access: "the Access flag of the page is 0"
        case .permission: "the page does not permit this access"
        case .tlbConflict: "several TLB entries match the address"
        case .configurationConflict: "cached configuration contradicts itself"
        case .pageRequest: "a hint that a page is wanted"
        case .vmsFetch: "reading the VMS ended in an external abort"
        }
    }
}

extension EventRecord {
    public var name: String {
        if let id { return id.name }
        return number >= 0xe0 && number <= 0xef ? "IMPDEF_\(String(number, radix: 16))" : "event \(UInt64(number).hex)"
    }

    public var meaning: String {
        id?.meaning
            ?? (name.hasPrefix("IMPDEF") ? "defined by the SMMU's implementer" : "not an event of the architecture")
    }

    public func describe() -> [DescribedField] {
        let head = DescribedField(name: "Event", value: UInt64(number), text: "\(UInt64(number).hex) (\(name))")
        let fields = (id?.fields ?? [Field("StreamID", 0, 63, 32, .hex)]).filter { field in
            switch field.name {
            case "SubstreamID": words[0].bit(11) || id == .badSubstreamID
            case "STAG": words[1].bit(31)
            case "IPA": stage2
            case "TTRnW": stage2 && eventClass == .tableDescriptor
            default: true
            }
        }
        return [head] + Field.describe(fields, words: (0..<4).map { words[$0] })
    }

    /// Bits set outside the fields of this kind of record, by word.
    public var reservedBits: SIMD4<UInt64> {
        guard let id else { return .zero }
        var allowed = SIMD4<UInt64>(0xff, 0, 0, 0)
        for field in id.fields { allowed[field.word] |= field.mask }
        return words & ~allowed
    }
}

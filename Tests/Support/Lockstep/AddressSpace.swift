import SMMUv3
import Scenarios

/// By what a stream's translations are known, and the TLBI forms for it (IHI 0070, 4.4).
struct AddressSpace {
    let vmid: UInt16
    let asid: UInt16
    let isEL2: Bool
    private let hasE2H: Bool
    private let hasStage1: Bool
    private let hasStage2: Bool

    /// Of the stream and substream that a change is about, as memory was before it.
    init(_ mutation: ScenarioMutation, _ scenario: Scenario) {
        let read = { (kind: ScenarioMutation.Kind, ssid: UInt32?, number: Int) -> UInt64 in
            guard let pa = scenario.place(of: kind, sid: mutation.sid, ssid: ssid, word: number) else { return 0 }
            return pa == mutation.pa ? mutation.previous : scenario.read(pa) ?? 0
        }
        let idr0 = UInt64(scenario.ids[0])
        vmid = UInt16(truncatingIfNeeded: read(.ste, nil, 2))
        asid = UInt16(truncatingIfNeeded: read(.cd, mutation.ssid, 0) >> 48)
        let isStage1Only = read(.ste, nil, 0).bits(3, 1) == 5
        isEL2 = idr0.bit(9) && isStage1Only && read(.ste, nil, 1).bits(31, 30) == 2
        hasE2H = scenario.registers.cr2 & 1 != 0
        hasStage1 = idr0.bit(1)
        hasStage2 = idr0.bit(0)
    }

    /// The VMID parameter; reserved without stage 2.
    private var parameter: UInt16 { hasStage2 ? vmid : 0 }

    /// Everything of the stream and more. A change of the STE or CD may have moved the stream to another regime before.
    func all(
        _ isOwn: Bool, stage2Too: Bool, _ random: inout SplitMix64, _ lockstep: borrowing Lockstep
    ) -> [NamedCommand] {
        guard isOwn, !isEL2 else { return lockstep.allTranslations }
        return ofVMID(stage2Too: stage2Too, &random) + lockstep.allTranslations.dropFirst()
    }

    /// Everything of the VMID; without `stage2Too` what stage 1 took part in will do.
    func ofVMID(stage2Too: Bool, _ random: inout SplitMix64) -> [NamedCommand] {
        switch random.below(4) {
        case 0: return [NamedCommand("TLBI_NSNH_ALL", .make(.tlbiNSNHAll))]
        case 1...2 where hasStage1 && !(stage2Too && hasStage2):
            return [NamedCommand("TLBI_NH_ALL", .tlbi(.tlbiNHAll, vmid: parameter))]
        default:
            guard hasStage2 else { return [NamedCommand("TLBI_NSNH_ALL", .make(.tlbiNSNHAll))] }
            return [NamedCommand("TLBI_S12_VMALL", .tlbi(.tlbiS12VMAll, vmid: parameter))]
        }
    }

    /// No range of TLBI_S2_IPA is sure to be there, so all of the VMID.
    private var everyIPA: NamedCommand {
        NamedCommand("TLBI_S12_VMALL", .tlbi(.tlbiS12VMAll, vmid: parameter))
    }

    /// What one entry of a stage 1 table covers. With an ASID, by VA, or all that is not global; without, by VAA.
    func byAddress(
        _ mutation: ScenarioMutation, _ asid: UInt16?, _ hasRanges: Bool, _ random: inout SplitMix64
    ) -> NamedCommand {
        let old = mutation.oldDescriptor
        let isNonGlobal = old & 3 == 0 || (mutation.oldLeaf && old.bit(11))
        if let asid, isNonGlobal, !isEL2 || hasE2H, random.chance(30) {
            return isEL2
                ? NamedCommand("TLBI_EL2_ASID", .tlbi(.tlbiEL2ASID, asid: asid))
                : NamedCommand("TLBI_NH_ASID", .tlbi(.tlbiNHASID, vmid: parameter, asid: asid))
        }
        guard let span = mutation.span(hasRanges, &random) else {
            return isEL2
                ? NamedCommand("TLBI_EL2_ALL", .make(.tlbiEL2All))
                : NamedCommand("TLBI_NH_ALL", .tlbi(.tlbiNHAll, vmid: parameter))
        }
        let (byVA, byVAA): (Command.Opcode, Command.Opcode) =
            isEL2 ? (.tlbiEL2VA, .tlbiEL2VAA) : (.tlbiNHVA, .tlbiNHVAA)
        let opcode = asid == nil ? byVAA : byVA
        return NamedCommand(
            "\(opcode)",
            .tlbi(
                opcode, vmid: isEL2 ? 0 : parameter, asid: asid ?? 0, address: mutation.start, span: span,
                leaf: mutation.oldLeaf))
    }

    /// What one entry of a stage 2 table covers, of a stream without stage 1.
    func byIPA(_ mutation: ScenarioMutation, _ hasRanges: Bool, _ random: inout SplitMix64) -> NamedCommand {
        guard let span = mutation.span(hasRanges, &random) else { return everyIPA }
        return NamedCommand(
            "TLBI_S2_IPA",
            .tlbi(.tlbiS2IPA, vmid: parameter, address: mutation.start, span: span, leaf: mutation.oldLeaf))
    }
}

extension ScenarioMutation {
    /// The entry that was there, as the SMMU saw it.
    var oldDescriptor: UInt64 { bigEndian ? previous.byteSwapped : previous }

    /// The first address that the entry speaks of.
    var start: UInt64 { address & ~UInt64.ones(coveredBits) }

    /// The entry was a page or a block, not a table.
    var oldLeaf: Bool { oldDescriptor & 3 == (level == 3 ? 3 : 1) }

    /// The addresses of the entry: a range, one address where that is enough, or nil where neither can say it.
    func span(_ hasRanges: Bool, _ random: inout SplitMix64) -> Command.Span? {
        let isOneAddress = oldLeaf || oldDescriptor & 1 == 0
        guard hasRanges, !isOneAddress || random.chance(50), let granule = Granule(rawValue: UInt8(granuleBits)) else {
            return isOneAddress ? .page : nil
        }
        let scale = coveredBits - granuleBits
        // 16 KB tables have no leaf at level 1, and the level of what lies below a table may be any.
        let level = oldLeaf && level > 0 && random.chance(60) ? level : 0
        if scale == 0, level == 0 { return .page }
        // SCALE ends at 31; NUM + 1 gives the rest.
        return Command.Span(granule: granule, num: (1 << max(0, scale - 31)) - 1, scale: min(scale, 31), ttl: level)
    }
}

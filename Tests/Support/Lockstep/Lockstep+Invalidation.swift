import SMMUv3
import Scenarios

/// A command, and how a log calls it.
struct NamedCommand {
    let text: String
    let command: Command

    init(_ text: String, _ command: Command) {
        self.text = "\(text) \(command.d0.hex) \(command.d1.hex)"
        self.command = command
    }
}

extension Lockstep {
    /// Commands that cover a change, chosen at random among the forms that do (IHI 0070, 4.3, 4.4 and 3.17).
    ///
    /// A narrow form is used only where all answers so far that came from the word came the way that the form supposes.
    func invalidation(
        of mutation: ScenarioMutation, using random: inout SplitMix64
    ) -> [NamedCommand] {
        let readers = asked.filter { $0.reads.contains(mutation.pa) }.map(\.question)
        let isOwn = readers.allSatisfy { $0.sid == mutation.sid }
        let isOwnContext = isOwn && readers.allSatisfy { $0.ssid == mutation.ssid }
        let space = AddressSpace(mutation, scenario)
        switch mutation.kind {
        case .streamTableLevel1:
            let split = Int(UInt64(scenario.registers.strtabBaseCfg).bits(10, 6))
            let isBelow = readers.allSatisfy { $0.sid >> UInt32(split) == mutation.sid >> UInt32(split) }
            let range = Command.cfgiSTERange(StreamID(mutation.sid), range: split - 1)
            let configuration =
                isBelow && random.chance(60) ? NamedCommand("CFGI_STE_RANGE", range) : allConfigurations
            return [configuration] + allTranslations
        case .ste:
            return [configurationOfStream(isOwn, mutation, &random)]
                + (mutation.level == 2 || random.chance(50)
                    ? allTranslations : space.all(isOwn, stage2Too: true, &random, self))
        case .contextTableLevel1, .cd:
            let isOneCD = mutation.kind == .cd && isOwnContext && random.chance(50)
            let one = Command.cfgiCD(StreamID(mutation.sid), SubstreamID(mutation.ssid ?? 0))
            let configuration =
                isOneCD ? NamedCommand("CFGI_CD", one) : configurationOfContexts(isOwn, mutation, &random)
            return [configuration] + space.all(isOwn, stage2Too: false, &random, self)
        case .stage1Table:
            let narrow = isOwnContext && isInside(readers, mutation) && isAsBuilt(mutation)
            guard narrow, random.chance(75) else { return space.all(isOwn, stage2Too: false, &random, self) }
            return [space.byAddress(mutation, random.chance(50) ? space.asid : nil, hasRanges, &random)]
        case .stage2Table:
            let isAlone = !mutation.stage2IsShared(by: scenario)
            let narrow = isAlone && isOwn && isInside(readers, mutation) && isAsBuilt(mutation)
            if narrow, random.chance(60) { return [space.byIPA(mutation, hasRanges, &random)] }
            // What stage 2 translated a CD's address to is in the CD caches.
            let contexts = configurationOfContexts(isOwn, mutation, &random)
            return (isAlone ? [] : [contexts]) + (isOwn ? space.ofVMID(stage2Too: true, &random) : allTranslations)
        }
    }

    private var hasRanges: Bool { UInt64(scenario.ids[3]).bit(10) }

    /// Whether everything that leads to the word is as it was built, the word itself included.
    private func isAsBuilt(_ mutation: ScenarioMutation) -> Bool {
        var before = scenario
        before.write(mutation.pa, mutation.previous)
        return before.isAsBuilt(sid: mutation.sid, ssid: mutation.ssid)
    }

    /// Whether the addresses of all questions lie where the changed entry says something.
    private func isInside(_ readers: [ScenarioQuestion], _ mutation: ScenarioMutation) -> Bool {
        let canonical = { (address: UInt64) in address & ~(0xff &<< 56) }
        return readers.allSatisfy {
            canonical($0.iova) >> UInt64(mutation.coveredBits)
                == canonical(mutation.address) >> UInt64(mutation.coveredBits)
        }
    }

    private var allConfigurations: NamedCommand { NamedCommand("CFGI_ALL", .cfgiAll) }

    /// Every translation of Non-secure streams.
    var allTranslations: [NamedCommand] {
        let nonHyp = NamedCommand("TLBI_NSNH_ALL", .make(.tlbiNSNHAll))
        let hyp = NamedCommand("TLBI_EL2_ALL", .make(.tlbiEL2All))
        return UInt64(scenario.ids[0]).bit(9) ? [nonHyp, hyp] : [nonHyp]
    }

    private func configurationOfStream(
        _ isOwn: Bool, _ mutation: ScenarioMutation, _ random: inout SplitMix64
    ) -> NamedCommand {
        guard isOwn else { return allConfigurations }
        let stream = StreamID(mutation.sid)
        switch random.below(4) {
        case 0, 1: return NamedCommand("CFGI_STE", .cfgiSTE(stream, leaf: true))
        case 2:
            return NamedCommand("CFGI_STE_RANGE", .cfgiSTERange(stream, range: random.below(31)))
        default: return allConfigurations
        }
    }

    private func configurationOfContexts(
        _ isOwn: Bool, _ mutation: ScenarioMutation, _ random: inout SplitMix64
    ) -> NamedCommand {
        guard isOwn, random.chance(60) else { return configurationOfStream(isOwn, mutation, &random) }
        return NamedCommand("CFGI_CD_ALL", .cfgiCDAll(StreamID(mutation.sid)))
    }
}

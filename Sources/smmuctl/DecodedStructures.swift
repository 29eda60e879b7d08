import SMMUv3

extension Decoded {
    /// Decodes `words`, as many as `kind` has.
    init(_ kind: StructureKind, _ words: [UInt64], _ registers: AssumedRegisters) {
        switch kind {
        case .ste: self.init(StreamTableEntry(words: SIMD8(words)), registers)
        case .cd: self.init(ContextDescriptor(words: SIMD8(words)), registers)
        case .command: self.init(Command(d0: words[0], d1: words[1]), registers)
        case .event: self.init(EventRecord(words: SIMD4(words)), registers)
        }
    }

    // MARK: - STE

    private init(_ ste: StreamTableEntry, _ registers: AssumedRegisters) {
        let words = ste.words.array
        // Not among the fields: bits for software (23:20) and for implementers (63:52, and 31:16 of word 2). From word 4
        // on there is nothing that is known here.
        let known = Self.mask(of: StreamTableEntry.fields, words: 8)
        let free: [UInt64] = [0, 0xfff0_0000_00f0_0000, 0xffff_0000, 0, .max, .max, .max, .max]
        self.init(
            kind: .ste, words: words, summary: ste.summary, fields: ste.describe().map(DecodedField.init),
            reserved: words.indices.map { words[$0] & ~known[$0] & ~free[$0] },
            architecture: Verdict(legalIf: ste.illegalities(on: registers.architecture).map { ($0.rawValue, $0.rule) }),
            nested: Verdict(nested: ste, registers.nested))
    }

    // MARK: - CD

    private init(_ cd: ContextDescriptor, _ registers: AssumedRegisters) {
        let words = cd.words.array
        let known = Self.mask(of: ContextDescriptor.fields, words: 8)
        // An STE is not at hand: one that lets faults stall and translates for EL1.
        func reasons(_ ids: IDRegisters) -> [(String, String)] {
            cd.illegalities(on: ids, stallDisabled: false, twoRanges: true).map { ($0.rawValue, $0.rule) }
        }
        self.init(
            kind: .cd, words: words, summary: cd.summary, fields: cd.describe().map(DecodedField.init),
            reserved: words.indices.map { $0 < 3 ? words[$0] & ~known[$0] : 0 },
            architecture: Verdict(legalIf: reasons(registers.architecture)),
            nested: Verdict(legalIf: reasons(registers.nested)))
    }

    // MARK: - Command

    private init(_ command: Command, _ registers: AssumedRegisters) {
        let illegality = command.illegality(on: registers.architecture)
        let refusal = NestedVSMMU.refusal(of: command, advertised: registers.nested)
        let reserved = command.reservedBits
        self.init(
            kind: .command, words: [command.d0, command.d1], summary: "\(command.name): \(command.summary)",
            fields: command.describe().map(DecodedField.init), reserved: [reserved.d0, reserved.d1],
            architecture: Verdict(legalIf: illegality.map { [($0.rawValue, $0.rule)] } ?? []),
            nested: Verdict(
                accepted: refusal == nil, headline: refusal == nil ? "forwarded" : "not forwarded",
                reasons: refusal.map {
                    [($0.rawValue, "linux/iommufd.h, iommu_viommu_arm_smmuv3_invalidate, as Linux 7.3 checks it")]
                } ?? []))
    }

    // MARK: - Event

    private init(_ event: EventRecord, _ registers: AssumedRegisters) {
        let isImplementers = (0xe0...0xef).contains(event.number)
        let isKnown = event.id != nil || isImplementers
        let reserved = event.reservedBits.array
        let architecture = Verdict(
            accepted: isKnown,
            headline: event.id != nil
                ? "defined" : (isImplementers ? "left to the implementer" : "not an event of the architecture"),
            reasons: isKnown ? [] : [("no event has the number \(UInt64(event.number).hex)", "IHI 0070, 7.3")])
        self.init(
            kind: .event, words: event.words.array, summary: "\(event.name): \(event.meaning)",
            fields: event.describe().map(DecodedField.init), reserved: reserved,
            architecture: architecture, nested: Verdict(forwarding: event))
    }

    /// The bits that the fields cover, by word.
    private static func mask(of fields: [Field], words: Int) -> [UInt64] {
        var mask = [UInt64](repeating: 0, count: words)
        for field in fields where field.word < words { mask[field.word] |= field.mask }
        return mask
    }
}

// MARK: - Verdicts

extension Verdict {
    /// The architecture's: legal unless there are reasons.
    init(legalIf reasons: [(text: String, rule: String)]) {
        self.init(accepted: reasons.isEmpty, headline: reasons.isEmpty ? "legal" : "ILLEGAL", reasons: reasons)
    }

    init(nested ste: StreamTableEntry, _ ids: IDRegisters) {
        switch NestedVSMMU.verdict(on: ste, advertised: ids) {
        case .abort(let refusals) where refusals.isEmpty:
            self.init(accepted: true, headline: "accepted: the stream aborts, as its STE says")
        case .abort(let refusals):
            self.init(
                accepted: false, headline: "refused: the stream aborts",
                reasons: refusals.map { ($0.text, $0.rule) })
        case .bypass:
            self.init(accepted: true, headline: "accepted: stage 1 is bypassed, the host's stage 2 translates")
        case .translate(let word0, let word1):
            self.init(
                accepted: true, headline: "accepted: stage 1 translates, the host's stage 2 after it",
                passedOn: ([ste.words[0] & ~word0, ste.words[1] & ~word1], [word0, word1]))
        }
    }

    /// Whether Linux hands an event of a device to the VMM.
    init(forwarding event: EventRecord) {
        let rule = "linux/iommufd.h, iommu_vevent_arm_smmuv3"
        var reasons: [(String, String)] = []
        if event.id?.forwardedByLinux != true { reasons.append(("\(event.name) stays in the host's log", rule)) }
        if event.words[1].bit(31) {
            reasons.append(("STALL is set: a stalled transaction goes to the fault queue", rule))
        }
        if event.stage2 { reasons.append(("S2 is set: stage 2 is the host's", rule)) }
        self.init(
            accepted: reasons.isEmpty, headline: reasons.isEmpty ? "forwarded to the VMM" : "not forwarded",
            reasons: reasons)
    }
}

extension SIMD where Scalar == UInt64 {
    var array: [UInt64] { indices.map { self[$0] } }
}

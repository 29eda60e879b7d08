/// A whole SMMU configuration made from random numbers: registers, a stream table, streams of all kinds, their tables
/// in sparse memory; and a source of transactions to ask about and of changes to make.
///
/// The same seed or bytes give the same scenario. About half of the questions translate; the rest find every kind of
/// fault, and structures that are broken on purpose.
package struct Scenario: Sendable {
    /// IDR0 to IDR5.
    package let ids: [UInt32]
    package let registers: ScenarioRegisters
    package let streams: [ScenarioStream]
    package private(set) var memory: ScenarioMemory
    private let identity: ScenarioIdentity
    private let live: [ScenarioLiveWord]
    private var targets: [ScenarioTarget]

    package init(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        self.init(using: &random)
    }

    /// A scenario from the input of a fuzzer, with the source of the choices still to be made.
    package static func from(bytes: [UInt8]) -> (scenario: Scenario, random: SplitMix64) {
        var random = SplitMix64(bytes: bytes)
        let scenario = Scenario(using: &random)
        return (scenario, random)
    }

    package init(using random: inout SplitMix64) {
        var builder = ScenarioBuilder(random: random)
        registers = builder.streamTable()
        builder.breakMemory()
        random = builder.random
        ids = builder.identity.words
        identity = builder.identity
        streams = builder.streams
        memory = builder.memory
        live = builder.live
        targets = builder.targets
    }

    package func read(_ pa: UInt64) -> UInt64? {
        memory.read(pa)
    }

    package mutating func write(_ pa: UInt64, _ value: UInt64) {
        memory.write(pa, value)
    }

    // MARK: Questions

    /// A transaction, usually to something that is mapped.
    package mutating func question(using random: inout SplitMix64) -> ScenarioQuestion {
        var question = ScenarioQuestion(
            sid: 0, ssid: nil, iova: random.next(), write: random.chance(40), privileged: random.chance(30),
            instruction: random.chance(12))
        if targets.isEmpty { return question }
        let target = random.pick(targets)
        question.sid = target.sid
        question.ssid = target.ssid
        question.iova = address(target, &random)
        switch random.below(80) {
        case 0: question.sid = UInt32(truncatingIfNeeded: random.bits(random.within(1...32)))
        case 1: question.ssid = UInt32(truncatingIfNeeded: random.bits(random.within(1...20)))
        case 2...3: question.ssid = nil
        default: break
        }
        return question
    }

    /// An address in the target; sometimes one just beside it or far away, or with another top byte.
    private func address(_ target: ScenarioTarget, _ random: inout SplitMix64) -> UInt64 {
        let inside = target.address ^ random.bits(target.bits)
        switch random.below(40) {
        case 0...1: return inside ^ (1 &<< UInt64(min(63, target.bits + random.below(3))))
        case 2: return random.bits(random.within(1...64))
        case 3: return inside ^ (random.bits(8) &<< 56)
        case 4: return inside ^ (1 &<< random.below(UInt64(64)))
        default: return inside
        }
    }

    // MARK: Changes

    /// A change to a structure that some stream uses. It is not made yet: `apply` does that.
    package mutating func mutation(using random: inout SplitMix64) -> ScenarioMutation? {
        let usable = live.isEmpty ? nil : pickWord(&random)
        guard let word = usable, let stored = memory.read(word.pa) else { return nil }
        let previous = word.bigEndian ? stored.byteSwapped : stored
        let value = changed(word, from: previous, &random)
        if word.kind == .stage1Table || streams.contains(where: { $0.sid == word.sid && $0.kind == .stage2 }) {
            targets.append(ScenarioTarget(sid: word.sid, ssid: word.ssid, address: word.address, bits: 12))
        }
        return ScenarioMutation(
            pa: word.pa, value: word.bigEndian ? value.byteSwapped : value, previous: stored, kind: word.kind,
            sid: word.sid, ssid: word.ssid, address: word.address, level: word.level,
            granuleBits: word.granule?.pageBits ?? 0, coveredBits: word.granule?.shift(level: word.level) ?? 0,
            bigEndian: word.bigEndian)
    }

    /// Where a word of the stream's entry, or of the context descriptor of one of its SubstreamIDs, was put.
    package func place(of kind: ScenarioMutation.Kind, sid: UInt32, ssid: UInt32? = nil, word: Int) -> UInt64? {
        live.first { $0.kind == kind && $0.sid == sid && $0.ssid == ssid && $0.level == word }?.pa
    }

    /// Whether the stream's contexts use each other's translations: at EL2 without E2H there are no ASIDs. Several of them,
    /// with tables of their own, are software's error, and what one of them cached answers for another.
    package func contextsShareTranslations(sid: UInt32) -> Bool {
        guard identity.hasHyp, registers.cr2 & 1 == 0, live.contains(where: { $0.sid == sid && $0.ssid != nil }),
            let place = place(of: .ste, sid: sid, word: 1), let word = memory.read(place)
        else { return false }
        let world: UInt64 = .mask(31, 30)
        return word & world == 2 &<< 30
    }

    /// Whether all that leads to the translation tables of a context is as it was built, and the tables are too.
    package func isAsBuilt(sid: UInt32, ssid: UInt32?) -> Bool {
        live.allSatisfy { word in
            let concerns = word.sid == sid && (word.ssid == nil || word.ssid == ssid)
            guard concerns || word.kind == .streamTableLevel1 || word.kind == .contextTableLevel1 else { return true }
            guard let stored = memory.read(word.pa) else { return false }
            // A neighbour that nothing was mapped at yet reads as 0.
            return stored == 0 || (word.bigEndian ? stored.byteSwapped : stored) == word.template
        }
    }

    package mutating func apply(_ mutation: ScenarioMutation) {
        memory.write(mutation.pa, mutation.value)
    }

    /// First a kind of structure, so that the many table entries do not crowd out the rest.
    private func pickWord(_ random: inout SplitMix64) -> ScenarioLiveWord {
        let kind = random.pick(ScenarioMutation.Kind.allCases + [.stage1Table, .stage1Table, .stage2Table])
        let ofKind = live.filter { $0.kind == kind }
        return random.pick(ofKind.isEmpty ? live : ofKind)
    }

    private func changed(_ word: ScenarioLiveWord, from previous: UInt64, _ random: inout SplitMix64) -> UInt64 {
        if previous != word.template && random.chance(60) { return word.template }
        let isTable = word.kind == .stage1Table || word.kind == .stage2Table
        if random.chance(isTable ? 20 : 5) { return 0 }
        let value = random.pick(fields(word)).changed(previous == 0 ? word.template : previous, &random)
        return word.kind == .ste && word.level == 1 ? withoutSecondEL2(value, previous) : value
    }

    /// Without E2H all EL2 streams share their translations. A second one, with other tables, would be software's error:
    /// the reserved STRW takes its place.
    private func withoutSecondEL2(_ value: UInt64, _ previous: UInt64) -> UInt64 {
        let world: UInt64 = .mask(31, 30)
        let isShared = identity.hasHyp && registers.cr2 & 1 == 0
        return isShared && value & world == 2 &<< 30 && previous & world != 2 &<< 30 ? value | world : value
    }

    private func fields(_ word: ScenarioLiveWord) -> [ScenarioField] {
        switch word.kind {
        case .streamTableLevel1: return ScenarioField.streamTableLevel1
        case .ste: return ScenarioField.ste(word: word.level)
        case .contextTableLevel1: return ScenarioField.contextTableLevel1
        case .cd: return ScenarioField.cd(word: word.level)
        case .stage1Table, .stage2Table: return ScenarioField.tableEntry
        }
    }
}

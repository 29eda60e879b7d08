import NaiveWalker
import SMMUModel
import SMMUv3
package import Scenarios

/// A software SMMU and the naive one over the same scenario. Both are asked the same; what they say is compared.
package struct Lockstep: ~Copyable {
    /// A question that was asked since everything was last forgotten, and the words that its answer came from.
    struct Asked {
        var question: ScenarioQuestion
        var reads: [UInt64]
    }

    private(set) var scenario: Scenario
    var smmu: SoftwareSMMU<ScenarioRAM>
    private var naive: NaiveSMMU
    private(set) var asked: [Asked] = []
    /// What was done, for whoever looks into a disagreement.
    private(set) var log: [String] = []
    package private(set) var comparisons = 0
    package private(set) var translated = 0

    package init(_ scenario: Scenario) {
        self.scenario = scenario
        let ids = scenario.ids
        smmu = SoftwareSMMU(
            memory: ScenarioRAM(memory: scenario.memory),
            ids: IDRegisters(
                idr0: ids[0], idr1: ids[1], idr2: ids[2], idr3: ids[3], idr4: ids[4], idr5: ids[5], aidr: 2))
        naive = NaiveSMMU(
            idr: ids, cr0: 0, cr2: 0, gbpa: 0, strtabBase: 0, strtabBaseCfg: 0)
        setRegisters(scenario.registers)
    }

    package mutating func setRegisters(_ registers: ScenarioRegisters) {
        smmu.registers.cr0 = registers.cr0
        smmu.registers.cr2 = registers.cr2
        smmu.registers.gbpa = registers.gbpa
        smmu.registers.streamTableBase = registers.strtabBase
        smmu.registers.streamTableBaseConfig = registers.strtabBaseCfg
        (naive.cr0, naive.cr2, naive.gbpa) = (registers.cr0, registers.cr2, registers.gbpa)
        (naive.strtabBase, naive.strtabBaseCfg) = (registers.strtabBase, registers.strtabBaseCfg)
    }

    mutating func note(_ line: String) { log.append(line) }

    // MARK: Memory

    package mutating func write(_ pa: UInt64, _ value: UInt64) {
        scenario.write(pa, value)
        smmu.memory.memory.write(pa, value)
    }

    /// A change that the scenario suggests; not made yet.
    mutating func mutation(using random: inout SplitMix64) -> ScenarioMutation? {
        scenario.mutation(using: &random)
    }

    package mutating func question(using random: inout SplitMix64) -> ScenarioQuestion {
        scenario.question(using: &random)
    }

    // MARK: Asking

    /// Asks with nothing cached; nil when both agree.
    package mutating func compareCold(_ question: ScenarioQuestion) -> String? {
        smmu.invalidateEverything()
        asked.removeAll()
        return compare(question)
    }

    /// Asks with whatever is cached; nil when both agree.
    package mutating func compare(_ question: ScenarioQuestion) -> String? {
        let expected = answer(question)
        remember(question, expected.reads)
        let actual = modelAnswer(question)
        comparisons += 1
        if case .ok = expected.answer { translated += 1 }
        if actual == expected.answer || scenario.contextsShareTranslations(sid: question.sid) { return nil }
        return describe(question, "naive \(expected.answer.text)", actual)
    }

    /// Asks after a change that nothing was invalidated for: the old answer is as good as the new one.
    mutating func compareStale(_ question: ScenarioQuestion, old: NaiveAnswer) -> String? {
        let new = answer(question)
        remember(question, new.reads)
        let actual = modelAnswer(question)
        comparisons += 1
        if actual == new.answer || actual == old { return nil }
        return describe(question, "old \(old.text), new \(new.answer.text)", actual)
    }

    private mutating func remember(_ question: ScenarioQuestion, _ reads: [UInt64]) {
        asked.append(Asked(question: question, reads: reads))
    }

    /// What the naive SMMU says, and the words that it read for it.
    func answer(_ question: ScenarioQuestion) -> (answer: NaiveAnswer, reads: [UInt64]) {
        var reads: [UInt64] = []
        let answer = naive.translate(
            NaiveQuestion(
                sid: question.sid, ssid: question.ssid, iova: question.iova, write: question.write,
                privileged: question.privileged, instruction: question.instruction)
        ) { pa in
            reads.append(pa)
            return scenario.read(pa)
        }
        return (answer, reads)
    }

    private func describe(_ question: ScenarioQuestion, _ expected: String, _ actual: NaiveAnswer?) -> String {
        let ids = scenario.ids.map { UInt64($0).hex }.joined(separator: " ")
        let registers = scenario.registers
        return """
            \(question.text)
              expected: \(expected)
              model:    \(actual?.text ?? "backpressure")
              IDR0-5 \(ids), CR0 \(UInt64(registers.cr0).hex), CR2 \(UInt64(registers.cr2).hex)
              \(log.suffix(30).joined(separator: "\n  "))
            """
    }
}

import SMMUModel
package import Scenarios

extension Lockstep {
    /// Questions with nothing cached. The first disagreement, or nil.
    package mutating func runCold(questions: Int, using random: inout SplitMix64) -> String? {
        for _ in 0..<questions {
            let question = question(using: &random)
            if let disagreement = compareCold(question) { return disagreement }
        }
        return nil
    }

    /// Questions, each asked twice at different times, while everything that was read may be cached.
    package mutating func runWarm(questions: Int, using random: inout SplitMix64) -> String? {
        var list: [ScenarioQuestion] = []
        for _ in 0..<questions {
            let question = question(using: &random)
            list.append(question)
            if let disagreement = compare(question) { return disagreement }
            if let disagreement = compare(random.pick(list)) { return disagreement }
        }
        for question in list {
            if let disagreement = compare(question) { return disagreement }
        }
        return nil
    }

    /// Questions and changes in turn; each change is followed by commands that cover it. The first disagreement, or nil.
    package mutating func runSequence(steps: Int, using random: inout SplitMix64) -> String? {
        for _ in 0..<steps {
            for _ in 0..<random.within(1...3) {
                let question = question(using: &random)
                if let disagreement = compare(question) { return disagreement }
            }
            if let disagreement = change(using: &random) { return disagreement }
        }
        return nil
    }

    /// Changes one word, asks before and after its invalidation.
    private mutating func change(using random: inout SplitMix64) -> String? {
        guard let mutation = mutation(using: &random) else { return nil }
        var questions = asked.filter { $0.reads.contains(mutation.pa) }.suffix(4).map(\.question)
        if questions.isEmpty || random.chance(30) { questions.append(question(using: &random)) }
        let old = questions.map { answer($0) }
        note(mutation.description)
        write(mutation.pa, mutation.value)
        // Where stage 2 translates the fetch of a CD and the tables as well, a cached CD gives an answer between the two.
        // So does a word that is part of a cached structure, and by some damage of a table as well.
        let isShared = mutation.kind == .stage2Table && mutation.stage2IsShared(by: scenario)
        let mixes = isShared || old.contains { $0.reads.count { $0 == mutation.pa } > 1 }
        if random.chance(50) {
            for (question, old) in zip(questions, old) {
                let disagreement = compareStale(question, old: old.answer)
                if let disagreement, !mixes { return "before any invalidation: \(disagreement)" }
            }
        }
        for command in invalidation(of: mutation, using: &random) {
            note(command.text)
            if smmu.execute(command.command) != .completed { return "\(command.text) is illegal" }
        }
        let again = questions + asked.suffix(40).map(\.question).filter { _ in random.chance(25) }
        for question in again {
            if let disagreement = compare(question) { return "after the invalidation: \(disagreement)" }
        }
        return nil
    }
}

extension ScenarioMutation {
    /// Whether stage 2 of the stream translates for a stage 1 too.
    func stage2IsShared(by scenario: Scenario) -> Bool {
        scenario.streams.first { $0.sid == sid }?.kind != .stage2
    }
}

import Glibc
import Lockstep
import Scenarios
import Testing

/// The model against a second implementation of the architecture, on random configurations, tables and accesses.
///
/// SMMU_TEST_SEED starts at another seed (that of a failure repeats it), SMMU_TEST_ITERATIONS makes more or fewer
/// scenarios.
@Suite struct DifferentialTests {
    static let firstSeed = setting("SMMU_TEST_SEED") ?? 1
    static let iterations = setting("SMMU_TEST_ITERATIONS") ?? 120

    static func setting(_ name: String) -> UInt64? {
        unsafe getenv(name).flatMap { unsafe UInt64(String(cString: $0)) }
    }

    @Test("with nothing cached, the model and the naive SMMU say the same")
    func cold() {
        let translated = every { lockstep, random in lockstep.runCold(questions: 30, using: &random) }
        #expect(translated > 0, "no question was translated: nothing was compared")
    }

    @Test("while nothing changes, the caches change no answer")
    func warm() {
        let translated = every { lockstep, random in lockstep.runWarm(questions: 20, using: &random) }
        #expect(translated > 0, "no question was translated: nothing was compared")
    }

    @Test("after a change and any invalidation that covers it, answers are those of the new state")
    func changes() {
        let translated = every { lockstep, random in lockstep.runSequence(steps: 15, using: &random) }
        #expect(translated > 0, "no question was translated: nothing was compared")
    }

    /// Does `body` with scenario after scenario; the number of questions that were translated.
    private func every(_ body: (inout Lockstep, inout SplitMix64) -> String?) -> Int {
        var translated = 0
        for seed in Self.firstSeed..<Self.firstSeed &+ Self.iterations {
            var random = SplitMix64(seed: seed)
            var lockstep = Lockstep(Scenario(using: &random))
            if let disagreement = body(&lockstep, &random) {
                Issue.record("SMMU_TEST_SEED=\(seed) SMMU_TEST_ITERATIONS=1: \(disagreement)")
                return max(translated, 1)
            }
            translated += lockstep.translated
        }
        return translated
    }
}

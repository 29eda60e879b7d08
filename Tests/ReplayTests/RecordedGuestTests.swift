import BrokerCore
import BrokerHarness
import CaptureFixtures
import Captures
import Configuration
import Testing

@testable import Replay

/// Recorded guests through a broker that runs in this process.
@Suite("Recorded guests through the broker")
struct RecordedGuestTests {
    private func replay(_ name: String, _ quota: Quota = Quota()) throws -> ReplayCheck {
        let harness = try BrokerHarness(.open(quota))
        defer { harness.stop() }
        let capture = try Capture(directory: try CaptureFixtures.directory(named: name))
        return try ReplayCheck(capture, socket: harness.path, device: "model")
    }

    /// What the broker, or the VMM for it, said in place of a result.
    private func refusal(_ replay: () throws -> ReplayCheck) throws -> ReplayError {
        let failure = #expect(throws: ReplayCheck.Failure.self) { _ = try replay() }
        if case .broker(let error) = failure { return error }
        Issue.record("not refused by the broker: \(failure.map { "\($0)" } ?? "nothing")")
        throw CancellationError()
    }

    @Test(
        "Every row that a broker can be asked agrees, and the others are known by number",
        arguments: [
            ("lin-4k-s1-faults", 3531, [:]), ("lin-4k-s1-plain", 5617, [:]),
            ("lin-4k-nested", 7234, [.ownStage2: 2120]), ("lin-4k-s2-vfio", 8171, [.ownStage2: 8123]),
            ("seq-short", 272, [.ownStage2: 107, .invalidSTE: 9]),
        ] as [(String, Int, [SkipReason: Int])])
    func agrees(name: String, rows: Int, skipped: [SkipReason: Int]) throws {
        let check = try replay(name)
        #expect(check.isClean, "\(check.disagreements.first.map { "\($0)" } ?? "") \(check.problems)")
        #expect(check.rows == rows)
        #expect(check.skipped == skipped)
        #expect(check.agreed == rows - check.skippedRows)
    }

    @Test("Commands for a stage 2 are refused and counted, and the rest of the history goes on")
    func refusedCommands() throws {
        let check = try replay("lin-4k-s2-vfio")
        // 2136 TLBI_S2_IPA and 4 TLBI_S12_VMALL.
        #expect(check.refusedCommands == 2140)
        #expect(check.problems.isEmpty)
    }

    @Test("Faults of recorded devices arrive, and the broker's own stage 2 is told apart")
    func stage2Events() throws {
        let check = try replay("lin-4k-s1-faults")
        // One for each translated address whose page is not in the capture.
        #expect(check.stage2Events > 0)
        #expect(check.stage2Events <= 655)
        #expect(check.streams == 31)
        #expect(check.rounds == 1)
    }

    @Test("A session with room for few devices gets them in rounds, and the answers are the same")
    func rounds() throws {
        let check = try replay("lin-4k-s1-faults", Quota(contexts: 7))
        #expect(check.isClean)
        #expect(check.agreed == 3531)
        #expect(check.rounds == 5)
    }

    @Test("A script needs all of its streams at the same time, and what is missing is named")
    func scriptWithoutRoom() throws {
        let error = try refusal { try replay("seq-short", Quota(contexts: 4)) }
        #expect(error.reason.contains("14 contexts"), "\(error)")
        #expect(error.advice.contains("MaxContexts="), "\(error)")
    }

    @Test("Too little memory is named, with the setting to change")
    func memoryQuota() throws {
        let error = try refusal { try replay("lin-4k-s1-faults", Quota(memory: 16 << 12)) }
        #expect(error.advice.contains("MaxMemory="), "\(error)")
    }

    @Test("A socket that is not there is named")
    func noBroker() throws {
        let capture = try Capture(directory: try CaptureFixtures.directory(named: "seq-short"))
        let error = try refusal { try ReplayCheck(capture, socket: "/nonexistent/broker.sock", device: "model") }
        #expect(error.reason.contains("/nonexistent/broker.sock"), "\(error)")
        #expect(error.advice.contains("--socket"), "\(error)")
    }

    @Test("A device that the broker does not have is refused in the broker's words")
    func noDevice() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let capture = try Capture(directory: try CaptureFixtures.directory(named: "seq-short"))
        let error = try refusal { try ReplayCheck(capture, socket: harness.path, device: "nonesuch") }
        #expect(error.reason.contains("nonesuch"), "\(error)")
    }
}

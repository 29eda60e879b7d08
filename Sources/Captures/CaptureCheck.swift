import SMMUModel
import SMMUv3

/// What came of asking a software SMMU all the questions of a capture.
package struct CaptureCheck: Sendable {
    /// The capture's name.
    package let name: String
    package private(set) var rows = 0
    package private(set) var agreed = 0
    /// Rows with an `alt` that got the earlier answer: right, and a sign that something cached was used.
    package private(set) var earlierAnswers = 0
    /// Rows with an `alt`.
    package private(set) var rowsWithAlternative = 0
    package private(set) var disagreements: [Disagreement] = []
    /// Steps that could not be done: a refused command, a store outside the captured pages.
    package private(set) var failedSteps: [FailedStep] = []

    package var isClean: Bool { disagreements.isEmpty && failedSteps.isEmpty }

    package struct Disagreement: Sendable {
        package let row: CaptureRow
        package let given: CaptureAnswer
    }

    package struct FailedStep: Sendable {
        /// The line of `steps.jsonl`, from 1.
        package let line: Int
        package let problem: String
    }

    /// Asks every row of `capture`, each with cold caches, or does its steps in order.
    package init(_ capture: Capture) throws(CaptureError) {
        name = capture.name
        var smmu = CaptureSMMU(capture)
        switch capture.kind {
        case .oracle:
            for row in try capture.rows() {
                // Rows are independent of their order: each was asked of an SMMU that had cached nothing.
                smmu.smmu.invalidateEverything()
                ask(row, &smmu)
            }
        case .steps:
            for (index, step) in try capture.steps().enumerated() { perform(step, line: index + 1, &smmu) }
        }
    }

    private mutating func ask(_ row: CaptureRow, _ smmu: inout CaptureSMMU) {
        let given = smmu.answer(streamID: row.sid, substreamID: row.ssid, address: row.iova, write: row.write)
        rows += 1
        if row.alternative != nil { rowsWithAlternative += 1 }
        if Self.agree(given, row.answer) {
            agreed += 1
        } else if let alternative = row.alternative, Self.agree(given, alternative) {
            agreed += 1
            earlierAnswers += 1
        } else {
            disagreements.append(Disagreement(row: row, given: given))
        }
    }

    private mutating func perform(_ step: CaptureStep, line: Int, _ smmu: inout CaptureSMMU) {
        switch step {
        case .write(let pa, let bytes):
            // The recorded machine had memory there, even where nothing else of the page was worth recording.
            if !smmu.smmu.memory.pages.storeAddingPages(bytes: bytes, at: pa) {
                failedSteps.append(
                    FailedStep(line: line, problem: "the store to \(pa.hex) goes beyond the end of the address space"))
            }
        case .command(let d0, let d1):
            let command = Command(d0: d0, d1: d1)
            if let error = smmu.execute(command) {
                failedSteps.append(FailedStep(line: line, problem: "\(command.name) stopped the queue: \(error.name)"))
            }
        case .translate(let row): ask(row, &smmu)
        }
    }

    /// Whether an answer is the recorded one: the same result, and the same in every part that the recording has, all 32
    /// bytes of a record included.
    ///
    /// One bit is forgiven: the recorded SMMU has no TTRnW (bit 44 of word 1), which says of a stage 2 permission fault
    /// on a table descriptor that the SMMU read it. The model, like the architecture, sets it.
    package static func agree(_ given: CaptureAnswer, _ recorded: CaptureAnswer) -> Bool {
        switch (given, recorded) {
        case (.ok(let pa, let permissions, let stage), .ok(let recordedPA, let recordedPermissions, let recordedStage)):
            return pa == recordedPA && (recordedPermissions == nil || permissions == recordedPermissions)
                && (recordedStage == nil || stage == recordedStage)
        case (.fault(let event, let record), .fault(let recordedEvent, let recordedRecord)):
            guard event == recordedEvent else { return false }
            guard let recordedRecord else { return true }
            return withoutTTRnW(record ?? [], event, as: recordedRecord) == recordedRecord
        default: return given == recorded
        }
    }

    /// The record with TTRnW cleared where the recorded one has it clear.
    private static func withoutTTRnW(_ record: [UInt8], _ event: String, as recorded: [UInt8]) -> [UInt8] {
        guard event == EventID.permission.name, record.count == 32, recorded.count == 32 else { return record }
        var record = record
        record[8 + 44 / 8] &= recorded[8 + 44 / 8] | ~(1 << (44 % 8))
        return record
    }
}

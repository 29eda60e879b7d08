package import Captures
import SMMUv3
package import Wire

/// What came of replaying a capture through the broker.
package struct ReplayCheck: Sendable {
    /// The capture's name.
    package let name: String
    package internal(set) var rows = 0
    package internal(set) var agreed = 0
    /// Rows that were not asked, by the reason.
    package internal(set) var skipped: [SkipReason: Int] = [:]
    /// Rows with an `alt` that were asked, and how many of them got the earlier answer.
    package internal(set) var rowsWithAlternative = 0
    package internal(set) var earlierAnswers = 0
    package internal(set) var disagreements: [Disagreement] = []
    /// Anything else that must not be: a refused command, a store outside the memory, an event that nobody asked for.
    package internal(set) var problems: [Problem] = []

    /// Streams that were attached, and in how many rounds because a session may not have all of them at once.
    package internal(set) var streams = 0
    package internal(set) var rounds = 0
    /// Commands of the recording that went through the guest's queue.
    package internal(set) var commands = 0
    /// Those that were refused because they are for a stage 2, or an EL2, that a nested guest does not have.
    package internal(set) var refusedCommands = 0
    /// Events of the broker's own stage 2: accesses to IPAs that are not among the captured pages.
    package internal(set) var stage2Events = 0
    /// In what the vSMMU shows less than the capture's SMMU had.
    package internal(set) var narrowings: [Narrowing] = []

    package var skippedRows: Int { skipped.values.reduce(0, +) }
    package var isClean: Bool { disagreements.isEmpty && problems.isEmpty }

    package struct Disagreement: Sendable {
        package let row: CaptureRow
        package let given: CaptureAnswer
        /// What cannot be seen by comparing the answers.
        package let note: String?
    }

    package struct Problem: Equatable, Sendable {
        /// `steps.jsonl, line 12`.
        package let place: String
        package let problem: String
    }

    /// Why there is no result.
    package enum Failure: Error {
        case capture(CaptureError)
        case broker(ReplayError)
    }

    /// Replays `capture` through the broker that listens at `socket`. Its devices are made from `device`, the name of a
    /// template.
    package init(_ capture: Capture, socket: String, device: String) throws(Failure) {
        name = capture.name
        switch capture.kind {
        case .oracle:
            let (rows, commands) = try Self.read(capture)
            do throws(ReplayError) {
                try replay(capture, rows, commands, on: try ReplayVMM(capture, socket: socket, device: device))
            } catch { throw .broker(error) }
        case .steps:
            let steps: [CaptureStep]
            do throws(CaptureError) { steps = try capture.steps() } catch { throw .capture(error) }
            do throws(ReplayError) {
                let (stored, reached) = (Self.storedPages(steps), Self.reachedPages(steps))
                let vmm = try ReplayVMM(
                    capture, adding: stored, andPerhaps: reached, socket: socket, device: device)
                try replay(capture, steps, on: vmm)
            } catch { throw .broker(error) }
        }
    }

    private static func read(_ capture: Capture) throws(Failure) -> ([CaptureRow], [Command]) {
        do throws(CaptureError) {
            return (try capture.rows(), try capture.commands().map { Command(d0: $0.d0, d1: $0.d1) })
        } catch { throw .capture(error) }
    }

    /// Asks a row, and compares the answer.
    mutating func ask(_ row: CaptureRow, of vmm: ReplayVMM) throws(ReplayError) {
        let (given, note) = try vmm.ask(row)
        if row.alternative != nil { rowsWithAlternative += 1 }
        if note == nil, CaptureCheck.agree(given, row.answer) {
            agreed += 1
        } else if note == nil, let alternative = row.alternative, CaptureCheck.agree(given, alternative) {
            agreed += 1
            earlierAnswers += 1
        } else {
            disagreements.append(Disagreement(row: row, given: given, note: note))
        }
    }

    /// Judges commands that were refused. What stopped the recorded SMMU as well is none of the broker's making.
    mutating func judge(
        _ refusals: [GuestQueue.Refusal], of file: String, unit: String, recordedOn ids: IDRegisters?
    ) {
        for refusal in refusals {
            let (command, error) = (refusal.command, refusal.error)
            if error == .illegal, command.isOfOwnStage2 {
                refusedCommands += 1
                continue
            }
            if let ids, error == .illegal, command.illegality(on: ids) != nil { continue }
            problems.append(
                Problem(
                    place: "\(file), \(unit) \(refusal.place)",
                    problem: "\(command.name) stopped the queue: \(error.name)"))
        }
    }

    /// Takes the session's last events and counts, and notes what nobody asked for.
    mutating func finish(_ capture: Capture, with vmm: ReplayVMM) throws(ReplayError) {
        for record in try vmm.inbox.takeAll() {
            problems.append(Problem(place: "events", problem: "nobody asked for this one: \(record.text)"))
        }
        if vmm.inbox.lost > 0 {
            problems.append(Problem(place: "events", problem: "the broker has lost \(vmm.inbox.lost) records"))
        }
        stage2Events = vmm.inbox.stage2Records
        narrowings = vmm.narrowings
    }

    mutating func notePassedStage2(_ vmm: ReplayVMM) {
        for vsid in vmm.streamsWithOwnStage2 {
            problems.append(
                Problem(place: "StreamID \(vsid)", problem: "the guest's own stage 2 was not refused by the broker"))
        }
    }
}

extension Command {
    /// TLBI of stage 2, of EL2 or of EL3: not a nested guest's to send.
    var isOfOwnStage2: Bool {
        switch opcode {
        case .tlbiS12VMAll, .tlbiS2IPA, .tlbiEL2All, .tlbiEL2ASID, .tlbiEL2VA, .tlbiEL2VAA, .tlbiEL3All, .tlbiEL3VA:
            true
        default: false
        }
    }
}

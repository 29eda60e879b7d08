import Captures
import JSON
import Replay
import Wire

/// What came of replaying one capture, as text and as JSON.
struct ReplayReport {
    let check: ReplayCheck
    /// The file that the rows' line numbers are of.
    private let file: String

    init(_ directory: String, socket: String, device: String) throws(Failure) {
        let capture = try openCapture(directory, to: "replay")
        do throws(ReplayCheck.Failure) {
            check = try ReplayCheck(capture, socket: socket, device: device)
        } catch {
            switch error {
            case .capture(let error): throw Failure(error, to: "replay \(directory)")
            case .broker(let error):
                throw Failure(action: "replay \(directory)", reason: error.reason, advice: error.advice)
            }
        }
        file = capture.kind == .steps ? "steps.jsonl" : "oracle.jsonl"
    }

    var isClean: Bool { check.isClean }

    private var disagreements: [DisagreementReport] {
        check.disagreements.map { DisagreementReport(row: $0.row, given: $0.given, by: "broker", note: $0.note) }
    }

    // MARK: - Text

    func text(_ style: Style) -> String {
        var summary = "\(check.name.visible): \(check.rows) rows, \(check.agreed) agree"
        if check.skippedRows > 0 { summary += ", \(check.skippedRows) skipped (\(reasons))" }
        if check.rowsWithAlternative > 0 {
            summary += " (\(check.earlierAnswers) of \(check.rowsWithAlternative) rows with an alternative got the "
            summary += "earlier answer)"
        }
        var lines = [check.isClean ? summary : style.bad(summary)]
        for disagreement in disagreements { lines += [""] + disagreement.lines(file, style) }
        if !check.problems.isEmpty { lines.append("") }
        for problem in check.problems { lines.append("  \(problem.place): \(problem.problem.visible)") }
        if !check.isClean { lines += narrowings + [""] }
        return lines.joined(separator: "\n")
    }

    private var reasons: String { skipped.map { "\($0.reason.rawValue): \($0.count)" }.joined(separator: ", ") }

    private var skipped: [(reason: SkipReason, count: Int)] {
        SkipReason.allCases.compactMap { reason in check.skipped[reason].map { (reason, $0) } }
    }

    /// In what the vSMMU is less than the recorded SMMU: the first place to look when answers differ.
    private var narrowings: [String] {
        guard !check.narrowings.isEmpty else { return [] }
        return ["", "  The vSMMU shows less than the recorded SMMU:"]
            + check.narrowings.map { "    \($0.field): \($0.given) in place of \($0.wanted) (\($0.causeName))" }
    }

    static func total(of reports: [ReplayReport]) -> String {
        func sum(_ count: (ReplayCheck) -> Int) -> Int { reports.reduce(0) { $0 + count($1.check) } }
        let skipped = sum(\.skippedRows)
        return "\(reports.count) \(reports.count == 1 ? "capture" : "captures"): \(sum(\.rows)) rows, "
            + "\(sum(\.agreed)) agree" + (skipped > 0 ? ", \(skipped) skipped" : "")
    }

    // MARK: - JSON

    var json: JSONValue {
        let alternatives: JSONValue = [
            "rows": count(check.rowsWithAlternative), "earlier": count(check.earlierAnswers),
        ]
        return .object(
            JSONObject([
                ("name", .string(check.name)), ("rows", count(check.rows)), ("agree", count(check.agreed)),
                ("skipped", .object(JSONObject(skipped.map { ($0.reason.rawValue, count($0.count)) }))),
                ("alternatives", alternatives),
                ("streams", count(check.streams)), ("rounds", count(check.rounds)),
                ("commands", count(check.commands)), ("refusedCommands", count(check.refusedCommands)),
                ("stage2Events", count(check.stage2Events)),
                ("narrowings", .array(check.narrowings.map(\.json))),
                ("disagreements", .array(disagreements.map(\.json))),
                (
                    "problems",
                    .array(check.problems.map { ["place": .string($0.place), "problem": .string($0.problem)] })
                ),
            ]))
    }

    private func count(_ number: Int) -> JSONValue { JSONValue(UInt64(number)) }
}

extension Narrowing {
    fileprivate var causeName: String {
        switch cause {
        case .host: "host"
        case .nesting: "nesting"
        case .policy: "policy"
        case nil: "unknown"
        }
    }

    fileprivate var json: JSONValue {
        [
            "field": .string(field.description), "wanted": JSONValue(UInt64(wanted)), "host": JSONValue(UInt64(host)),
            "given": JSONValue(UInt64(given)), "cause": .string(causeName),
        ]
    }
}

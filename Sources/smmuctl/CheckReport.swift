import Captures
import JSON

/// What came of one capture, as text and as JSON.
struct CheckReport {
    let check: CaptureCheck
    /// The file that the line numbers are of.
    private let file: String

    init(_ directory: String) throws(Failure) {
        let capture = try openCapture(directory, to: "check")
        do throws(CaptureError) {
            check = try CaptureCheck(capture)
        } catch {
            throw Failure(error, to: "check \(directory)")
        }
        file = capture.kind == .steps ? "steps.jsonl" : "oracle.jsonl"
    }

    private var disagreements: [DisagreementReport] {
        check.disagreements.map { DisagreementReport(row: $0.row, given: $0.given, by: "model") }
    }

    // MARK: - Text

    func text(_ style: Style) -> String {
        var summary = "\(check.name.visible): \(check.rows) rows, \(check.agreed) agree"
        if check.rowsWithAlternative > 0 {
            summary += " (\(check.earlierAnswers) of \(check.rowsWithAlternative) rows with an alternative got the "
            summary += "earlier answer)"
        }
        var lines = [check.isClean ? summary : style.bad(summary)]
        for disagreement in disagreements { lines += [""] + disagreement.lines(file, style) }
        if !check.failedSteps.isEmpty { lines.append("") }
        for step in check.failedSteps { lines.append("  \(file), line \(step.line): \(step.problem.visible)") }
        if !check.isClean { lines.append("") }
        return lines.joined(separator: "\n")
    }

    // MARK: - JSON

    var json: JSONValue {
        let alternatives: JSONValue = [
            "rows": JSONValue(UInt64(check.rowsWithAlternative)), "earlier": JSONValue(UInt64(check.earlierAnswers)),
        ]
        return .object(
            JSONObject([
                ("name", .string(check.name)), ("rows", JSONValue(UInt64(check.rows))),
                ("agree", JSONValue(UInt64(check.agreed))), ("alternatives", alternatives),
                ("disagreements", .array(disagreements.map(\.json))),
                (
                    "failedSteps",
                    .array(
                        check.failedSteps.map { ["line": JSONValue(UInt64($0.line)), "problem": .string($0.problem)] })
                ),
            ]))
    }
}

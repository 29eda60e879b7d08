import Captures
import JSON
import SMMUv3

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

    // MARK: - Text

    func text(_ style: Style) -> String {
        var summary = "\(check.name.visible): \(check.rows) rows, \(check.agreed) agree"
        if check.rowsWithAlternative > 0 {
            summary += " (\(check.earlierAnswers) of \(check.rowsWithAlternative) rows with an alternative got the "
            summary += "earlier answer)"
        }
        var lines = [check.isClean ? summary : style.bad(summary)]
        for disagreement in check.disagreements { lines += [""] + disagreement.lines(file, style) }
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
                ("disagreements", .array(check.disagreements.map(\.json))),
                (
                    "failedSteps",
                    .array(
                        check.failedSteps.map { ["line": JSONValue(UInt64($0.line)), "problem": .string($0.problem)] })
                ),
            ]))
    }
}

// MARK: - Disagreements

extension CaptureCheck.Disagreement {
    /// The question in one line, and below it what was recorded beside what the model says.
    fileprivate func lines(_ file: String, _ style: Style) -> [String] {
        let substream = row.ssid.map { ", substream \($0)" } ?? ""
        let question =
            "\(file), line \(row.line): stream \(row.sid)\(substream), "
            + "\(row.write ? "write" : "read") at \(row.iova.hex)"
        var columns = [("recorded", row.answer.parts)]
        if let alternative = row.alternative { columns.append(("earlier", alternative.parts)) }
        columns.append(("model", given.parts))
        var names: [String] = []
        for part in columns.flatMap(\.1) where !names.contains(part.name) { names.append(part.name) }

        var table = TextTable()
        table.add([""] + columns.map(\.0), paint: style.dim)
        for name in names {
            let values = columns.map { column in column.1.first { $0.name == name }?.text ?? "-" }
            let differs = values.last != values.first
            table.add([name] + values + (differs ? ["<"] : [])) { differs ? style.bad($0) : $0 }
        }
        return ["  \(style.bold(question))"] + table.lines(indent: 4)
    }

    fileprivate var json: JSONValue {
        var object = JSONObject([
            ("line", JSONValue(UInt64(row.line))), ("sid", JSONValue(UInt64(row.sid))),
            ("ssid", row.ssid.map { JSONValue(UInt64($0)) } ?? .null), ("iova", .hex(row.iova)),
            ("access", row.write ? "w" : "r"), ("recorded", row.answer.json),
        ])
        if let alternative = row.alternative { object["alternative"] = alternative.json }
        object["model"] = given.json
        return .object(object)
    }
}

extension CaptureAnswer {
    /// The answer in named parts: what it says, and the fields and words of its record.
    fileprivate var parts: [(name: String, text: String)] {
        switch self {
        case .ok(let pa, let permissions, let stage):
            return [
                ("result", "ok"), ("pa", pa.hex), ("permissions", permissions?.letters ?? "not said"),
                ("stage", stage.map(String.init) ?? "not said"),
            ]
        case .bypass(let pa): return [("result", "bypass"), ("pa", pa.hex)]
        case .abort: return [("result", "abort")]
        case .fault(let event, let bytes):
            let recorded = bytes.map { $0.isEmpty ? "no" : "yes" } ?? "not said"
            var parts = [("result", "fault"), ("event", event.visible), ("recorded", recorded)]
            guard let record = EventRecord(bytes: bytes ?? []) else { return parts }
            parts += record.describe().map { ("record \($0.name)", $0.text) }
            parts += record.words.array.enumerated().map { ("record word \($0.offset)", $0.element.hexWord) }
            return parts
        }
    }

    /// As in the files of a capture.
    fileprivate var json: JSONValue {
        switch self {
        case .ok(let pa, let permissions, let stage):
            [
                "result": "ok", "pa": .hex(pa), "perm": permissions.map { .string($0.letters) } ?? .null,
                "stage": stage.map { .integer(Int64($0)) } ?? .null,
            ]
        case .bypass(let pa): ["result": "bypass", "pa": .hex(pa)]
        case .abort: ["result": "abort"]
        case .fault(let event, let record):
            ["result": "fault", "event": .string(event), "record": record.map { .string($0.hexBytes) } ?? .null]
        }
    }
}

extension CapturePermissions {
    fileprivate var letters: String { (contains(.read) ? "r" : "") + (contains(.write) ? "w" : "") }
}

extension EventRecord {
    /// 32 bytes in memory order; nil if it is another number of them.
    fileprivate init?(bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        var words = SIMD4<UInt64>.zero
        for (place, byte) in bytes.enumerated() { words[place / 8] |= UInt64(byte) << UInt64(place % 8 * 8) }
        self.init(words: words)
    }
}

import Captures
import JSON
import SMMUv3

/// A row that was not answered as it was recorded, as text and as JSON.
struct DisagreementReport {
    let row: CaptureRow
    let given: CaptureAnswer
    /// Who gave the answer: `model` or `broker`.
    let by: String
    /// What cannot be seen by comparing the two.
    let note: String?

    init(row: CaptureRow, given: CaptureAnswer, by: String, note: String? = nil) {
        (self.row, self.given, self.by, self.note) = (row, given, by, note)
    }

    /// The question in one line, and below it what was recorded beside what was answered.
    func lines(_ file: String, _ style: Style) -> [String] {
        let substream = row.ssid.map { ", substream \($0)" } ?? ""
        let question =
            "\(file), line \(row.line): stream \(row.sid)\(substream), "
            + "\(row.write ? "write" : "read") at \(row.iova.hex)"
        var columns = [("recorded", row.answer.parts)]
        if let alternative = row.alternative { columns.append(("earlier", alternative.parts)) }
        columns.append((by, given.parts))
        var names: [String] = []
        for part in columns.flatMap(\.1) where !names.contains(part.name) { names.append(part.name) }

        var table = TextTable()
        table.add([""] + columns.map(\.0), paint: style.dim)
        for name in names {
            let values = columns.map { column in column.1.first { $0.name == name }?.text ?? "-" }
            let differs = values.last != values.first
            table.add([name] + values + (differs ? ["<"] : [])) { differs ? style.bad($0) : $0 }
        }
        let notes = note.map { ["    \($0.visible)"] } ?? []
        return ["  \(style.bold(question))"] + table.lines(indent: 4) + notes
    }

    var json: JSONValue {
        var object = JSONObject([
            ("line", JSONValue(UInt64(row.line))), ("sid", JSONValue(UInt64(row.sid))),
            ("ssid", row.ssid.map { JSONValue(UInt64($0)) } ?? .null), ("iova", .hex(row.iova)),
            ("access", row.write ? "w" : "r"), ("recorded", row.answer.json),
        ])
        if let alternative = row.alternative { object["alternative"] = alternative.json }
        object[by] = given.json
        if let note { object["note"] = .string(note) }
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

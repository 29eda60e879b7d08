import Captures
import JSON
import SMMUModel
import SMMUv3

/// One transaction, how its translation went, and what came of it.
struct TranslationReport {
    private let name: String
    private let transaction: Transaction
    private let trace: WalkTrace
    private let result: TranslationResult

    init(_ capture: Capture, _ transaction: Transaction) {
        var replay = CaptureSMMU(capture)
        self.init(capture.name, &replay.smmu, transaction)
    }

    init(_ name: String, _ smmu: inout SoftwareSMMU<some PhysicalMemory>, _ transaction: Transaction) {
        (self.name, self.transaction) = (name, transaction)
        var recorder = StepRecorder()
        result = smmu.translate(transaction, observer: &recorder)
        var trace = WalkTrace(recorder.steps, smmu.ids, e2h: smmu.registers.e2h)
        switch result {
        case .faulted(let termination): trace.mark(end: termination.record.name)
        case .stalled(let record, _): trace.mark(end: record.name)
        default: break
        }
        self.trace = trace
    }

    /// Whether the access goes through.
    var isTranslated: Bool {
        switch result {
        case .translated, .bypassed: true
        case .aborted, .faulted, .stalled, .backpressured: false
        }
    }

    /// The event that it ends in.
    var event: EventID? {
        switch result {
        case .faulted(let termination): termination.record.id
        case .stalled(let record, _): record.id
        case .translated, .bypassed, .aborted, .backpressured: nil
        }
    }

    // MARK: - Text

    func text(_ style: Style) -> String {
        var walk = TextTable()
        walk.add(line: trace.entries.isEmpty ? "no table was read" : "configuration")
        for entry in trace.entries { entry.add(to: &walk, depth: entry.isHeading ? 0 : 1, style) }
        return ([style.bold("\(name.visible): \(question)"), ""] + walk.lines(indent: 2) + [""] + outcome(style))
            .joined(separator: "\n")
    }

    private var question: String {
        let substream = transaction.substreamID.map { ", substream \($0.rawValue)" } ?? ""
        let access = transaction.write ? "write" : (transaction.instruction ? "instruction fetch" : "read")
        let privilege = transaction.privileged ? "privileged" : "unprivileged"
        return
            "stream \(transaction.streamID.rawValue)\(substream), \(privilege) \(access) at \(transaction.address.hex)"
    }

    private func outcome(_ style: Style) -> [String] {
        switch result {
        case .translated(let translation):
            var table = TextTable()
            table.add("stages", translation.stages.text)
            if translation.stages == .both { table.add("IPA", translation.ipa.hex) }
            table.add("permissions", translation.permissions.text)
            table.add("mapped alike", byteCount(log2: translation.sizeLog2))
            return [style.good("Translated to \(translation.pa.hex)")] + table.lines(indent: 2)
        case .bypassed(let pa): return [style.good("Not translated: the address passes as \(pa.hex)")]
        case .aborted: return [style.bad("Aborted: terminated by configuration, and no event is recorded")]
        case .faulted(let termination):
            let recorded = termination.recorded ? "yes" : "no: \(termination.record.suppressor) is 0"
            return event(termination.record, recorded: recorded, device: termination.response.text, style)
        case .stalled(let record, let tag):
            let device = "nothing yet: it waits until RESUME or STALL_TERM answers tag \(UInt64(tag).hex)"
            return event(record, recorded: "yes", device: device, style)
        case .backpressured: return [style.bad("Held back: no more transactions can be stalled")]
        }
    }

    private func event(_ record: EventRecord, recorded: String, device: String, _ style: Style) -> [String] {
        var fates = TextTable()
        fates.add("recorded", recorded)
        fates.add("the device sees", device)
        fates.add("record", record.words.array.map(\.hexWord).joined(separator: " "))
        var fields = TextTable()
        for field in record.describe().map(DecodedField.init) { fields.add(field.name, field.number, field.meaning) }
        return [style.bad("\(record.name): \(record.meaning)")] + fates.lines(indent: 2) + [""]
            + fields.lines(indent: 2)
    }

    // MARK: - JSON

    var json: JSONValue {
        let access = transaction.write ? "write" : (transaction.instruction ? "execute" : "read")
        return .object(
            JSONObject([
                ("capture", .string(name)), ("sid", JSONValue(UInt64(transaction.streamID.rawValue))),
                ("ssid", transaction.substreamID.map { JSONValue(UInt64($0.rawValue)) } ?? .null),
                ("iova", .hex(transaction.address)), ("access", .string(access)),
                ("privileged", .bool(transaction.privileged)), ("steps", .array(trace.entries.map(\.fullJSON))),
                ("result", resultJSON),
            ]))
    }

    private var resultJSON: JSONValue {
        switch result {
        case .translated(let translation):
            [
                "kind": "translated", "pa": .hex(translation.pa), "ipa": .hex(translation.ipa),
                "permissions": translation.permissions.json, "stage": .integer(Int64(translation.stages.rawValue)),
                "sizeLog2": .integer(Int64(translation.sizeLog2)),
            ]
        case .bypassed(let pa): ["kind": "bypassed", "pa": .hex(pa)]
        case .aborted: ["kind": "aborted"]
        case .faulted(let termination):
            eventJSON("faulted", termination.record, recorded: termination.recorded, termination.response.name)
        case .stalled(let record, _): eventJSON("stalled", record, recorded: true, "stall")
        case .backpressured: ["kind": "backpressured"]
        }
    }

    private func eventJSON(_ kind: String, _ record: EventRecord, recorded: Bool, _ response: String) -> JSONValue {
        [
            "kind": .string(kind), "event": .string(record.name), "meaning": .string(record.meaning),
            "recorded": .bool(recorded), "response": .string(response), "words": .hexWords(record.words.array),
            "fields": .array(record.describe().map { DecodedField($0).json }),
        ]
    }
}

/// A power of two in the unit that suits it: `4 KiB`.
private func byteCount(log2: Int) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    return "\(1 << (log2 % 10)) \(units[min(log2 / 10, units.count - 1)])"
}

extension Translation.Stages {
    fileprivate var text: String {
        switch self {
        case .stage1: "stage 1"
        case .stage2: "stage 2"
        case .both: "stage 1, then stage 2"
        }
    }
}

extension Termination.Response {
    fileprivate var text: String {
        switch self {
        case .abort: "an abort"
        case .readZeroWriteIgnored: "zero for a read, nothing for a write: CD.A is 0"
        case .atsDenied: "an ATS answer without permission"
        }
    }

    fileprivate var name: String {
        switch self {
        case .abort: "abort"
        case .readZeroWriteIgnored: "readZeroWriteIgnored"
        case .atsDenied: "atsDenied"
        }
    }
}

extension EventRecord {
    /// The bit that keeps an event like this one from being recorded.
    fileprivate var suppressor: String {
        id == .badStreamID ? "CR2.RECINVSID" : (stage2 ? "STE.S2R" : "CD.R")
    }
}

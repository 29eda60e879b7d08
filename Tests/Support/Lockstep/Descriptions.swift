import NaiveWalker
import SMMUv3
import Scenarios

extension ScenarioQuestion {
    /// For the report of a disagreement.
    var text: String {
        let substream = ssid.map { "\($0)" } ?? "none"
        let kind = write ? "write" : (instruction ? "fetch" : "read")
        return "stream \(sid), substream \(substream): \(privileged ? "privileged " : "")\(kind) of \(iova.hex)"
    }
}

extension NaiveAnswer {
    /// For the report of a disagreement.
    var text: String {
        switch self {
        case .ok(let pa, let read, let write, let stage):
            "ok \(pa.hex) \(read ? "r" : "-")\(write ? "w" : "-") stage \(stage)"
        case .bypass(let pa): "bypass \(pa.hex)"
        case .abort: "abort"
        case .fault(let record, let recorded): "fault \(Self.text(record)) recorded \(recorded)"
        case .stalled(let record): "stalled \(Self.text(record))"
        }
    }

    private static func text(_ record: [UInt64]) -> String { record.map(\.hex).joined(separator: " ") }
}

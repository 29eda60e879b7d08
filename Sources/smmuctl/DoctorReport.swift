import HostSurvey
import JSON

/// What was found on a host, as text and as JSON.
struct DoctorReport {
    /// That is asked about.
    let backend: String
    let findings: [Finding]

    var isFine: Bool { !findings.contains(where: \.isFatal) }

    func text(_ style: Style) -> String {
        var lines: [String] = []
        for finding in findings {
            lines.append(painted(finding, style) + finding.text.visible)
            if !finding.advice.isEmpty && finding.verdict != .ok {
                lines.append(style.dim(String.blanks(9) + "-> " + finding.advice.visible))
            }
        }
        return (lines + ["", isFine ? style.good(conclusion) : style.bad(conclusion)]).joined(separator: "\n")
    }

    private func painted(_ finding: Finding, _ style: Style) -> String {
        let word = finding.verdict.rawValue.padded(to: 9)
        if finding.isFatal { return style.bad(word) }
        return finding.verdict == .ok ? style.good(word) : style.bold(word)
    }

    private var conclusion: String {
        let needed = findings.count(where: \.isFatal)
        if needed > 0 { return "The backend \(backend) needs \(needed) \(needed == 1 ? "thing" : "things") more." }
        let missing = findings.count { $0.verdict == .missing }
        let rest = missing == 0 ? "" : " What is missing, only a backend for hardware needs."
        return "Nothing that the backend \(backend) needs is missing.\(rest)"
    }

    var json: JSONValue {
        .object(
            JSONObject([
                ("backend", .string(backend)), ("fine", .bool(isFine)), ("findings", .array(findings.map(\.json))),
            ]))
    }
}

extension Finding {
    fileprivate var json: JSONValue {
        .object(
            JSONObject([
                ("check", .string(check.rawValue)), ("verdict", .string(verdict.rawValue)), ("needed", .bool(isNeeded)),
                ("text", .string(text)), ("advice", .string(advice)),
            ]))
    }
}

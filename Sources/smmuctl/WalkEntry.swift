import JSON

/// One step of a walk made readable, and below it the stage 2 walk that found where its words are.
struct WalkEntry {
    /// Columns: what it is, where it was read, the word, the decision, and what that means. An entry with a label alone
    /// is a heading.
    var label: String
    var place = ""
    var word = ""
    var decision = ""
    var meaning = ""
    /// What a structure says, a line of its own.
    var summary = ""
    /// What is wrong with it: lines of their own.
    var problems: [(text: String, rule: String)] = []
    var isBad = false
    /// The step as JSON, without `stage2`.
    var json: JSONValue = [:]
    var stage2: [WalkEntry] = []

    var isHeading: Bool { place.isEmpty && word.isEmpty && decision.isEmpty && meaning.isEmpty }

    var fullJSON: JSONValue {
        var object = json.object ?? JSONObject()
        if !problems.isEmpty {
            object["problems"] = .array(problems.map { ["reason": .string($0.text), "rule": .string($0.rule)] })
        }
        if !stage2.isEmpty { object["stage2"] = .array(stage2.map(\.fullJSON)) }
        return .object(object)
    }

    /// Marks the step at which a walk ended with this event.
    mutating func mark(end event: String) {
        if isHeading, let last = stage2.indices.last { return stage2[last].mark(end: event) }
        let mark = "<- \(event)"
        if isHeading { label += "  \(mark)" } else { meaning += meaning.isEmpty ? mark : "  \(mark)" }
        isBad = true
    }

    /// Adds a member to the step's JSON.
    mutating func note(_ key: String, _ value: JSONValue) {
        var object = json.object ?? JSONObject()
        object[key] = value
        json = .object(object)
    }

    /// Adds the entry and what is below it to a table, indented by `depth` steps.
    func add(to table: inout TextTable, depth: Int, _ style: Style) {
        let indented = String.blanks(2 * depth) + label
        if isHeading {
            table.add(line: indented)
        } else {
            table.add([indented, place, word, decision, meaning]) { isBad ? style.bad($0) : $0 }
        }
        if !summary.isEmpty { table.add(line: String.blanks(2 * depth + 2) + summary) }
        for problem in problems {
            table.add(line: String.blanks(2 * depth + 2) + style.bad("ILLEGAL: \(problem.text) (\(problem.rule))"))
        }
        // A walk has its heading below the fetch, and its steps below the heading.
        for entry in stage2 { entry.add(to: &table, depth: depth + (isHeading || entry.isHeading ? 1 : 2), style) }
    }
}

import JSON
import SMMUv3

/// A structure made readable: what `decode` shows, as text and as JSON.
struct Decoded {
    let kind: StructureKind
    let words: [UInt64]
    /// What it means, in one line.
    let summary: String
    let fields: [DecodedField]
    /// Bits set outside every field, by word.
    let reserved: [UInt64]
    let architecture: Verdict
    let nested: Verdict
}

/// A field, its value and what that means.
struct DecodedField {
    let name: String
    let value: UInt64
    /// The value as people write it.
    let number: String
    /// Empty if there is nothing to say.
    let meaning: String

    init(_ field: DescribedField) {
        name = field.name
        value = field.value
        // The text is a number, and behind it in parentheses what it means.
        let parts = field.text.split(separator: " (", maxSplits: 1)
        number = parts.first.map(String.init) ?? field.text
        meaning = parts.count == 2 ? String(parts[1].dropLast()) : FieldGlossary.words(for: field.name) ?? ""
    }

    var json: JSONValue {
        .object(JSONObject([("name", .string(name)), ("value", .string(value.hex)), ("meaning", .string(meaning))]))
    }
}

/// What somebody makes of a structure.
struct Verdict {
    let accepted: Bool
    /// `legal`, `ILLEGAL`, `forwarded`…
    let headline: String
    var reasons: [(text: String, rule: String)] = []
    /// What is taken out and what is left, by word; for an STE that a vSMMU passes on.
    var passedOn: (stripped: [UInt64], words: [UInt64])?
}

// MARK: - Text

extension Decoded {
    func text(_ registers: AssumedRegisters, _ style: Style) -> String {
        // The summary of a command or an event begins with its name.
        let title = kind == .ste || kind == .cd ? "\(kind.title): " : ""
        var lines = [style.bold(title + summary), ""]
        // Words behind the last one that is set say nothing; two always show.
        let shown = max(2, (words.lastIndex { $0 != 0 } ?? 0) + 1)
        for (index, word) in words.prefix(shown).enumerated() { lines.append("  word \(index)  \(word.hexWord)") }
        lines.append("")
        var table = TextTable()
        table.add("Field", "Value", "Meaning", paint: style.dim)
        for field in fields { table.add(field.name, field.number, field.meaning) }
        lines += table.lines(indent: 2) + [""]
        lines += ["Reserved bits: \(Self.bits(reserved))", ""]
        lines += architecture.lines("Architecture", style) + nested.lines("Nested vSMMU", style) + [""]
        var assumed = TextTable()
        assumed.add("architecture", registers.architecture.line, registers.origin.architecture)
        assumed.add("nested vSMMU", registers.nested.line, registers.origin.nested)
        lines += ["ID registers assumed:"] + assumed.lines(indent: 2).map(style.dim)
        if kind == .cd { lines.append("Assumed of the STE: S1STALLD is 0, and STRW is EL1.") }
        return lines.joined(separator: "\n")
    }

    static func bits(_ words: [UInt64]) -> String {
        let set = words.enumerated().filter { $0.element != 0 }.map { "word \($0.offset) \($0.element.hex)" }
        return set.isEmpty ? "none" : set.joined(separator: ", ")
    }
}

extension Verdict {
    func lines(_ name: String, _ style: Style) -> [String] {
        var lines = ["\(name): \(accepted ? style.good(headline) : style.bad(headline))"]
        lines += reasons.map { "  \($0.text) (\($0.rule))" }
        if let passedOn {
            lines.append("  passed on: \(passedOn.words.map(\.hexWord).joined(separator: " "))")
            lines.append("  stripped:  \(Decoded.bits(passedOn.stripped))")
        }
        return lines
    }
}

// MARK: - JSON

extension Decoded {
    func json(_ registers: AssumedRegisters) -> JSONValue {
        .object(
            JSONObject([
                ("kind", .string(kind.rawValue)), ("words", .hexWords(words)), ("summary", .string(summary)),
                ("fields", .array(fields.map(\.json))), ("reservedBits", .hexWords(reserved)),
                ("architecture", architecture.json(registers.architecture)),
                ("nested", nested.json(registers.nested)),
            ]))
    }
}

extension Verdict {
    func json(_ ids: IDRegisters) -> JSONValue {
        var object = JSONObject([
            ("accepted", .bool(accepted)), ("verdict", .string(headline)),
            ("reasons", .array(reasons.map { ["reason": .string($0.text), "rule": .string($0.rule)] })),
        ])
        if let passedOn {
            object["stripped"] = .hexWords(passedOn.stripped)
            object["passedOn"] = .hexWords(passedOn.words)
        }
        object["idRegisters"] = ids.json
        return .object(object)
    }
}

extension JSONValue {
    static func hexWords(_ words: [UInt64]) -> JSONValue { .array(words.map { .string($0.hexWord) }) }
    static func hex(_ value: UInt64) -> JSONValue { .string(value.hex) }
}

import BrokerClient
import JSON
import SMMUv3
import Wire

/// An event and what it means, as text and as JSON.
struct ExplanationReport {
    let subject: EventSubject
    /// The same access in a capture.
    let walk: TranslationReport?
    private let explanation: EventExplanation
    private let steps: [NextStep]

    init(_ subject: EventSubject, walk: TranslationReport? = nil) {
        (self.subject, self.walk) = (subject, walk)
        explanation = EventExplanation(subject.record)
        steps = NextStep.after(subject, explanation)
    }

    private var record: EventRecord { subject.record }

    // MARK: - Text

    func text(_ style: Style) -> String {
        var lines = [style.bad(record.name) + ": \(record.meaning)"]
        if let told = subject.told { lines.append(style.dim(EventLine.text(told.event, .plain))) }
        var fields = TextTable()
        for field in record.describe().map(DecodedField.init) { fields.add(field.name, field.number, field.meaning) }
        lines += [""] + fields.lines(indent: 2)
        lines += ["", style.bold("What the SMMU was doing"), "  \(explanation.doing)"]
        if !explanation.sides.isEmpty {
            lines += ["", style.bold("At fault, the likeliest first")] + explanation.sides.map { "  \($0.text)" }
        }
        lines += ["", style.bold("Usual causes, the likeliest first")] + explanation.causes.map { "  - \($0)" }
        lines += ["", style.bold("What to look at next")]
        var table = TextTable()
        for step in steps { table.add(step.command, step.shows) }
        lines += table.lines(indent: 2) + context(style) + live(style)
        if let walk { lines += ["", style.bold("The same access in a capture"), walk.text(style)] }
        return lines.joined(separator: "\n")
    }

    /// What is installed for the device now.
    private func context(_ style: Style) -> [String] {
        guard subject.told != nil || subject.live != nil else { return [] }
        let title = ["", style.bold("The installed STE")]
        guard let context = subject.live?.explained?.reply.context ?? subject.told?.context else {
            return title + ["  None: the device is no longer attached, or its session has ended."]
        }
        let ste = context.ste
        let summary = ste.valid ? ste.summary : "none"
        var table = TextTable()
        for field in ste.valid ? ste.describe().map(DecodedField.init) : [] {
            table.add(field.name, field.number, field.meaning)
        }
        return title + ["  \(summary) (the device is on: \(context.state.name))"]
            + (ste.valid ? ["  \(context.word0.hexWord) \(context.word1.hexWord)"] : []) + table.lines(indent: 4)
    }

    /// What the broker knows of the access at the moment.
    private func live(_ style: Style) -> [String] {
        guard let live = subject.live else { return [] }
        if let problem = live.problem { return ["", "The session could not be asked: \(problem.visible)"] }
        guard live.explained != nil else { return [] }
        var lines: [String] = []
        let found = Observations.of(subject, live)
        if !found.isEmpty { lines += ["", style.bold("What stands out")] + found.map { "  - \($0)" } }
        lines += ["", style.bold("The last invalidations, the newest first")]
        var table = TextTable()
        for line in PastInvalidations(live, fault: subject.told?.event.time).lines { table.add(line.when, line.what) }
        let rows = table.lines(indent: 2)
        lines += rows.isEmpty ? ["  None since the vSMMU was made."] : rows
        lines += ["", style.bold("The same access by the tables as they are now")]
        if let report = live.report { return lines + [report.text(style)] }
        return lines + ["  Guest memory is not at hand: the broker's backend does not read it."]
    }

    // MARK: - JSON

    var json: JSONValue {
        var object = JSONObject([
            ("event", .string(record.name)), ("meaning", .string(record.meaning)),
            ("words", .hexWords(record.words.array)),
            ("fields", .array(record.describe().map { DecodedField($0).json })),
            ("msiDoorbell", .bool(EventExplanation.isDoorbell(record))), ("doing", .string(explanation.doing)),
            ("atFault", .array(explanation.sides.map { .string($0.rawValue) })),
            ("causes", .array(explanation.causes.map(JSONValue.string))),
            ("next", .array(steps.map { ["command": .string($0.command), "shows": .string($0.shows)] })),
        ])
        if let told = subject.told {
            object["told"] = EventLine.json(told.event)
            object["ste"] = .null
            if let context = told.context {
                object["ste"] = [
                    "words": .hexWords([context.word0, context.word1]), "summary": .string(context.ste.summary),
                    "state": .string(context.state.name),
                ]
            }
        }
        if let live = subject.live {
            object["live"] = [
                "problem": live.problem.map { .string($0) } ?? .null, "memory": .bool(live.report != nil),
                "walk": live.report?.json ?? .null,
                "invalidations": PastInvalidations(live, fault: subject.told?.event.time).json,
                "standsOut": .array(Observations.of(subject, live).map { .string($0) }),
            ]
        }
        if let walk { object["walk"] = walk.json }
        return .object(object)
    }
}

extension AdminContext {
    /// As far as SHOW tells it: words 0 and 1.
    fileprivate var ste: StreamTableEntry { StreamTableEntry(words: SIMD8(word0, word1, 0, 0, 0, 0, 0, 0)) }
}

import JSON
import SMMUModel
import SMMUv3

/// The steps of a translation in the order in which somebody would follow them: each stage 2 walk stands below the fetch
/// that it serves.
struct WalkTrace {
    private(set) var entries: [WalkEntry] = []

    private let ids: IDRegisters
    /// CR2.E2H: EL2 has two ranges of addresses.
    private let e2h: Bool
    /// The STE seen last; a CD is judged together with it.
    private var ste = StreamTableEntry()
    private var granules: (stage1: Granule, stage2: Granule) = (.k4, .k4)
    /// A stage 2 walk whose purpose has not shown yet.
    private var pending: [WalkEntry] = []

    init(_ steps: [WalkStep], _ ids: IDRegisters, e2h: Bool) {
        self.ids = ids
        self.e2h = e2h
        for step in steps { add(step) }
        flush()
    }

    /// Marks the last step as the one at which the translation ended with this event.
    mutating func mark(end event: String) {
        if let last = entries.indices.last { entries[last].mark(end: event) }
    }

    private mutating func add(_ step: WalkStep) {
        switch step {
        case .streamTableL1(let descriptor, let at): append(Self.entry(descriptor, at))
        case .streamTableEntry(let ste, let at):
            self.ste = ste
            append(entry(ste, at))
        case .contextTableL1(let descriptor, let ipa, let at): append(fetch: Self.entry(descriptor), ipa, at)
        case .contextDescriptor(let cd, let ipa, let at): append(fetch: entry(cd), ipa, at)
        case .stage1Table(let index, let base, let level, let granule):
            granules.stage1 = granule
            append(entry(table: index, base, level, granule))
        case .stage2Table(let base, let level, let granule, let ipa, let purpose):
            flush()
            granules.stage2 = granule
            pending = [Self.entry(stage2: base, level, granule, ipa, purpose)]
        case .descriptor(let word, let kind, let stage2, let level, let ipa, let at):
            let entry = entry(word, kind, stage2: stage2, level)
            if stage2 { pending.append(entry.read(at: at)) } else { append(fetch: entry, ipa, at) }
        case .leaf(let stage2, let output, let permissions, _, let global):
            let entry = leaf(stage2: stage2, output, permissions, global: global)
            if stage2 { pending.append(entry) } else { append(entry) }
        case .cached(let cache): append(Self.entry(cache))
        }
    }

    private mutating func append(_ entry: WalkEntry) {
        flush()
        entries.append(entry)
    }

    /// A fetch whose address stage 2 may have translated just before.
    private mutating func append(fetch entry: WalkEntry, _ ipa: UInt64, _ at: UInt64) {
        var entry = entry.read(at: at, ipa: pending.isEmpty ? nil : ipa)
        entry.stage2 = pending
        pending = []
        entries.append(entry)
    }

    /// A stage 2 walk that no fetch followed: that of the access itself, or one that failed.
    private mutating func flush() {
        guard var first = pending.first else { return }
        first.stage2 = Array(pending.dropFirst())
        entries.append(first)
        pending = []
    }
}

// MARK: - Steps

extension WalkEntry {
    fileprivate func read(at address: UInt64, ipa: UInt64? = nil) -> WalkEntry {
        var entry = self
        entry.place = ipa.map { "IPA \($0.hex) is \(address.hex)" } ?? address.hex
        if let ipa { entry.note("ipa", .hex(ipa)) }
        entry.note("at", .hex(address))
        return entry
    }
}

extension WalkTrace {
    private static func entry(_ descriptor: StreamTableL1Descriptor, _ at: UInt64) -> WalkEntry {
        let isValid = descriptor.span > 0
        return WalkEntry(
            label: "L1 descriptor", word: descriptor.word.hexWord, decision: isValid ? "table" : "invalid",
            meaning: isValid ? "span \(descriptor.span), STEs at \(descriptor.l2Pointer.hex)" : "Span is 0",
            isBad: !isValid,
            json: ["step": "streamTableL1", "value": .hex(descriptor.word), "table": .hex(descriptor.l2Pointer)]
        ).read(at: at)
    }

    private func entry(_ ste: StreamTableEntry, _ at: UInt64) -> WalkEntry {
        WalkEntry(
            label: "STE", word: ste.words[0].hexWord, decision: ste.valid ? "valid" : "invalid",
            summary: ste.summary, problems: ste.illegalities(on: ids).map { ($0.rawValue, $0.rule) },
            json: [
                "step": "streamTableEntry", "words": .hexWords(ste.words.array), "summary": .string(ste.summary),
            ]
        ).read(at: at)
    }

    private static func entry(_ descriptor: CDTableL1Descriptor) -> WalkEntry {
        WalkEntry(
            label: "CD L1 descriptor", word: descriptor.word.hexWord,
            decision: descriptor.valid ? "table" : "invalid",
            meaning: descriptor.valid ? "CDs at \(descriptor.l2Pointer.hex)" : "V is 0", isBad: !descriptor.valid,
            json: ["step": "contextTableL1", "value": .hex(descriptor.word), "table": .hex(descriptor.l2Pointer)])
    }

    private func entry(_ cd: ContextDescriptor) -> WalkEntry {
        let twoRanges = ste.effectiveStreamWorld(on: ids) != .el2 || e2h
        let found = cd.illegalities(on: ids, stallDisabled: ste.s1StallDisabled, twoRanges: twoRanges)
        return WalkEntry(
            label: "CD", word: cd.words[0].hexWord, decision: cd.valid ? "valid" : "invalid", summary: cd.summary,
            problems: found.map { ($0.rawValue, $0.rule) },
            json: ["step": "contextDescriptor", "words": .hexWords(cd.words.array), "summary": .string(cd.summary)])
    }

    private func entry(table index: Int, _ base: UInt64, _ level: Int, _ granule: Granule) -> WalkEntry {
        let kind = ste.config == .nested ? "IPA " : ""
        return WalkEntry(
            label: "stage 1: TT\(index), \(granule.name) granule, from level \(level), table at \(kind)\(base.hex)",
            json: [
                "step": "stage1Table", "index": .integer(Int64(index)), "table": .hex(base),
                "startLevel": .integer(Int64(level)), "granule": .string(granule.name),
            ])
    }

    private static func entry(
        stage2 base: UInt64, _ level: Int, _ granule: Granule, _ ipa: UInt64, _ purpose: EventRecord.Class
    ) -> WalkEntry {
        let (what, name) =
            switch purpose {
            case .contextDescriptor: ("of the CD's IPA", "contextDescriptor")
            case .tableDescriptor: ("of the descriptor's IPA", "tableDescriptor")
            case .input: ("of IPA", "input")
            }
        return WalkEntry(
            label: "stage 2 \(what) \(ipa.hex): \(granule.name) granule, from level \(level), table at \(base.hex)",
            json: [
                "step": "stage2Table", "for": .string(name), "ipa": .hex(ipa), "table": .hex(base),
                "startLevel": .integer(Int64(level)), "granule": .string(granule.name),
            ])
    }

    private func entry(
        _ word: UInt64, _ kind: WalkStep.DescriptorKind, stage2: Bool, _ level: Int
    ) -> WalkEntry {
        let fields = Field.describe(DescriptorFormat.fields(kind, stage2: stage2), words: [word])
        let shown = fields.filter { $0.value != 0 || kind != .table }.map(\.inline)
        let granule = stage2 ? granules.stage2 : granules.stage1
        let address = DescriptorFormat.address(of: word, kind, level: level, granule: granule, on: ids)
        let output = address.map { "\(kind == .table ? "next at" : "maps") \($0.hex)" }
        let reason = word & 1 == 0 ? "bit 0 is 0" : "a block cannot stand at this level"
        let json: JSONValue = [
            "step": "descriptor", "stage": .integer(stage2 ? 2 : 1), "level": .integer(Int64(level)),
            "value": .hex(word),
            "kind": .string(kind.name), "output": address.map(JSONValue.hex) ?? .null,
            "attributes": .array(fields.map { DecodedField($0).json }),
        ]
        return WalkEntry(
            label: "level \(level)", word: word.hexWord, decision: kind.name,
            meaning: ([output ?? reason] + shown).joined(separator: ", "), isBad: kind == .invalid, json: json)
    }

    private func leaf(stage2: Bool, _ output: UInt64, _ permissions: Permissions, global: Bool) -> WalkEntry {
        let isIPA = !stage2 && ste.config == .nested
        return WalkEntry(
            label: "output", place: "\(isIPA ? "IPA " : "")\(output.hex)",
            meaning: permissions.text + (global ? ", global" : ""),
            json: [
                "step": "leaf", "stage": .integer(stage2 ? 2 : 1), "output": .hex(output),
                "permissions": permissions.json,
                "global": .bool(global),
            ])
    }

    private static func entry(_ cache: WalkStep.Cache) -> WalkEntry {
        let (text, name) =
            switch cache {
            case .streamTableEntry: ("the STE", "streamTableEntry")
            case .contextDescriptor: ("the CD", "contextDescriptor")
            case .tlb: ("the translation", "tlb")
            }
        return WalkEntry(label: "\(text) was cached", json: ["step": "cached", "cache": .string(name)])
    }
}

extension DescribedField {
    /// Behind other fields in a line: a flag is its name alone.
    fileprivate var inline: String { text == "1" ? name : "\(name) \(text)" }
}

extension Permissions {
    private func letters(_ read: Permissions, _ write: Permissions, _ execute: Permissions) -> String {
        (contains(read) ? "r" : "-") + (contains(write) ? "w" : "-") + (contains(execute) ? "x" : "-")
    }

    private var unprivileged: String { letters(.unprivilegedRead, .unprivilegedWrite, .unprivilegedExecute) }
    private var privileged: String { letters(.privilegedRead, .privilegedWrite, .privilegedExecute) }

    var text: String { "unprivileged \(unprivileged), privileged \(privileged)" }
    var json: JSONValue { ["unprivileged": .string(unprivileged), "privileged": .string(privileged)] }
}

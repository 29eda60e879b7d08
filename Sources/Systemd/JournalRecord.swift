/// An entry as the journal takes it: a sentence, and fields by which it is found.
package struct JournalRecord: Hashable, Sendable {
    package struct Field: Hashable, Sendable {
        /// Capital letters, digits and `_`, as the journal wants it.
        package let name: String
        package let value: String
    }

    package let priority: JournalPriority
    /// nil: a line that has no message ID.
    package let kind: JournalKind?
    package let message: String
    /// What is known; nothing is there with an empty value.
    package private(set) var fields: [Field] = []

    init(_ kind: JournalKind, message: String) {
        (self.priority, self.kind, self.message) = (kind.priority, kind, Self.printable(message))
    }

    init(priority: JournalPriority, message: String) {
        (self.priority, kind, self.message) = (priority, nil, Self.printable(message))
    }

    mutating func add(_ name: String, _ value: String) {
        if !value.isEmpty { fields.append(Field(name: name, value: Self.printable(value))) }
    }

    mutating func add(_ name: String, _ value: some BinaryInteger) { add(name, String(value)) }

    mutating func add(_ origin: JournalOrigin?) {
        guard let origin, origin.session != 0 else { return }
        add("SMMU_SESSION", origin.session)
        add("SMMU_VM", origin.vm.text)
        add("SMMU_PEER_UID", origin.uid)
        add("SMMU_PEER_PID", origin.pid)
    }

    /// The value of the field of this name; nil when it has none.
    package subscript(name: String) -> String? { fields.first { $0.name == name }?.value }

    /// `text` without control characters, which would forge lines or drive a terminal.
    private static func printable(_ text: String) -> String {
        let isControl = { (scalar: Unicode.Scalar) in scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value) }
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.map { isControl($0) ? "?" : $0 }))
    }
}

extension JournalRecord {
    /// Makes the text of an entry.
    package init(_ entry: JournalEntry) {
        switch entry {
        case .fault(let fault): self.init(fault)
        case .notice(let notice): self.init(notice)
        case .text(let priority, let text): self.init(priority: priority, message: text)
        case .lost(let loss, let session):
            let count = loss.entries
            let whose = session == 0 ? "of the daemon" : "of session \(session)"
            let entries = count == 1 ? "1 journal entry" : "\(count) journal entries"
            let faults = loss.faults == 0 ? "" : " They stood for \(loss.faults) faults."
            self.init(
                .entriesLost, message: "\(entries) \(whose) lost: the journal is slower than what happens.\(faults)")
            add("SMMU_COUNT", count)
            if loss.faults > 0 { add("SMMU_FAULTS", loss.faults) }
            if session != 0 { add("SMMU_SESSION", session) }
        }
    }
}

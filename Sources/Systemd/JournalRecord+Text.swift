extension JournalRecord {
    /// `NAME=value` for each field of the journal.
    var assignments: [String] {
        var all = ["MESSAGE=\(message)", "PRIORITY=\(priority.rawValue)"]
        if let kind { all.append("MESSAGE_ID=\(kind.messageID)") }
        return all + fields.map { "\($0.name)=\($0.value)" }
    }

    /// One line with a line break: the message, and the fields in brackets.
    package func line(withPriority: Bool) -> String {
        var text = withPriority ? "<\(priority.rawValue)>" : ""
        text += message
        if !fields.isEmpty { text += " [\(fields.map { "\($0.name)=\($0.value)" }.joined(separator: " "))]" }
        return text + "\n"
    }
}

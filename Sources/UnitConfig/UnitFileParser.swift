/// Reads one file line by line.
struct UnitFileParser {
    private(set) var file: UnitFile
    private(set) var diagnostics: [Diagnostic] = []
    /// What the assignments that come next belong to.
    private var place = Place.nowhere
    private var line = 0

    private enum Place { case nowhere, section(Int), wrongSection }

    init(path: String) { file = UnitFile(path: path) }

    mutating func parse(_ bytes: [UInt8]) {
        guard bytes.count <= UnitFile.maximumSize else {
            fail("the file has more than \(UnitFile.maximumSize) bytes and is not read")
            return
        }
        let mark: [UInt8] = [0xef, 0xbb, 0xbf]
        let text = bytes.starts(with: mark) ? bytes.dropFirst(mark.count) : bytes[...]
        /// A line that goes on, and where it began.
        var begun: (bytes: [UInt8], line: Int)?
        for (index, next) in text.split(separator: Byte.newline, omittingEmptySubsequences: false).enumerated() {
            let trimmed = next.trimmed
            let isComment = trimmed.first == Byte.hash || trimmed.first == Byte.semicolon
            if isComment || (trimmed.isEmpty && begun == nil) { continue }
            let goesOn = trimmed.last == Byte.backslash
            let part = goesOn ? trimmed.dropLast().trimmed : trimmed
            let whole = begun.map { ($0.bytes + [Byte.space] + part, $0.line) } ?? (Array(part), index + 1)
            begun = goesOn ? whole : nil
            if !goesOn { take(whole.0, line: whole.1) }
        }
        if let begun { take(begun.bytes, line: begun.line) }
    }

    private mutating func take(_ bytes: [UInt8], line: Int) {
        self.line = line
        let bytes = bytes[...].trimmed
        guard !bytes.isEmpty else { return }
        guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
            fail("the line is not UTF-8 text and has no effect")
            return
        }
        if bytes.first == Byte.openingBracket { takeHeader(text) } else { takeAssignment(text) }
    }

    private mutating func takeHeader(_ text: String) {
        place = .wrongSection
        guard text.utf8.last == Byte.closingBracket else {
            return fail("`\(text.excerpt)` begins like a section and has no `]` at its end")
        }
        let words = text.utf8.dropFirst().dropLast().split(separator: Byte.space, maxSplits: 1)
        let title = words.map { String(decoding: $0.trimmed, as: UTF8.self) }
        guard let type = title.first, !type.isEmpty else { return fail("the section has no name") }
        let name = title.dropFirst().first.flatMap { $0.isEmpty ? nil : $0 }
        place = .section(file.sections.count)
        file.sections.append(UnitSection(type: type, name: name, location: location))
    }

    private mutating func takeAssignment(_ text: String) {
        let halves = text.utf8.split(separator: Byte.equals, maxSplits: 1, omittingEmptySubsequences: false)
        guard halves.count == 2 else {
            return fail("`\(text.excerpt)` is neither `[Section]` nor `Key=value` nor a comment")
        }
        let key = String(decoding: halves[0].trimmed, as: UTF8.self)
        guard !key.isEmpty else { return fail("the key before `=` is missing") }
        switch place {
        case .nowhere: fail("`\(key.excerpt)=` stands before the first section")
        case .wrongSection: break
        case .section(let index):
            let value = String(decoding: halves[1].trimmed, as: UTF8.self)
            file.sections[index].assignments.append(Assignment(key: key, value: value, location: location))
        }
    }

    private var location: SourceLocation { SourceLocation(file: file.path, line: line) }

    private mutating func fail(_ text: String) { diagnostics.append(Diagnostic(.error, location, text)) }
}

/// The bytes that mean something.
enum Byte {
    static let newline = UInt8(ascii: "\n")
    static let space = UInt8(ascii: " ")
    static let hash = UInt8(ascii: "#")
    static let semicolon = UInt8(ascii: ";")
    static let backslash = UInt8(ascii: "\\")
    static let equals = UInt8(ascii: "=")
    static let openingBracket = UInt8(ascii: "[")
    static let closingBracket = UInt8(ascii: "]")
    static let comma = UInt8(ascii: ",")
    static let quote = UInt8(ascii: "\"")
    static let apostrophe = UInt8(ascii: "'")

    static func isBlank(_ byte: UInt8) -> Bool { byte == space || (byte >= 9 && byte <= 13) }
}

extension BidirectionalCollection<UInt8>
where SubSequence: BidirectionalCollection, SubSequence.SubSequence == SubSequence {
    /// Without blanks at both ends.
    var trimmed: SubSequence {
        var rest = self[...]
        while let first = rest.first, Byte.isBlank(first) { rest = rest.dropFirst() }
        while let last = rest.last, Byte.isBlank(last) { rest = rest.dropLast() }
        return rest
    }
}

extension String {
    /// Enough of it to find it again.
    package var excerpt: String { unicodeScalars.count <= 64 ? self : String(unicodeScalars.prefix(61)) + "..." }
}

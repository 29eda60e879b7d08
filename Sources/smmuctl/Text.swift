/// How output looks: in colour on a terminal, plain elsewhere.
struct Style {
    let colour: Bool

    static let plain = Style(colour: false)
    static var ofOutput: Style { Style(colour: System.wantsColour) }

    func bold(_ text: String) -> String { paint(text, "1") }
    func dim(_ text: String) -> String { paint(text, "2") }
    func good(_ text: String) -> String { paint(text, "32") }
    func bad(_ text: String) -> String { paint(text, "31") }

    private func paint(_ text: String, _ code: String) -> String {
        colour && !text.isEmpty ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
    }
}

/// Lines of cells under each other, each column as wide as its widest cell.
struct TextTable {
    private var rows: [(cells: [String], paint: (String) -> String)] = []

    mutating func add(_ cells: String..., paint: @escaping (String) -> String = { $0 }) { add(cells, paint: paint) }
    mutating func add(_ cells: [String], paint: @escaping (String) -> String = { $0 }) { rows.append((cells, paint)) }

    /// Adds a line that does not take part in the columns.
    mutating func add(line: String) { rows.append(([], { _ in line })) }

    /// The lines, each indented by so many blanks and without blanks at its end.
    func lines(indent: Int) -> [String] {
        let columns = rows.map(\.cells.count).max() ?? 0
        let widths = (0..<columns).map { column in
            rows.map { $0.cells.count > column ? $0.cells[column].count : 0 }.max() ?? 0
        }
        return rows.map { row in
            var line = ""
            for (cell, width) in zip(row.cells, widths) { line += cell.padded(to: width + 2) }
            return String.blanks(indent) + row.paint(line.withoutTrailingBlanks)
        }
    }
}

extension String {
    static func blanks(_ count: Int) -> String { String(repeating: " ", count: Swift.max(0, count)) }

    func padded(to width: Int) -> String { self + String.blanks(width - count) }

    var withoutTrailingBlanks: String {
        var text = self
        while text.last == " " { text.removeLast() }
        return text
    }

    /// Without control characters: text out of a capture must not steer the terminal.
    var visible: String {
        String(String.UnicodeScalarView(unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : $0 }))
    }
}

extension UInt64 {
    /// As a word of a structure, with all its digits: `0x000000000000001f`.
    var hexWord: String { "0x" + digits(16) }

    private func digits(_ count: Int) -> String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: Swift.max(0, count - digits.count)) + digits
    }
}

extension UInt32 {
    /// As a register: `0x0000001f`.
    var hexWord: String { "0x" + UInt64(self).hexWord.suffix(8) }
}

extension [UInt8] {
    /// Pairs of hexadecimal digits in memory order.
    var hexBytes: String { map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
}

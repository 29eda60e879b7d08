/// How a document is laid out.
package enum JSONLayout: Sendable, CaseIterable {
    /// One line without blanks.
    case compact
    /// A member or element per line, indented by two spaces per level; no newline at the end.
    case pretty
}

extension JSONValue {
    /// The document as UTF-8. The same value always gives the same bytes: members in their order, every number in its
    /// shortest form that reads back equal. Recurses once per level; only what the reader made has a bounded depth.
    package func encoded(_ layout: JSONLayout = .compact) -> [UInt8] {
        var writer = JSONWriter(layout)
        writer.write(self)
        return writer.bytes
    }

    /// As `encoded(_:)`, as a string.
    package func text(_ layout: JSONLayout = .compact) -> String {
        String(decoding: encoded(layout), as: UTF8.self)
    }
}

/// The part of a document that is already written.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    private let layout: JSONLayout
    private var depth = 0

    init(_ layout: JSONLayout) { self.layout = layout }

    mutating func write(_ value: JSONValue) {
        switch value {
        case .null: put("null")
        case .bool(let value): put(value ? "true" : "false")
        case .integer(let value): put(String(value))
        case .unsigned(let value): put(String(value))
        case .double(let value): put(value.isFinite ? "\(value)" : "null")
        case .string(let value): write(value)
        case .array(let elements): list("[", elements, "]") { $0.write($1) }
        case .object(let object): list("{", object.members, "}") { $0.write($1) }
        }
    }

    private mutating func put(_ text: String) { bytes += text.utf8 }

    private mutating func write(_ member: (key: String, value: JSONValue)) {
        write(member.key)
        put(layout == .pretty ? ": " : ":")
        write(member.value)
    }

    private mutating func list<Items: Sequence>(
        _ open: String, _ items: Items, _ close: String, _ writeItem: (inout JSONWriter, Items.Element) -> Void
    ) {
        put(open)
        depth += 1
        var isEmpty = true
        for item in items {
            if !isEmpty { put(",") }
            isEmpty = false
            breakLine()
            writeItem(&self, item)
        }
        depth -= 1
        if !isEmpty { breakLine() }
        put(close)
    }

    private mutating func breakLine() {
        guard layout == .pretty else { return }
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: 2 * depth))
    }

    private mutating func write(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 { write(byteOfString: byte) }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Escapes what must be escaped and nothing else; bytes of longer UTF-8 sequences pass as they are.
    private mutating func write(byteOfString byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): put("\\\"")
        case UInt8(ascii: "\\"): put("\\\\")
        case UInt8(ascii: "\n"): put("\\n")
        case UInt8(ascii: "\r"): put("\\r")
        case UInt8(ascii: "\t"): put("\\t")
        case 0x08: put("\\b")
        case 0x0c: put("\\f")
        case ..<0x20: put((byte < 0x10 ? "\\u000" : "\\u00") + String(byte, radix: 16))
        default: bytes.append(byte)
        }
    }
}

/// A name with wildcards: `*` is any number of characters, `?` is one.
package struct Pattern: Hashable, Sendable {
    private let bytes: [UInt8]

    package init(_ text: String) { bytes = Array(text.utf8) }

    package func matches(_ text: String) -> Bool {
        let text = Array(text.utf8)
        // Where to go on when what follows the latest star does not fit: the star takes one character more.
        var (position, at) = (0, 0)
        var star: (pattern: Int, text: Int)?
        while at < text.count {
            if position < bytes.count && bytes[position] == UInt8(ascii: "*") {
                star = (position, at)
                position += 1
            } else if position < bytes.count && (bytes[position] == UInt8(ascii: "?") || bytes[position] == text[at]) {
                (position, at) = (position + 1, at + 1)
            } else if let latest = star {
                star = (latest.pattern, latest.text + 1)
                (position, at) = (latest.pattern + 1, latest.text + 1)
            } else {
                return false
            }
        }
        return bytes[position...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}

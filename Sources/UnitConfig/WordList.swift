/// Words set apart by blanks or commas; quotes around a word or a part of it keep both.
package enum WordList {
    /// Between quotes, `\` takes the meaning from the next character.
    package static func words(_ text: String) throws(ValueFault) -> [String] {
        var words: [String] = []
        /// The word that is being read; empty quotes are a word too.
        var word: [UInt8]?
        var quote: UInt8?
        var isEscaped = false
        for byte in text.utf8 {
            if isEscaped {
                word = (word ?? []) + [byte]
                isEscaped = false
            } else if let open = quote {
                if byte == open {
                    quote = nil
                } else if byte == Byte.backslash {
                    isEscaped = true
                } else {
                    word?.append(byte)
                }
            } else if byte == Byte.quote || byte == Byte.apostrophe {
                quote = byte
                word = word ?? []
            } else if Byte.isBlank(byte) || byte == Byte.comma {
                if let complete = word { words.append(String(decoding: complete, as: UTF8.self)) }
                word = nil
            } else {
                if word == nil { word = [] }
                word?.append(byte)
            }
        }
        guard quote == nil else { throw ValueFault("has a quote that is not closed") }
        if let complete = word { words.append(String(decoding: complete, as: UTF8.self)) }
        return words
    }

    /// The text of which ``words(_:)`` are these.
    package static func text(_ words: [String]) -> String { words.map(quoted).joined(separator: " ") }

    private static func quoted(_ word: String) -> String {
        let needsQuotes =
            word.isEmpty
            || word.utf8.contains { Byte.isBlank($0) || $0 == Byte.comma || $0 == Byte.quote || $0 == Byte.apostrophe }
        guard needsQuotes else { return word }
        var text = "\""
        for character in word.unicodeScalars {
            if character == "\"" || character == "\\" { text += "\\" }
            text.unicodeScalars.append(character)
        }
        return text + "\""
    }
}

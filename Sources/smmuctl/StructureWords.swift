import ArgumentParser
import JSON

/// What `decode` can decode.
enum StructureKind: String, CaseIterable, ExpressibleByArgument {
    case ste, cd, command, event

    /// 64-bit words in one of them.
    var words: Int {
        switch self {
        case .ste, .cd: 8
        case .event: 4
        case .command: 2
        }
    }

    var title: String {
        switch self {
        case .ste: "STE"
        case .cd: "CD"
        case .command: "command"
        case .event: "event"
        }
    }

    private var article: String { self == .event ? "an" : (self == .ste ? "an" : "a") }
    var withArticle: String { "\(article) \(title)" }
}

extension StructureKind {
    /// Reads the words of one structure: 64-bit words in order, the last of which may be missing, or all of its bytes in
    /// memory order as one long argument.
    func words(_ arguments: [String]) throws(Failure) -> [UInt64] {
        if arguments.count == 1, let digits = Self.digits(arguments[0]), digits.count > 16 {
            return try bytes(digits)
        }
        guard arguments.count <= words else {
            throw failure("\(arguments.count) words are given, but \(withArticle) has \(words).")
        }
        var result: [UInt64] = []
        for argument in arguments { result.append(try word(argument)) }
        return result + Array(repeating: 0, count: words - result.count)
    }

    private func word(_ argument: String) throws(Failure) -> UInt64 {
        guard let digits = Self.digits(argument) else {
            throw failure("\"\(argument)\" is not a hexadecimal number.")
        }
        guard digits.count <= 16 else {
            throw failure("\"\(argument)\" has \(digits.count) digits, and a 64-bit word has at most 16.")
        }
        return digits.reduce(0) { $0 << 4 | UInt64($1) }
    }

    private func bytes(_ digits: [UInt8]) throws(Failure) -> [UInt64] {
        guard digits.count == words * 16 else {
            throw failure(
                "The argument has \(digits.count) digits, but \(withArticle) has \(words * 8) bytes: \(words * 16) digits."
            )
        }
        return (0..<words).map { word in
            (0..<8).reduce(0) { value, byte in
                let place = word * 16 + byte * 2
                return value | UInt64(digits[place] << 4 | digits[place + 1]) << UInt64(byte * 8)
            }
        }
    }

    /// The digits of a hexadecimal number, `0x` in front and `_` between them aside; nil if it is none.
    private static func digits(_ argument: String) -> [UInt8]? {
        var text = argument.utf8.filter { $0 != UInt8(ascii: "_") }[...]
        if text.starts(with: "0x".utf8) || text.starts(with: "0X".utf8) { text = text.dropFirst(2) }
        let digits = text.compactMap(\.hexadecimalDigitValue)
        return digits.count == text.count && !digits.isEmpty ? digits : nil
    }

    private func failure(_ reason: String) -> Failure {
        Failure(
            action: "decode \(withArticle)", reason: reason,
            advice:
                "Give up to \(words) words of up to 16 hexadecimal digits, or all \(words * 8) bytes in memory order as "
                + "one argument of \(words * 16) digits.")
    }
}

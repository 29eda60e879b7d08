import Foundation

/// What ``CIOMMUFD.h`` defines, read from its text: so that nothing that is added to it goes unchecked.
struct OwnHeader {
    struct Structure {
        var name: String
        var fields: [String]
    }

    var constants: [String] = []
    var structures: [Structure] = []

    static let path = project + "/Sources/CIOMMUFD/include/CIOMMUFD.h"

    /// The directory of the package.
    static var project: String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path
    }

    init() throws {
        let text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: Self.path)), as: UTF8.self)
        for line in text.split(separator: "\n") {
            let words = line.split { " ;{".contains($0) }.map(String.init)
            if words.count >= 3, words[1] == "=", words[0].hasPrefix("C") { constants.append(words[0]) }
            if words.count == 2, words[0] == "struct", line.hasSuffix("{") {
                structures.append(Structure(name: words[1], fields: []))
            }
            if words.count == 2, words[0].hasSuffix("_t"), line.hasPrefix("    "), !structures.isEmpty {
                structures[structures.count - 1].fields.append(String(words[1].prefix { $0 != "[" }))
            }
        }
    }
}

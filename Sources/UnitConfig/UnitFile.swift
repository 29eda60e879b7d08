/// A file in the syntax of systemd's units (systemd.syntax(7)): sections of assignments, in their order.
///
/// Sections `[Type]` or `[Type name]`; assignments `Key=value`; comments in lines that begin with `#` or `;`; a line that
/// ends in `\` goes on in the next one, comments in between left out.
package struct UnitFile: Hashable, Sendable {
    package var path: String
    package var sections: [UnitSection] = []

    /// Bytes of the largest file that is read.
    package static let maximumSize = 1 << 20

    package init(path: String) { self.path = path }

    /// Reads all that can be read. Lines that cannot are reported as errors and have no effect.
    package init(path: String, bytes: [UInt8], diagnostics: inout [Diagnostic]) {
        var parser = UnitFileParser(path: path)
        parser.parse(bytes)
        self = parser.file
        diagnostics += parser.diagnostics
    }
}

/// A section with its assignments; the key of several assignments may be the same.
package struct UnitSection: Hashable, Sendable {
    /// `Device` of `[Device disk0]`.
    package var type: String
    /// `disk0` of `[Device disk0]`.
    package var name: String?
    package var location: SourceLocation
    package var assignments: [Assignment] = []

    package init(type: String, name: String? = nil, location: SourceLocation) {
        (self.type, self.name, self.location) = (type, name, location)
    }

    /// `Device disk0`.
    package var title: String { name.map { "\(type) \($0)" } ?? type }

    /// The assignments of a list: all since the last empty one, which takes back those before it.
    package func list(of key: String) -> [Assignment] {
        let all = assignments.filter { $0.key == key }
        return Array(all.suffix(behind: \.value.isEmpty))
    }

    /// The assignment that counts: the last; nil when it is empty, which takes back those before it.
    package func last(of key: String) -> Assignment? {
        assignments.last { $0.key == key }.flatMap { $0.value.isEmpty ? nil : $0 }
    }
}

package struct Assignment: Hashable, Sendable {
    package var key: String
    /// Without blanks at its ends; quotes are still there.
    package var value: String
    package var location: SourceLocation

    package init(key: String, value: String, location: SourceLocation) {
        (self.key, self.value, self.location) = (key, value, location)
    }
}

extension Array {
    /// The elements behind the last one that `isEnd` says yes to.
    fileprivate func suffix(behind isEnd: (Element) -> Bool) -> ArraySlice<Element> {
        self[(lastIndex(where: isEnd).map { $0 + 1 } ?? startIndex)...]
    }
}

extension [UnitFile] {
    /// The sections of all files as of one: those of the same title become one, with the later files' assignments last.
    package var merged: [UnitSection] {
        var sections: [UnitSection] = []
        var places: [String: Int] = [:]
        for section in flatMap(\.sections) {
            if let place = places[section.title] {
                sections[place].assignments += section.assignments
            } else {
                places[section.title] = sections.count
                sections.append(section)
            }
        }
        return sections
    }
}

/// Where in a file something stands.
package struct SourceLocation: Hashable, Sendable, CustomStringConvertible {
    package var file: String
    /// From 1; 0 means the file as a whole.
    package var line: Int

    package init(file: String, line: Int = 0) { (self.file, self.line) = (file, line) }

    /// `FILE:LINE`.
    package var description: String { line > 0 ? "\(file):\(line)" : file }
}

/// Something that whoever wrote a file should know.
package struct Diagnostic: Hashable, Sendable, CustomStringConvertible {
    package enum Severity: String, Hashable, Sendable {
        /// What stands there has no effect.
        case warning
        /// What stands there cannot be what was meant; a default is in effect in its place.
        case error
    }

    package var severity: Severity
    package var location: SourceLocation
    /// One line, without control characters.
    package var text: String

    package init(_ severity: Severity, _ location: SourceLocation, _ text: String) {
        (self.severity, self.location, self.text) = (severity, location, text.visible)
    }

    /// `FILE:LINE: warning: TEXT`.
    package var description: String { "\(location): \(severity.rawValue): \(text)" }
}

extension String {
    /// Without control characters: what a file says must not steer a terminal or break a line of a log.
    package var visible: String {
        String(String.UnicodeScalarView(unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : $0 }))
    }
}

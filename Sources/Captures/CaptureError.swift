/// Why a capture cannot be used: which file, which line, whose fault, and what to do about it.
package struct CaptureError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The path of the file, or of the capture's directory if no single file is to blame.
    package let path: String
    /// The line in a file of lines, from 1.
    package let line: Int?
    /// What is wrong, an English sentence.
    package let problem: String
    package let fault: Fault

    package enum Fault: Equatable, Sendable {
        /// The capture's content is missing, damaged or not of the format.
        case capture
        /// The system refused to read a file that may well be right.
        case system
        /// The capture is right, but the question does not fit it.
        case caller
    }

    /// The last component of `path`.
    package var file: String { lastComponent(of: path) }

    /// What to do, an English sentence.
    package var advice: String {
        switch fault {
        case .capture: "The capture is at fault: unpack its archive again, or record it again."
        case .system: "The system is at fault: check that the file may be read and descriptors are left."
        case .caller: "The caller is at fault: look at the capture's kind first."
        }
    }

    package var description: String {
        let place = line.map { "\(path), line \($0)" } ?? path
        return "\(place): \(problem) \(advice)"
    }
}

/// The part of a path behind its last slash, trailing slashes aside.
func lastComponent(of path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
}

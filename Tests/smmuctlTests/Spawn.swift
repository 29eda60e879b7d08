import CaptureFixtures
import Foundation
import JSON

/// One run of the command that was built beside the tests.
struct Run {
    let status: Int32
    let output: String
    let error: String

    /// Runs `smmuctl` with these arguments; what it says goes to files and not to a terminal.
    init(_ arguments: [String]) throws {
        try self.init(program: Run.smmuctl, arguments)
    }

    init(
        program: String, _ arguments: [String], environment: [String: String] = [:], directory: String? = nil
    ) throws {
        let scratch = try CaptureFixtures.scratchDirectory()
        func file(_ name: String) throws -> FileHandle {
            let url = URL(fileURLWithPath: "\(scratch)/\(name)")
            try Data().write(to: url)
            return try FileHandle(forWritingTo: url)
        }
        func text(_ name: String) throws -> String {
            String(decoding: try Data(contentsOf: URL(fileURLWithPath: "\(scratch)/\(name)")), as: UTF8.self)
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try file("output")
        process.standardError = try file("error")
        try process.run()
        process.waitUntilExit()
        status = process.terminationStatus
        output = try text("output")
        error = try text("error")
    }

    /// The binary stands beside the one that runs the tests.
    static var smmuctl: String {
        URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            .deletingLastPathComponent().appendingPathComponent("smmuctl").path
    }

    /// The output as JSON.
    func json() throws -> JSONValue { try JSONValue(parsing: output) }

    var lines: [String] { output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) }

    /// The words behind a name in a table: `row("S1CDMax")` of "S1CDMax  10  log2…" is ["10", "log2…"].
    func row(_ name: String) -> [String]? {
        for line in lines {
            let words = line.split(separator: " ").map(String.init)
            if words.first == name { return Array(words.dropFirst()) }
        }
        return nil
    }
}

/// A copy of a fixture that a test may change.
func copyOfCapture(_ name: String) throws -> String {
    let copy = "\(try CaptureFixtures.scratchDirectory())/\(name)"
    try FileManager.default.copyItem(atPath: try CaptureFixtures.directory(named: name), toPath: copy)
    return copy
}

/// Replaces the lines of a file of lines; those that `change` answers nil for stay.
func rewrite(_ path: String, _ change: (Int, String) -> String?) throws {
    let text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
    let lines = text.split(separator: "\n").enumerated().map {
        change($0.offset + 1, String($0.element)) ?? String($0.element)
    }
    try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: path))
}

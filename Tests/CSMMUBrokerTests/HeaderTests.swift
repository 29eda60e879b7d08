import Foundation
import Testing

/// The headers are what a VMM compiles, with its own compiler and its own warnings.
@Suite("Headers")
struct HeaderTests {
    private static let include = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../Sources/CSMMUBroker/include").standardizedFileURL.path

    @Test(
        "Each header alone compiles without a warning",
        arguments: ["smmu_broker.h", "smmu_broker_client.h"], [("cc", "c11", "c"), ("c++", "c++17", "c++")])
    func compiles(header: String, compiler: (command: String, standard: String, language: String)) throws {
        let paths = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin").split(separator: ":")
        guard let path = paths.map({ "\($0)/\(compiler.command)" }).first(where: FileManager.default.isExecutableFile)
        else {
            print("\(header): not compiled as \(compiler.standard), for \(compiler.command) is not installed")
            return
        }
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = [
            "-std=\(compiler.standard)", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror",
            "-fsyntax-only", "-I", Self.include, "-include", header, "-x", compiler.language, "/dev/null",
        ]
        let output = Pipe()
        process.standardError = output
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(String(bytes: text, encoding: .utf8) ?? "")")
    }
}

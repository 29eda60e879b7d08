import CaptureFixtures
import Foundation
import Testing

/// The examples in the manual are what the command really prints.
@Suite struct ManualTests {
    struct Example: CustomTestStringConvertible {
        let command: String
        let output: String
        var testDescription: String { command }
    }

    /// The blocks that begin with `$ smmuctl` and hold one command each.
    static func examples() throws -> [Example] {
        let manual = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/smmuctl.md")
        let text = String(decoding: try Data(contentsOf: manual), as: UTF8.self)
        return text.components(separatedBy: "```console\n$ smmuctl ").dropFirst().compactMap { block in
            let example = block.components(separatedBy: "```")[0]
            guard let end = example.firstIndex(of: "\n") else { return nil }
            return Example(command: String(example[..<end]), output: String(example[example.index(after: end)...]))
        }
    }

    @Test func theManualHasExamplesOfEveryVerb() throws {
        let verbs = Set(try ManualTests.examples().compactMap { $0.command.split(separator: " ").first })
        #expect(verbs == ["config", "decode", "explain", "model", "translate"])
    }

    @Test(arguments: try ManualTests.examples())
    func printsWhatTheManualShows(example: Example) throws {
        for name in ["lin-4k-nested", "seq-short"] { _ = try CaptureFixtures.directory(named: name) }
        let captures = URL(fileURLWithPath: try CaptureFixtures.directory(named: "seq-short"))
            .deletingLastPathComponent().path
        let arguments = example.command.split(separator: " ").map(String.init)
        let run = try Run(program: Run.smmuctl, arguments, directory: captures)
        #expect(run.status == 0)
        #expect(run.output == example.output)
    }
}

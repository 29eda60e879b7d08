import CaptureFixtures
import Foundation
import JSON
import Testing

/// `config check` and `config show`, on files of their own: what the host is configured to is none of a test's business.
@Suite struct ConfigTests {
    /// A configuration file with this text, and drop-ins by name.
    private func file(_ text: String, dropIns: [String: String] = [:]) throws -> String {
        let path = "\(try CaptureFixtures.scratchDirectory())/test.conf"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        guard !dropIns.isEmpty else { return path }
        try FileManager.default.createDirectory(atPath: "\(path).d", withIntermediateDirectories: true)
        for (name, text) in dropIns { try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path).d/\(name)")) }
        return path
    }

    private let wrong = "[Broker]\nMaxSessions=many\nMaxSesions=1\n\u{1b}[2J\n"

    @Test func checkPraisesWhatIsRight() throws {
        let path = try file("[Grant a]\nUser=root\nDevices=disk0\n", dropIns: ["b.conf": "[Broker]\n", "c.txt": "?"])
        let run = try Run(["config", "check", path])
        #expect(run.status == 0)
        #expect(run.output == "2 files, no problems: \(path), \(path).d/b.conf\n")
        #expect(run.error.isEmpty)
    }

    @Test func checkNamesThePlaceOfEveryProblem() throws {
        let path = try file(wrong, dropIns: ["a.conf": "[Brokr]"])
        let run = try Run(["config", "check", path])
        #expect(run.status == 1)
        #expect(
            run.lines == [
                "\(path):2: error: [Broker] `MaxSessions=many` is not a whole number such as 10 or 0x1f; 256 is in effect",
                "\(path):3: warning: unknown key `MaxSesions=` in [Broker]: did you mean `MaxSessions=`?",
                "\(path):4: error: `?[2J` is neither `[Section]` nor `Key=value` nor a comment",
                "\(path).d/a.conf:1: warning: unknown section [Brokr]: did you mean `[Broker]`?", "",
            ])
    }

    @Test func aWarningAloneFailsTheCheck() throws {
        #expect(try Run(["config", "check", try file("[Broker]\nColour=red")]).status == 1)
    }

    @Test func checkAsJSON() throws {
        let path = try file(wrong)
        let run = try Run(["config", "check", "--json", path])
        #expect(run.status == 1)
        let json = try run.json()
        #expect(json["files"] == [.string(path)])
        #expect(json["problems"]?.array?.count == 3)
        #expect(json["problems"]?[1]?["severity"] == "warning")
        #expect(json["problems"]?[1]?["line"] == 3)
        #expect(json["problems"]?[1]?["file"] == .string(path))
        let missing = try Run(["config", "check", "--json", "\(path).none"]).json()
        #expect(missing["files"] == [])
        #expect(missing["problems"]?[0]?["line"] == .null)
    }

    @Test func checkOfAFileThatIsNotThere() throws {
        let run = try Run(["config", "check", "no-such-file.conf"])
        #expect(run.status == 1)
        #expect(
            run.output == "no-such-file.conf: error: the file cannot be read: No such file or directory (ENOENT)\n")
    }

    @Test func showsEachValueWithItsOrigin() throws {
        let path = try file(
            "[Broker]\nMaxSessions=0x10\n[Grant a]\nUser=root\nDevices=disk0",
            dropIns: [
                "1.conf": "[Grant a]\nDevices=net0"
            ])
        let run = try Run(["config", "show", "--config", path])
        #expect(run.status == 0)
        #expect(run.error.isEmpty)
        #expect(run.row("MaxSessions") == ["16", "\(path):2"])
        #expect(run.row("FaultBurst") == ["10", "default"])
        #expect(run.row("User") == ["root", "\(path):4"])
        #expect(run.row("Devices") == ["disk0", "net0", "\(path):5,", "\(path).d/1.conf:2"])
        #expect(run.lines.contains("[Grant a]") && run.lines.contains("[Device model]"))
    }

    @Test func showOfWrongValuesShowsTheDefaults() throws {
        let path = try file(wrong)
        let run = try Run(["config", "show", "--config", path])
        #expect(run.status == 0)
        #expect(run.row("MaxSessions") == ["256", "default"])
        #expect(run.error == "There are 3 problems: see \"smmuctl config check \(path)\".\n")
    }

    @Test func showAsJSON() throws {
        let path = try file("[Device d]\nStreamID=4")
        let run = try Run(["config", "show", "--json", "--config", path])
        #expect(run.status == 0)
        let json = try run.json()
        #expect(json["problems"] == 0)
        #expect(json["files"] == [.string(path)])
        let settings = try #require(json["settings"]?.array)
        #expect(settings.first?["section"] == "Broker" && settings.first?["name"] == .null)
        let streamID = settings.first { $0["key"] == "StreamID" }
        #expect(streamID?["name"] == "d" && streamID?["value"] == "0x4")
        #expect(streamID?["origins"] == [["file": .string(path), "line": 2]])
        #expect(settings.first?["origins"] == [])
    }

    @Test func showOfAFileThatIsNotThere() throws {
        let run = try Run(["config", "show", "--config", "no-such-file.conf"])
        #expect(run.status == 1)
        #expect(run.output.isEmpty)
        #expect(run.error.hasPrefix("Failed to show no-such-file.conf: the file cannot be read: "), "\(run.error)")
        #expect(run.error.split(separator: "\n").count == 2)
    }
}

import CaptureFixtures
import Foundation
import Testing

/// What the command says when it is called wrongly, and when it is asked about itself.
@Suite struct UsageTests {
    /// Arguments that are wrong, and what the complaint has to say.
    static let wrongWords: [(arguments: [String], saying: String)] = [
        (["ste", "46000000000000000000000000000000"], "an STE has 64 bytes: 128 digits"),
        (["cd", String(repeating: "0", count: 64)], "a CD has 64 bytes: 128 digits"),
        (["command", String(repeating: "0", count: 64)], "a command has 16 bytes: 32 digits"),
        (["event", String(repeating: "0", count: 32)], "an event has 32 bytes: 64 digits"),
        (["command", "00000000000000046"], "17 digits, but a command has 16 bytes"),
        (["command", "1", "2", "3"], "3 words are given, but a command has 2"),
        (["event", "1", "2", "3", "4", "5"], "5 words are given, but an event has 4"),
        (["command", "46", "00000000000000000"], "has 17 digits, and a 64-bit word has at most 16"),
        (["event", "0xzz"], "\"0xzz\" is not a hexadecimal number"),
        (["event", "0x"], "\"0x\" is not a hexadecimal number"),
        (["event", ""], "\"\" is not a hexadecimal number"),
        (["event", "+1"], "\"+1\" is not a hexadecimal number"),
        (["event", "\u{1b}[31m"], "\"?[31m\" is not a hexadecimal number"),
    ]

    @Test(arguments: wrongWords)
    func saysWhichWordsAreWanted(arguments: [String], saying: String) throws {
        let run = try Run(["decode"] + arguments)
        #expect(run.status == 64)
        #expect(run.output.isEmpty)
        #expect(run.error.hasPrefix("Failed to decode a"), "\(run.error)")
        #expect(run.error.contains(saying), "\(run.error)")
        #expect(run.error.split(separator: "\n").count == 2)
        #expect(run.error.contains("\nGive up to "))
    }

    static let wrongUsage: [[String]] = [
        ["decode"], ["decode", "ste"], ["decode", "pte", "0"], ["decode", "event", "0", "--idr0", "0x100000000"],
        ["decode", "event", "0", "--idr5", "z"], ["model", "check"], ["replay"], ["translate"], ["nonsense"],
        ["translate", "--capture", ".", "--sid", "4294967296", "--iova", "0"],
        ["translate", "--capture", ".", "--sid", "-1", "--iova", "0"],
        ["translate", "--capture", ".", "--sid", "0", "--iova", "0x10000000000000000"],
        ["translate", "--capture", ".", "--sid", "0", "--iova", "0x"],
        ["translate", "--capture", ".", "--sid", "0", "--iova", "0", "--ssid", "0x100000"],
        ["translate", "--capture", ".", "--sid", "0", "--iova", "0", "--write", "--execute"],
    ]

    @Test(arguments: wrongUsage)
    func refusesWrongUsage(arguments: [String]) throws {
        let run = try Run(arguments)
        #expect(run.status == 64)
        #expect(run.output.isEmpty)
        #expect(run.error.contains("Usage: smmuctl"), "\(run.error)")
    }

    @Test func saysItsVersion() throws {
        let run = try Run(["--version"])
        #expect(run.status == 0)
        #expect(run.output.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil)
    }

    @Test(arguments: [
        (["--help"], ["config", "decode", "model", "translate"]),
        (["config", "--help"], ["check", "show"]),
        (["config", "check", "--help"], ["--json", "EXIT STATUS", "EXAMPLE"]),
        (["config", "show", "--help"], ["--config", "--json", "EXIT STATUS", "EXAMPLE"]),
        (["decode", "--help"], ["ste", "--json", "--idr0", "--idr1", "--idr3", "--idr5", "--ids", "EXAMPLES"]),
        (["doctor", "--help"], ["--backend", "--root", "--json", "EXIT STATUS", "EXAMPLES"]),
        (["explain", "--help"], ["--last", "--vm", "--capture", "--socket", "--json", "EXIT STATUS", "EXAMPLES"]),
        (["top", "--help"], ["--interval", "--sort", "--once", "--json", "EXIT STATUS", "EXAMPLES"]),
        (["model", "--help"], ["check"]), (["model", "check", "--help"], ["--json", "EXIT STATUS", "EXAMPLE"]),
        (
            ["translate", "--help"],
            ["--capture", "--sid", "--iova", "--ssid", "--write", "--privileged", "--execute", "--json", "EXAMPLE"]
        ),
    ])
    func helps(arguments: [String], words: [String]) throws {
        let run = try Run(arguments)
        #expect(run.status == 0)
        for word in words { #expect(run.output.contains(word), "\(word)") }
    }

    /// Paths that are no capture, and what to do about each.
    static let wrongPaths: [(path: String, reason: String, advice: String)] = [
        ("no-such-directory", "there is no such directory.", "tar -xf"),
        (#filePath, "this is a file, and a capture is a directory.", "unpack it with \"tar -xf"),
        ("/", "the directory has no meta.json.", "Give the directory of one capture itself"),
    ]

    @Test(arguments: wrongPaths, [["model", "check"], ["translate", "--sid", "0", "--iova", "0", "--capture"]])
    func saysWhatToDoAboutAPath(wrong: (path: String, reason: String, advice: String), arguments: [String]) throws {
        let run = try Run(arguments + [wrong.path])
        #expect(run.status == 1)
        let lines = run.error.split(separator: "\n")
        #expect(lines.count == 2, "\(run.error)")
        #expect(lines.first?.hasPrefix("Failed to ") == true)
        #expect(lines.first?.hasSuffix(wrong.reason) == true, "\(run.error)")
        #expect(lines.last?.contains(wrong.advice) == true, "\(run.error)")
    }

    @Test func takesIDRegistersFromACapture() throws {
        let directory = try CaptureFixtures.directory(named: "lin-4k-s1-plain")
        let run = try Run(["decode", "event", "4", "--ids", directory])
        #expect(run.status == 0)
        #expect(
            run.row("architecture") == [
                "IDR0", "0x0d44101a", "IDR1", "0x02730010", "IDR3", "0x00001404", "IDR5",
                "0x00000074", "from", "lin-4k-s1-plain",
            ])
        let replaced = try Run(["decode", "event", "4", "--ids", directory, "--idr5", "0x75"])
        #expect(replaced.output.contains("IDR5 0x00000075  from lin-4k-s1-plain, IDR5 as given"), "\(replaced.output)")
        let wrong = try Run(["decode", "event", "4", "--ids", "no-such-directory"])
        #expect(wrong.status == 1)
        #expect(wrong.error.hasPrefix("Failed to take ID registers from no-such-directory: "), "\(wrong.error)")
    }

    /// The ID registers decide: without stage 2 a stage 2 STE is ILLEGAL everywhere.
    @Test func judgesByTheGivenRegisters() throws {
        let run = try Run(["decode", "ste", "d", "0", "000d359400000014", "12340000", "--idr0", "0x080d76ba"])
        #expect(run.lines.contains("Architecture: ILLEGAL"), "\(run.output)")
        #expect(
            run.lines.contains("  stage 2 is enabled, but IDR0.S2P is 0 (IHI 0070, 5.2 STE.Config)"), "\(run.output)")
    }

    /// Colours are for terminals, and for people who have not said no. `script` runs a command on a terminal.
    @Test func paintsOnTerminalsOnly() throws {
        let command = "'\(Run.smmuctl)' decode event 4"
        #expect(!(try Run(["decode", "event", "4"]).output.contains("\u{1b}[")))
        let painted = try Run(
            program: "/usr/bin/script", ["-qec", command, "/dev/null"], environment: ["NO_COLOR": ""])
        #expect(painted.output.contains("\u{1b}[32mdefined\u{1b}[0m"), "\(painted.output)")
        let plain = try Run(program: "/usr/bin/script", ["-qec", command, "/dev/null"], environment: ["NO_COLOR": "1"])
        #expect(plain.output.contains("Architecture: defined"))
        #expect(!plain.output.contains("\u{1b}["))
    }
}

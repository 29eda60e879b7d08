import CaptureFixtures
import Captures
import Foundation
import Testing

/// Captures that are damaged in one place each: the error names the place.
@Suite struct BrokenCaptureTests {
    static let row =
        #"{"src":"reference-walker","sid":8,"ssid":-1,"iova":"0x1000","access":"r","result":"bypass","pa":"0x1000"}"#
    static let meta = """
        {
         "title": "two pages", "origin": "generated",
         "registers": {"IDR0": "0x0", "IDR1": "0x0", "IDR5": "0x0", "STRTAB_BASE": "0x1000", "STRTAB_BASE_CFG": "0x0"}
        }
        """

    /// Writes a small capture, one page stored and one all zero, with one file replaced, or removed if nil.
    private func capture(with file: String? = nil, _ content: [UInt8]? = nil) throws -> String {
        var files: [String: [UInt8]] = [
            "meta.json": Array(BrokenCaptureTests.meta.utf8),
            "pages.idx": [0x00, 0x10, 0, 0, 0, 0, 0, 0, 0x01, 0x20, 0, 0, 0, 0, 0, 0],
            "pages.bin": [7] + Array(repeating: 0, count: 4095),
            "oracle.jsonl": Array(BrokenCaptureTests.row.utf8) + [0x0a],
        ]
        if let file { files[file] = content }
        let directory = try CaptureFixtures.scratchDirectory()
        for (name, bytes) in files { try Data(bytes).write(to: URL(fileURLWithPath: "\(directory)/\(name)")) }
        return directory
    }

    @Test func theWholeOneLoads() throws {
        let capture = try Capture(directory: try capture())
        #expect(capture.pages.word(at: 0x1000) == 7)
        #expect(capture.pages.word(at: 0x2000) == 0)
        #expect(try capture.rows().map(\.answer) == [.bypass(pa: 0x1000)])
        #expect(try capture.commands().isEmpty && capture.events().isEmpty && capture.disputed().isEmpty)
        #expect(capture.marks.isEmpty && capture.streams.isEmpty && capture.declaredRows == nil)
    }

    /// Bookkeeping that says nothing, or something else than expected: no answer depends on it.
    @Test(arguments: [
        #""marks": null, "streams": null, "oracle": null, "counts": 1.5"#, #""marks": {}, "streams": 1, "oracle": 300"#,
        #""marks": [{"name": "boot", "commands": null}, 1], "streams": [{"sid": "x"}, {"sid": 8, "asid": -1}, null]"#,
        #""streams": {"0x8": {"asid": 1}, "8": {"asid": -1, "g": "4k"}}, "guest": [{"a": [1e3]}]"#,
    ])
    func loadsWithOddBookkeeping(members: String) throws {
        let registers = #""CMDQ_BASE": null, "IRQ_CFG": [1], "NOTE": "none", "IDR0""#
        let text = BrokenCaptureTests.meta
            .replacingOccurrences(of: #""title": "two pages", "origin": "generated""#, with: members)
            .replacingOccurrences(of: #""IDR0""#, with: registers)
        let row = BrokenCaptureTests.row.replacingOccurrences(of: #""src":"reference-walker","#, with: "")
        let directory = try capture(with: "meta.json", Array(text.utf8))
        try Data(row.utf8).write(to: URL(fileURLWithPath: "\(directory)/oracle.jsonl"))
        let capture = try Capture(directory: directory)
        #expect(capture.registers.strtabBase == 0x1000 && capture.registers["NOTE"] == nil)
        #expect(capture.streams.allSatisfy { $0.sid == 8 && $0.asid == nil } && capture.marks.isEmpty)
        #expect(try capture.rows().map(\.answer) == [.bypass(pa: 0x1000)])
    }

    static let brokenFiles: [(file: String, content: [UInt8]?, saying: String)] = [
        ("pages.bin", Array(repeating: 0, count: 4095), "4095 bytes"),
        ("pages.bin", [], "0 bytes"),
        ("pages.bin", nil, "no such file"),
        ("pages.idx", nil, "no such file"),
        ("pages.idx", [0x00, 0x10, 0, 0, 0, 0, 0], "7 bytes"),
        ("pages.idx", [0x02, 0x10, 0, 0, 0, 0, 0, 0], "Bits 11 to 1"),
        ("pages.idx", [0x00, 0x20, 0, 0, 0, 0, 0, 0, 0x01, 0x20, 0, 0, 0, 0, 0, 0], "ascending"),
        ("oracle.jsonl", nil, "steps.jsonl"),
        ("meta.json", nil, "no such file"),
        ("meta.json", Array("[]".utf8), "object"),
        ("meta.json", Array(meta.replacingOccurrences(of: "IDR5", with: "IDR6").utf8), "IDR5"),
        ("meta.json", Array(meta.replacingOccurrences(of: "\"0x0\"", with: "\"0x100000000\"").utf8), "IDR0"),
        ("meta.json", Array(meta.replacingOccurrences(of: "\"0x1000\"", with: "-1").utf8), "STRTAB_BASE"),
    ]

    @Test(arguments: brokenFiles)
    func namesTheBrokenFile(file: String, content: [UInt8]?, saying: String) throws {
        let directory = try capture(with: file, content)
        let error = try #require(#expect(throws: CaptureError.self) { try Capture(directory: directory) })
        #expect(error.file == file)
        #expect(error.fault == .capture)
        #expect(error.problem.contains(saying), "\(error)")
        #expect(error.description.hasPrefix("\(directory)/\(file)"))
    }

    @Test func namesTheLineOfBrokenMeta() throws {
        let directory = try capture(with: "meta.json", Array("{\n \"title\": \"x\"\n \"origin\": 1}".utf8))
        let error = #expect(throws: CaptureError.self) { try Capture(directory: directory) }
        #expect(error?.line == 3)
    }

    private static func fault(record: String) -> String {
        row.replacingOccurrences(of: "bypass\"", with: "fault\",\"event\":\"F_ACCESS\",\"record\":\"\(record)\"")
    }

    static let brokenLines: [(line: String, saying: String)] = [
        ("", "empty"), ("{", "ends in the middle"), ("[]", "object"), (#"{"src":"#, "ends in the middle"),
        (row + "x", "must end"),
        (row.replacingOccurrences(of: "\"sid\":8", with: "\"sid\":4294967296"), "\"sid\""),
        (row.replacingOccurrences(of: "\"sid\"", with: "\"SID\""), "\"sid\""),
        (row.replacingOccurrences(of: "\"ssid\":-1", with: "\"ssid\":-2"), "\"ssid\""),
        (row.replacingOccurrences(of: "\"r\"", with: "\"x\""), "\"access\""),
        (row.replacingOccurrences(of: "bypass", with: "passed"), "\"result\""),
        (row.replacingOccurrences(of: "\"pa\":\"0x1000\"", with: "\"pa\":\"1000\""), "\"pa\""),
        (row.replacingOccurrences(of: "bypass\"", with: "ok\",\"perm\":\"\""), "\"perm\""),
        (row.replacingOccurrences(of: "bypass\"", with: "ok\",\"perm\":\"rw\",\"stage\":4"), "\"stage\""),
        (fault(record: "100"), "odd"),
        (fault(record: "1g"), "else"),
        (fault(record: "10"), "32"),
        (row.replacingOccurrences(of: "}", with: ",\"alt\":{\"result\":\"ok\"}}"), "\"pa\""),
        (row.replacingOccurrences(of: "}", with: ",\"alt\":1}"), "object"),
    ]

    @Test(arguments: brokenLines)
    func namesTheBrokenLine(line: String, saying: String) throws {
        let text = [BrokenCaptureTests.row, line, BrokenCaptureTests.row].joined(separator: "\n")
        let capture = try Capture(directory: try capture(with: "oracle.jsonl", Array(text.utf8)))
        let error = try #require(#expect(throws: CaptureError.self) { try capture.rows() })
        #expect(error.file == "oracle.jsonl")
        #expect(error.line == 2)
        #expect(error.fault == .capture)
        #expect(error.problem.contains(saying), "\(error)")
    }

    static let brokenSteps: [(line: String, saying: String)] = [
        (#"{"op":"jump"}"#, "\"op\""), (#"{"pa":"0x1000"}"#, "\"op\""),
        (#"{"op":"cmd","data":"46"}"#, "16 bytes"), (#"{"op":"cmd","data":"460"}"#, "odd"),
        (#"{"op":"cmd","data":"4600000000000000000000000000000000"}"#, "16 bytes"),
        (#"{"op":"write","pa":"0x1000"}"#, "\"data\""), (#"{"op":"write","data":"00"}"#, "\"pa\""),
        (#"{"op":"translate"}"#, "\"sid\""),
    ]

    @Test(arguments: brokenSteps)
    func namesTheBrokenStep(line: String, saying: String) throws {
        let good = #"{"op":"cmd","data":"46000000000000000000000000000000"}"#
        let capture = try Capture(directory: try capture(with: "steps.jsonl", Array("\(good)\n\(line)\n".utf8)))
        let error = try #require(#expect(throws: CaptureError.self) { try capture.steps() })
        #expect(error.file == "steps.jsonl" && error.line == 2)
        #expect(error.problem.contains(saying), "\(error)")
    }

    @Test(arguments: [("commands.bin", 15), ("events.bin", 33)])
    func refusesCutRecords(file: String, size: Int) throws {
        let capture = try Capture(directory: try capture(with: file, Array(repeating: 0, count: size)))
        let error = #expect(throws: CaptureError.self) { (try capture.commands(), try capture.events()) }
        #expect(error?.file == file)
    }

    @Test func saysWhatTheSystemSaid() throws {
        let directory = try capture(with: "pages.bin", nil)
        try FileManager.default.createDirectory(atPath: "\(directory)/pages.bin", withIntermediateDirectories: false)
        let notRegular = #expect(throws: CaptureError.self) { try Capture(directory: directory) }
        #expect(notRegular?.problem.contains("regular file") == true)
        let error = #expect(throws: CaptureError.self) { try Capture(directory: "\(directory)/meta.json") }
        #expect(error?.fault == .system)
        #expect(error?.problem == "It cannot be opened: Not a directory.")
        #expect(error?.description.hasSuffix("descriptors are left.") == true)
    }

    @Test func anUnknownFixtureIsAnError() {
        #expect(throws: FixtureError.self) { try CaptureFixtures.directory(named: "no-such-capture") }
    }
}

import CaptureFixtures
import Captures
import Foundation
import Testing

/// Checks of captures of one page: a stream table with one STE at 0x1000, and a CD at 0x1040.
@Suite struct SmallCaptureCheckTests {
    /// The STE that enables stage 1 with this CD.
    static let stage1: UInt64 = 0x1040 | 5 << 1 | 1
    /// V, AA64, S, R, A; 39 bits of TT0 by 4 KB granules, TT1 off.
    static let stallingCD: UInt64 = 1 << 31 | 7 << 44 | 1 << 41 | 1 << 30 | 5 << 32 | 25

    private func check(
        ste: UInt64, cd: UInt64 = 0, idr0: String = "0x0", idr1: String = "0x0", idr5: String = "0x0",
        file: String, lines: [String]
    ) throws -> CaptureCheck {
        let meta = """
            {"registers": {"IDR0": "\(idr0)", "IDR1": "\(idr1)", "IDR5": "\(idr5)", "CR0": "0x1",
             "STRTAB_BASE": "0x1000", "STRTAB_BASE_CFG": "0x0"}}
            """
        var page = [UInt8](repeating: 0, count: 4096)
        for (offset, word) in [(0, ste), (0x40, cd)] {
            for byte in 0..<8 { page[offset + byte] = UInt8(truncatingIfNeeded: word >> UInt64(byte * 8)) }
        }
        let files: [String: [UInt8]] = [
            "meta.json": Array(meta.utf8), "pages.idx": [0, 0x10, 0, 0, 0, 0, 0, 0], "pages.bin": page,
            file: Array(lines.joined(separator: "\n").utf8),
        ]
        let directory = try CaptureFixtures.scratchDirectory()
        for (name, bytes) in files { try Data(bytes).write(to: URL(fileURLWithPath: "\(directory)/\(name)")) }
        return try CaptureCheck(Capture(directory: directory))
    }

    private func row(_ answer: String, iova: String = "0x1000") -> String {
        #""sid":0,"ssid":-1,"iova":"\#(iova)","access":"r",\#(answer)}"#
    }

    private func record(_ words: UInt64...) -> String {
        words.map { word in
            let swapped = String(word.byteSwapped, radix: 16)
            return String(repeating: "0", count: 16 - swapped.count) + swapped
        }.joined()
    }

    /// IDR1.CMDQS and EVENTQS are 0: queues of one entry.
    @Test func queuesAreNoLargerThanIDR1Allows() throws {
        let fault = #""result":"fault","event":"C_BAD_STE","record":"\#(record(4, 0, 0, 0))""#
        let ask = #"{"op":"translate","#
        let invalidate = #"{"op":"cmd","data":"03000000000000000000000000000000"}"#
        let sync = #"{"op":"cmd","data":"46000000000000000000000000000000"}"#
        let lines =
            [ask + row(fault), ask + row(fault), #"{"op":"write","pa":"0x1000","data":"01"}"#]
            + [invalidate, sync, ask + row(#""result":"abort""#), #"{"op":"write","pa":"0x1000","data":"00"}"#]
            + [ask + row(#""result":"abort""#), invalidate, sync, ask + row(fault)]
        let check = try check(ste: 0, idr0: "0x2", file: "steps.jsonl", lines: lines)
        #expect(check.rows == 5 && check.agreed == 5)
        #expect(check.failedSteps.isEmpty)
    }

    /// Each of more transactions than there are tags stalls with the tag of the first: none waits for an answer.
    @Test func stalledTransactionsDoNotAddUp() throws {
        let stalled = record(0x10, 1 << 31 | 1 << 35 | 2 << 40, 1 << 40, 0)
        let line =
            "{" + row(#""result":"fault","event":"F_TRANSLATION","record":"\#(stalled)""#, iova: "0x10000000000")
        // Little-endian AArch64 tables of 4 KB in 48 bits, two stall tags.
        let check = try check(
            ste: Self.stage1, cd: Self.stallingCD, idr0: "0x40000a", idr5: "0x20015", file: "oracle.jsonl",
            lines: Array(repeating: line, count: 5))
        #expect(check.rows == 5 && check.agreed == 5)
    }

    /// A pointer of all ones leads nowhere, and not to the queues that the replay adds.
    @Test func brokenPointersDoNotReachTheQueues() throws {
        let nowhere: UInt64 = 0x000f_ffff_ffff_0000
        let fetch = record(9, 0, 0, nowhere)
        let line = "{" + row(#""result":"fault","event":"F_CD_FETCH","record":"\#(fetch)""#)
        let check = try check(
            ste: nowhere | 5 << 1 | 1, idr0: "0x40000a", idr5: "0x16", file: "oracle.jsonl", lines: [line])
        #expect(check.agreed == 1, "\(check.disagreements)")
    }
}

import CaptureFixtures
import Foundation
import JSON
import Testing

@Suite struct TranslateTests {
    private func translate(_ capture: String, _ arguments: String...) throws -> Run {
        try Run(["translate", "--capture", try CaptureFixtures.directory(named: capture)] + arguments)
    }

    @Test func aStage1WalkInFull() throws {
        let run = try translate("lin-4k-s1-plain", "--sid", "24", "--iova", "0xfffff000")
        #expect(run.status == 0)
        #expect(run.error.isEmpty)
        #expect(
            run.output == """
                lin-4k-s1-plain: stream 24, unprivileged read at 0xfffff000

                  configuration
                    L1 descriptor  0x44d55000  0x000000007bc20009  table  span 9, STEs at 0x7bc20000
                    STE            0x7bc20600  0x0000000044f9d00b  valid
                      stage 1 only: one CD at 0x44f9d000
                    CD             0x44f9d000  0x0002e204c0003510  valid
                      ASID 2, TT0 4K granule, 48-bit addresses, table at 0x44f9c000, TT1 off
                  stage 1: TT0, 4K granule, from level 0, table at 0x44f9c000
                    level 0        0x44f9c000  0x0000000044a4d003  table  next at 0x44a4d000
                    level 1        0x44a4d018  0x0000000044a4e003  table  next at 0x44a4e000
                    level 2        0x44a4eff8  0x0000000044a4f003  table  next at 0x44a4f000
                    level 3        0x44a4fff8  0x0060000008090e4b  page   maps 0x8090000, AttrIndx 2, AP 1 (rw), \
                SH 2 (outer), AF, nG, PXN, UXN
                    output         0x8090000                              unprivileged rw-, privileged rw-

                Translated to 0x8090000
                  stages        stage 1
                  permissions   unprivileged rw-, privileged rw-
                  mapped alike  4 KiB

                """)
    }

    /// Every fetch of stage 1 has the stage 2 walk that it needed below it, and the access itself has one of its own.
    @Test func aNestedWalkShowsStage2BelowEachFetch() throws {
        let run = try translate("lin-4k-nested", "--sid", "152", "--iova", "0x40000000")
        #expect(run.status == 0)
        let lines = run.lines
        let headings = lines.filter { $0.contains("stage 2 of ") }
        #expect(headings.count == 5, "\(run.output)")
        #expect(headings.filter { $0.hasPrefix("      stage 2 of the descriptor's IPA 0x") }.count == 3)
        let cd = try #require(lines.firstIndex { $0.hasPrefix("    CD ") })
        #expect(lines[cd].contains("IPA 0x100850000 is 0x42650000"), "\(lines[cd])")
        #expect(lines[cd + 2].hasPrefix("      stage 2 of the CD's IPA 0x100850000: 4K granule, from level 0"))
        #expect(lines[cd + 3].hasPrefix("        level 0 "))
        #expect(lines.contains { $0.hasPrefix("  stage 2 of IPA 0x") })
        #expect(run.row("stages") == ["stage", "1,", "then", "stage", "2"])
    }

    @Test func aStage2WalkThatEndsInAnEvent() throws {
        let run = try translate("lin-4k-s2-vfio", "--sid", "0x98", "--iova", "0x8100000", "--write")
        #expect(run.status == 0)
        let lines = run.lines
        #expect(lines.first == "lin-4k-s2-vfio: stream 152, unprivileged write at 0x8100000")
        #expect(lines.contains { $0.contains("S2AP 1 (r)") }, "\(run.output)")
        #expect(lines.contains { $0.hasSuffix("unprivileged r-x, privileged r-x  <- F_PERMISSION") }, "\(run.output)")
        #expect(lines.contains("F_PERMISSION: the page does not permit this access"))
        #expect(run.row("recorded") == ["yes"])
        #expect(lines.contains("  the device sees  an abort"))
        #expect(
            lines.contains(
                "  record           0x0000009800000013 0x0000028000000000 0x0000000008100000 0x0000000008100000"))
        #expect(run.row("S2") == ["1", "stage", "2"])
        #expect(run.row("RnW") == ["0", "write"])
    }

    @Test func marksTheDescriptorThatIsInvalid() throws {
        let run = try translate("lin-4k-s1-plain", "--sid", "24", "--iova", "0")
        #expect(
            run.lines.contains { $0.hasPrefix("    level ") && $0.contains("invalid  bit 0 is 0  <- F_TRANSLATION") },
            "\(run.output)")
    }

    /// An STE or a CD that is ILLEGAL says why, where it is read.
    @Test func anIllegalSTESaysWhy() throws {
        let directory = try copyOfCapture("lin-4k-s1-plain")
        // Without CD2L, S1P and the rest of IDR0 the SMMU has no stage 1.
        let meta = URL(fileURLWithPath: "\(directory)/meta.json")
        let text = String(decoding: try Data(contentsOf: meta), as: UTF8.self)
        try Data(text.replacingOccurrences(of: "\"0xd44101a\"", with: "\"0xd441018\"").utf8).write(to: meta)
        let run = try Run(["translate", "--capture", directory, "--sid", "24", "--iova", "0xfffff000"])
        #expect(
            run.lines.contains(
                "      ILLEGAL: stage 1 is enabled, but IDR0.S1P is 0 (IHI 0070, 5.2 STE.Config)"), "\(run.output)")
        #expect(run.lines.contains { $0.hasPrefix("C_BAD_STE: ") })
        let json = try Run(["translate", "--capture", directory, "--sid", "24", "--iova", "0", "--json"]).json()
        #expect(json["steps"]?[1]?["problems"]?[0]?["rule"] == "IHI 0070, 5.2 STE.Config")
    }

    @Test func aStreamBeyondTheTable() throws {
        let run = try translate("lin-4k-s1-plain", "--sid", "0xffffffff", "--iova", "0xffffffffffffffff")
        #expect(run.status == 0)
        #expect(run.lines.contains("  no table was read"), "\(run.output)")
        #expect(run.lines.contains { $0.hasPrefix("C_BAD_STREAMID: ") })
    }

    @Test func anAbortingStream() throws {
        let run = try translate("lin-4k-s1-plain", "--sid", "983", "--iova", "0x1000")
        #expect(run.lines.contains("Aborted: terminated by configuration, and no event is recorded"), "\(run.output)")
        #expect(
            try translate("lin-4k-s1-plain", "--sid", "983", "--iova", "0", "--json").json()["result"]
                == ["kind": "aborted"])
    }

    /// Privilege and kind of access decide: the page is for privileged accesses only.
    @Test func privilegeAndKindOfAccessCount() throws {
        let arguments = ["--sid", "152", "--iova", "0x40009000", "--json"]
        func result(_ more: String...) throws -> JSONValue? {
            let capture = try CaptureFixtures.directory(named: "lin-4k-nested")
            return try Run(["translate", "--capture", capture] + arguments + more).json()["result"]
        }
        let read = try result()
        #expect(read?["kind"] == "faulted" && read?["event"] == "F_PERMISSION")
        #expect(read?["recorded"] == true && read?["response"] == "abort")
        #expect(try result("--privileged")?["kind"] == "translated")
        let fetch = try result("--execute")
        #expect(fetch?["kind"] == "translated")
        #expect(fetch?["permissions"] == ["unprivileged": "--x", "privileged": "rwx"])
    }

    @Test func aNestedWalkAsJSON() throws {
        let run = try translate("lin-4k-nested", "--sid", "152", "--iova", "0x40000000", "--json")
        let json = try run.json()
        #expect(run.status == 0)
        #expect(
            json.object?.keys == ["capture", "sid", "ssid", "iova", "access", "privileged", "steps", "result"])
        #expect(json["ssid"] == .null)
        let steps = try #require(json["steps"]?.array)
        #expect(
            steps.map { $0["step"]?.string } == [
                "streamTableL1", "streamTableEntry", "contextDescriptor", "stage1Table", "descriptor", "descriptor",
                "descriptor", "leaf", "stage2Table",
            ])
        #expect(steps[2]["stage2"]?[0]?["for"] == "contextDescriptor")
        #expect(steps[2]["ipa"] == "0x100850000")
        #expect(steps[4]["stage2"]?[0]?["for"] == "tableDescriptor")
        #expect(steps[6]["kind"] == "page")
        #expect(steps[8]["for"] == "input")
        // What the last step puts out is the result.
        let output = steps[8]["stage2"]?.array?.last?["output"]
        #expect(output != nil && output == json["result"]?["pa"])
        #expect(steps[7]["output"] == json["result"]?["ipa"])
        #expect(json["result"]?["stage"] == 3)
        #expect(json["result"]?["sizeLog2"] == 12)
    }

    /// Whatever the tables hold, the command ends by itself, and says something.
    @Test func tablesOfNonsenseDoNotTrap() throws {
        let directory = try copyOfCapture("lin-4k-nested")
        let pages = URL(fileURLWithPath: "\(directory)/pages.bin")
        let size = try Data(contentsOf: pages).count
        var state: UInt64 = 1
        let fills: [() -> UInt64] = [
            {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                // Every descriptor is a table or a page, so that walks go on.
                return state ^ state >> 33 | 3
            },
            { .max }, { 0xffff_ffff_ffff_f00f },
        ]
        for fill in fills {
            let bytes = (0..<size / 8).flatMap { _ in
                let word = fill()
                return (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) }
            }
            try Data(bytes).write(to: pages)
            for iova in ["0", "0x40009000", "0xffffffffffffffff"] {
                let run = try Run(["translate", "--capture", directory, "--sid", "152", "--iova", iova])
                #expect(run.status == 0)
                #expect(!run.output.isEmpty)
            }
        }
    }
}

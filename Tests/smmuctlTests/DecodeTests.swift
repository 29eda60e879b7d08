import JSON
import Testing

/// What `decode` says of structures that are known to be right, and of some that are not.
@Suite struct DecodeTests {
    @Test func anSTEInFull() throws {
        let run = try Run(["decode", "ste", "500000008001202b", "00000000000000d6"])
        #expect(run.status == 0)
        #expect(run.error.isEmpty)
        #expect(
            run.output == """
                STE: stage 1 only: 2^10 CDs, their table at 0x80012000

                  word 0  0x500000008001202b
                  word 1  0x00000000000000d6

                  Field         Value       Meaning
                  V             1           the structure is valid
                  Config        5           stage 1 only
                  S1Fmt         2           two-level, 64 KB leaves
                  S1ContextPtr  0x80012000  address of the CD, or of the CD table
                  S1CDMax       10          log2 of the number of CDs
                  S1DSS         2           use CD 0
                  S1CIR         1           write-back, allocate
                  S1COR         1           write-back, allocate
                  S1CSH         3           inner
                  STRW          0           NS-EL1
                  S2VMID        0           the VMID that tags translations

                Reserved bits: none

                Architecture: legal
                Nested vSMMU: accepted: stage 1 translates, the host's stage 2 after it
                  passed on: 0x500000008001202b 0x00000000000000d6
                  stripped:  none

                ID registers assumed:
                  architecture  IDR0 0x080d76bb  IDR1 0x0e739d20  IDR3 0x00003794  IDR5 0x00400475  everything on, \
                48-bit addresses
                  nested vSMMU  IDR0 0x0948341a  IDR1 0x02730520  IDR3 0x00001404  IDR5 0x00000075  safe profile for \
                nested translation

                """)
    }

    /// Arguments of `decode`, and lines that the output has to have.
    static let summaries: [(arguments: [String], lines: [String])] = [
        (["ste", "9"], ["STE: no translation: addresses pass unchanged", "Architecture: legal"]),
        (
            ["ste", "1"],
            ["STE: every transaction aborts", "Nested vSMMU: accepted: the stream aborts, as its STE says"]
        ),
        (["ste", "3"], ["STE: a reserved Config: every transaction aborts", "Architecture: legal"]),
        (
            ["ste", "0"],
            ["STE: not valid: V is 0", "Architecture: ILLEGAL", "  V is 0 (IHI 0070, 5.2 STE.V)"]
        ),
        (
            ["ste", "000000008001234b", "00000000080000d4"],
            ["STE: stage 1 only: one CD at 0x80012340", "Architecture: legal"]
        ),
        (
            ["cd", "0042e205c0003510", "0000000080020000", "0", "00000000000000ff"],
            [
                "CD: ASID 66, TT0 4K granule, 48-bit addresses, table at 0x80020000, TT1 off", "Architecture: legal",
                "Nested vSMMU: legal", "Assumed of the STE: S1STALLD is 0, and STRW is EL1.",
            ]
        ),
        (["cd", "0"], ["CD: not valid: V is 0", "  V is 0 (IHI 0070, 5.4 CD.V)"]),
        (["command", "0000002000003005", "1"], ["CFGI_CD: drop one cached CD", "Nested vSMMU: forwarded"]),
        (["command", "0000002000000006", "0"], ["CFGI_CD_ALL: drop every cached CD of one stream"]),
        (["command", "0042000000000011"], ["TLBI_NH_ASID: drop the translations of one ASID of a VMID"]),
        (
            ["command", "0042000000000012", "00007f0012345001"],
            ["TLBI_NH_VA: drop translations of the page at 0x7f0012345000", "Nested vSMMU: forwarded"]
        ),
        (
            ["command", "0042000000900012", "0000000040000701"],
            ["TLBI_NH_VA: drop translations of 512 pages of 4K from 0x40000000", "Nested vSMMU: forwarded"]
        ),
        (
            ["command", "0000002000000040", "34"],
            ["ATC_INV: the device drops everything from its ATC", "Nested vSMMU: forwarded"]
        ),
        (["command", "46"], ["Architecture: legal", "Nested vSMMU: not forwarded"]),
        (
            ["command", "ff"],
            ["opcode 0xff: an unknown command", "Architecture: ILLEGAL", "Nested vSMMU: not forwarded"]
        ),
        (["command", "0000002100000006", "80"], ["Reserved bits: word 1 0x80", "Nested vSMMU: not forwarded"]),
        (
            ["event", "0x0000002000000010", "0x0000020800000000", "0x00000000dead0000", "0"],
            [
                "F_TRANSLATION: no valid translation for the address", "Architecture: defined",
                "Nested vSMMU: forwarded to the VMM",
            ]
        ),
        (
            ["event", "10", "0000028000000000"],
            [
                "Nested vSMMU: not forwarded",
                "  S2 is set: stage 2 is the host's (linux/iommufd.h, iommu_vevent_arm_smmuv3)",
            ]
        ),
        (["event", "10", "80000000"], ["Nested vSMMU: not forwarded"]),
        (["event", "9"], ["Architecture: defined", "Nested vSMMU: not forwarded"]),
        (["event", "e3"], ["IMPDEF_e3: defined by the SMMU's implementer", "Architecture: left to the implementer"]),
        (["event", "7f"], ["Architecture: not an event of the architecture"]),
    ]

    @Test(arguments: summaries)
    func saysWhatItIs(arguments: [String], lines: [String]) throws {
        let run = try Run(["decode"] + arguments)
        #expect(run.status == 0)
        for line in lines { #expect(run.lines.contains(line), "\(run.output)") }
    }

    /// A stage 2 STE is right on an SMMU of its own and wrong in a guest whose stage 2 is the host's.
    @Test func aStage2STEHasTwoVerdicts() throws {
        let words = ["decode", "ste", "d", "0", "000d359400000014", "12340000"]
        let run = try Run(words)
        #expect(run.status == 0)
        #expect(run.lines.contains("Architecture: legal"), "\(run.output)")
        #expect(run.lines.contains("Nested vSMMU: refused: the stream aborts"))
        #expect(run.output.contains("Config enables stage 2, which belongs to the host (linux/iommufd.h"))
        let json = try Run(words + ["--json"]).json()
        #expect(json["architecture"]?["accepted"] == true)
        #expect(json["nested"]?["accepted"] == false)
    }

    /// What a guest sets for itself is taken out before its STE goes to the host.
    @Test func showsWhatIsStripped() throws {
        let run = try Run(["decode", "ste", "000000008001200b", "00001000100000d6"])
        #expect(run.lines.contains("  passed on: 0x000000008001200b 0x00000000100000d6"), "\(run.output)")
        #expect(run.lines.contains("  stripped:  word 1 0x100000000000"))
        // Without ATS a device must not be given it.
        let withoutATS = try Run(["decode", "ste", "000000008001200b", "00001000100000d6", "--idr0", "0x0948301a"])
        #expect(withoutATS.lines.contains("  stripped:  word 1 0x100010000000"), "\(withoutATS.output)")
    }

    /// The same structure as words in order, and as the bytes in memory.
    @Test(arguments: [
        (["command", "0042000000900012", "0000000040000701"], "12009000000042000107004000000000"),
        (
            ["event", "0000002000000010", "0000020800000000", "dead0000"],
            "10000000200000000000000008020000" + "0000adde000000000000000000000000"
        ),
        (
            ["ste", "0x0000_0000_8001_234B", "0x80000d4"],
            "4b23018000000000d400000800000000" + String(repeating: "0", count: 96)
        ),
        (
            ["cd", "0x0042e205c0003510", "80020000", "0", "0XFF"],
            "103500c005e24200" + "0000028000000000" + String(repeating: "0", count: 16) + "ff"
                + String(repeating: "0", count: 78)
        ),
    ])
    func wordsAndBytesAreTheSame(words: [String], bytes: String) throws {
        let fromWords = try Run(["decode"] + words)
        let fromBytes = try Run(["decode", words[0], bytes])
        #expect(fromWords.status == 0)
        #expect(fromBytes.status == 0)
        #expect(fromWords.output == fromBytes.output)
    }

    @Test func anEventAsJSON() throws {
        let run = try Run(["decode", "--json", "event", "0000002000000010", "0000020800000000", "dead0000", "8"])
        let json = try run.json()
        #expect(run.status == 0)
        #expect(
            json.object?.keys == ["kind", "words", "summary", "fields", "reservedBits", "architecture", "nested"])
        #expect(json["kind"] == "event")
        #expect(
            json["words"] == [
                "0x0000002000000010", "0x0000020800000000", "0x00000000dead0000", "0x0000000000000008",
            ])
        #expect(json["reservedBits"]?[3] == "0x0000000000000008")
        #expect(json["fields"]?[0] == ["name": "Event", "value": "0x10", "meaning": "F_TRANSLATION"])
        #expect(json["nested"]?["verdict"] == "forwarded to the VMM")
        #expect(json["nested"]?["idRegisters"]?["IDR0"] == "0x0948341a")
    }

    @Test func anSTEAsJSONSaysWhatIsPassedOn() throws {
        let json = try Run(["decode", "--json", "ste", "000000008001200b", "00001000000000d6"]).json()
        #expect(json["nested"]?["passedOn"] == ["0x000000008001200b", "0x00000000000000d6"])
        #expect(json["nested"]?["stripped"] == ["0x0000000000000000", "0x0000100000000000"])
        #expect(json["architecture"]?["passedOn"] == nil)
    }
}

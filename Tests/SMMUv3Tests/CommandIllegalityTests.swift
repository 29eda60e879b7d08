import SMMUv3
import Testing

struct CommandIllegalityTests {
    struct Example: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let ids: IDRegisters
        let command: Command
        let expected: CommandIllegality?

        init(_ name: String, _ ids: IDRegisters, _ command: Command, _ expected: CommandIllegality?) {
            (testDescription, self.ids, self.command, self.expected) = (name, ids, command, expected)
        }

        func check() { #expect(command.illegality(on: ids) == expected) }
    }

    @Test("cmd.ssec: SSec is bit 10 of word 0 in every command, and none with it is legal")
    func secure() {
        for opcode in Command.Opcode.allCases {
            let command = Command(d0: UInt64(opcode.rawValue) | 1 << 10, d1: 0)
            #expect(command.secure && !Command.make(opcode).secure)
            #expect(command.illegality(on: everything()) == .secure)
            #expect(opcode.fields.contains { $0.name == "SSec" && $0.word == 0 && $0.mask == 1 << 10 })
            let ssv = opcode.fields.filter { $0.name == "SSV" }
            #expect(ssv.allSatisfy { $0.word == 0 && $0.mask == 1 << 11 })
        }
        #expect(Command(d0: 1 << 11, d1: 0).substreamValid)
    }

    static let sizes = (0...63).map { size in
        Example("Size \(size)", everything(), .atcInv(StreamID(1), size: size), size > 52 ? .atcSize : nil)
    }

    @Test("cmd.illegal-atc-size: the largest Size of ATC_INV is 52", arguments: sizes)
    func size(_ example: Example) { example.check() }

    static let unsupported: [Example] = {
        let all = everything()
        func group(
            _ ids: IDRegisters, _ reason: CommandIllegality, _ opcodes: Command.Opcode...
        ) -> [Example] {
            opcodes.flatMap { opcode in
                let command = Command.make(opcode)
                return [
                    Example("\(opcode.name) without", ids, command, reason),
                    Example("\(opcode.name)", all, command, nil),
                ]
            }
        }
        let stallTerm = Command.stallTerm(StreamID(1))
        return group(all.withIDR0(9, 9, 0), .hypUnsupported, .tlbiEL2All, .tlbiEL2ASID, .tlbiEL2VA, .tlbiEL2VAA)
            + group(all.withIDR0(0, 0, 0), .stage2Unsupported, .tlbiS12VMAll, .tlbiS2IPA)
            + group(
                all.withIDR0(1, 1, 0), .stage1Unsupported, .tlbiNHAll, .tlbiNHASID, .tlbiNHVA, .tlbiNHVAA, .cfgiCD,
                .cfgiCDAll)
            + group(all.withIDR0(10, 10, 0), .atsUnsupported, .atcInv)
            + group(all.withIDR0(16, 16, 0), .priUnsupported, .priResp)
            + group(all.withIDR3(7, 7, 0), .partitionUnsupported, .cfgiVMSPIDM)
            + group(all.withIDR0(25, 24, 1), .stallUnsupported, .resume, .stallTerm)
            + [
                Example("stalls only", all.withIDR0(25, 24, 2), stallTerm, nil),
                Example("TLBI_EL3_ALL", all, .make(.tlbiEL3All), .el3Command),
                Example("TLBI_EL3_VA", all, .make(.tlbiEL3VA), .el3Command),
                Example("TLBI_NSNH_ALL without stages", IDRegisters(), .make(.tlbiNSNHAll), nil),
                Example("CFGI_ALL without stages", IDRegisters(), .cfgiAll, nil),
            ]
    }()

    @Test(
        "cmd.illegal-unsupported: a command for what the ID registers do not offer is illegal", arguments: unsupported)
    func notOffered(_ example: Example) { example.check() }

    static let reserved: [Example] = [
        Example("CS 3", everything(), Command(d0: 0x46 | 3 << 12, d1: 0), .syncSignalReserved),
        Example("Resp 3", everything(), Command(d0: 0x41, d1: 3 << 12), .responseReserved),
        Example("Resp 2", everything(), Command(d0: 0x41, d1: 2 << 12), nil),
    ]

    @Test("Reserved signals of SYNC and responses to page requests are illegal", arguments: reserved)
    func reservedCode(_ example: Example) { example.check() }

    static let opcodes: [Command.Opcode] = [.tlbiNHVA, .tlbiNHVAA, .tlbiEL2VA, .tlbiEL2VAA, .tlbiS2IPA]

    @Test(
        "cmd.tlbi-reserved: with RIL a granule needs NUM, SCALE or TTL, and TTL 1 with 16K is none", arguments: opcodes)
    func reservedRange(opcode: Command.Opcode) {
        for granule in [nil, Granule.k4, .k16, .k64] {
            for (num, scale, ttl) in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 2), (0, 0, 3), (3, 0, 1)] {
                let span = Command.Span(granule: granule, num: num, scale: scale, ttl: ttl)
                let command = Command.tlbi(opcode, span: span)
                let level = granule == .k16 && ttl == 1 ? 0 : ttl
                #expect(granule == nil || command.effectiveTTL == level)
                let isReserved = granule != nil && num == 0 && scale == 0 && level == 0
                let name: Comment = "\(String(describing: granule)), NUM \(num), SCALE \(scale), TTL \(ttl)"
                #expect(command.illegality(on: everything()) == (isReserved ? .rangeReserved : nil), name)
                #expect(command.illegality(on: everything().withIDR3(10, 10, 0)) == nil, name)
            }
        }
    }

    @Test("cmd.tlbi-range: a range is (NUM+1) times 2^SCALE granules, without a granule one page")
    func range() {
        for granule in Granule.allCases {
            for (num, scale, pages) in [(0, 0, "1"), (31, 0, "32"), (2, 5, "96"), (31, 31, "68719476736")] {
                let span = Command.Span(granule: granule, num: num, scale: scale, ttl: 3)
                let command = Command.tlbi(.tlbiNHVA, address: 0x4000_0000, span: span)
                #expect(command.summary == "drop translations of \(pages) pages of \(granule.name) from 0x40000000")
            }
        }
        let page = Command.tlbi(.tlbiS2IPA, address: 0xfff0_0000_4000_0fff)
        #expect(page.summary == "drop translations of the page at 0x40000000", "an IPA ends at bit 51")
    }

    @Test("cmd.tlbi-ttl: TTL 0 is any level, n a leaf at level n")
    func level() {
        let texts = (0...3).map { ttl in
            Command.tlbi(.tlbiNHVA, span: .init(granule: .k4, num: 1, ttl: ttl)).describe().first { $0.name == "TTL" }?
                .text
        }
        let expected = ["0 (any level)", "1 (leaf at level 1)", "2 (leaf at level 2)", "3 (leaf at level 3)"]
        #expect(texts == expected)
    }

    @Test("cmd.atc-span: an ATC_INV covers 2^Size aligned pages of 4 KB, with Size 52 everything")
    func span() {
        let address: UInt64 = 0x1234_5678_9000
        #expect(Command.atcInv(StreamID(1), address: address, size: 0).summary.contains("1 × 4 KB from 0x123456789000"))
        #expect(
            Command.atcInv(StreamID(1), address: address, size: 4).summary.contains("16 × 4 KB from 0x123456780000"))
        #expect(Command.atcInv(StreamID(1), address: address, size: 51).summary.contains("from 0x0 "))
        #expect(Command.atcInv(StreamID(1), address: address, size: 52).summary.contains("everything"))
    }

    @Test("Every reason is given for some command, in words of its own and with the rule it breaks")
    func reasons() {
        let given = [Self.sizes, Self.unsupported, Self.reserved].joined().compactMap(\.expected)
        #expect(Set(given).union([.unknownOpcode, .secure, .rangeReserved]) == Set(CommandIllegality.allCases))
        #expect(CommandIllegality.allCases.allSatisfy { $0.rule.hasPrefix("IHI 0070, 4") })
    }
}

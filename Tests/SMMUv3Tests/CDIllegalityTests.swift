import SMMUv3
import Scenarios
import Testing

/// One CD on one SMMU, and why it is ILLEGAL there.
struct CDCase: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let ids: IDRegisters
    let cd: ContextDescriptor
    var stallDisabled = false
    var twoRanges = true
    let expected: [CDIllegality]

    init(_ name: String, _ ids: IDRegisters, _ cd: ContextDescriptor, _ expected: CDIllegality...) {
        (testDescription, self.ids, self.cd, self.expected) = (name, ids, cd, expected)
    }

    /// On ``everything()``.
    init(_ name: String, _ cd: ContextDescriptor, _ expected: CDIllegality...) {
        (testDescription, ids, self.cd, self.expected) = (name, everything(), cd, expected)
    }

    func underStallDisabled() -> CDCase {
        var copy = self
        copy.stallDisabled = true
        return copy
    }

    func atEL2() -> CDCase {
        var copy = self
        copy.twoRanges = false
        return copy
    }

    func check() {
        #expect(cd.illegalities(on: ids, stallDisabled: stallDisabled, twoRanges: twoRanges) == expected)
    }
}

extension ContextDescriptor {
    /// A legal CD for ``everything()``: two 48-bit tables with 4 KB granules, aborting and recording.
    static func legal(_ changes: (high: Int, low: Int, value: UInt64)...) -> ContextDescriptor {
        var cd = ContextDescriptor()
        let fields: [(Int, Int, UInt64)] = [
            (5, 0, 16), (21, 16, 16), (23, 22, 2), (31, 31, 1), (34, 32, 5), (41, 41, 1), (46, 45, 3), (63, 48, 0x42),
        ]
        for (high, low, value) in fields + changes { cd.words[0].setBits(high, low, value) }
        (cd.words[1], cd.words[2]) = (0x8000_0000, 0x9000_0000)
        return cd
    }

    func with(base: UInt64, of table: Int) -> ContextDescriptor {
        var copy = self
        copy.words[table + 1] = base
        return copy
    }
}

struct CDIllegalityTests {
    @Test("cd.illegal-v0: without V nothing else is looked at", arguments: seeds)
    func notValid(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var cd = ContextDescriptor(words: random.vector8())
        cd.words[0].setBit(31, false)
        for ids in [everything(), IDRegisters()] {
            #expect(cd.illegalities(on: ids, stallDisabled: true, twoRanges: true) == [.notValid], "seed \(seed)")
        }
    }

    static let formats = [
        CDCase("AArch64", .legal()), CDCase("AArch32", .legal((41, 41, 0)), .notAArch64),
        CDCase("AArch64 not offered", everything().withIDR0(3, 2, 1), .legal(), .notAArch64),
    ]

    @Test("cd.illegal-aa64: the tables are those of AArch64", arguments: formats)
    func tableFormat(_ example: CDCase) { example.check() }

    static let granules: [CDCase] = {
        // Base 0 is aligned to tables of any size; 25 is a legal TnSZ for all granules.
        let codes0: [(UInt64, Int)] = [(0, 4), (2, 5), (1, 6)]
        let codes1: [(UInt64, Int)] = [(2, 4), (1, 5), (3, 6)]
        return codes0.flatMap { code, bit in
            [
                CDCase("TG0 \(code)", .legal((7, 6, code), (30, 30, 1))),
                CDCase(
                    "TG0 \(code) not offered", everything().withIDR5(bit, bit, 0), .legal((7, 6, code), (30, 30, 1)),
                    .granuleUnsupported0),
            ]
        }
            + codes1.flatMap { code, bit in
                [
                    CDCase("TG1 \(code)", .legal((23, 22, code), (14, 14, 1))),
                    CDCase(
                        "TG1 \(code) not offered", everything().withIDR5(bit, bit, 0),
                        .legal((23, 22, code), (14, 14, 1)), .granuleUnsupported1),
                ]
            } + [
                CDCase("TG0 3", .legal((7, 6, 3)), .granuleReserved0),
                CDCase("TG1 0", .legal((23, 22, 0)), .granuleReserved1),
            ]
    }()

    @Test("cd.illegal-tg: TGn is not reserved, and names a granule that IDR5 offers", arguments: granules)
    func granule(_ example: CDCase) { example.check() }

    /// TnSZ of both tables against the range, for a granule given as its two codes.
    static func sizes(_ ids: IDRegisters, _ codes: (UInt64, UInt64), legal: ClosedRange<Int>) {
        for size in 0...63 {
            let field = UInt64(size)
            let cd0 = ContextDescriptor.legal((7, 6, codes.0), (5, 0, field), (30, 30, 1))
            let cd1 = ContextDescriptor.legal((23, 22, codes.1), (21, 16, field), (14, 14, 1))
            let found0 = cd0.illegalities(on: ids, stallDisabled: false, twoRanges: true)
            let found1 = cd1.illegalities(on: ids, stallDisabled: false, twoRanges: true)
            #expect(found0 == (legal.contains(size) ? [] : [.inputSize0]), "TG0 \(codes.0), T0SZ \(size)")
            #expect(found1 == (legal.contains(size) ? [] : [.inputSize1]), "TG1 \(codes.1), T1SZ \(size)")
        }
    }

    static let granuleCodes: [(UInt64, UInt64)] = [(0, 2), (2, 1), (1, 3)]

    @Test("cd.illegal-tsz: TnSZ lies between 16 and 39")
    func inputSize() {
        let ids = everything().withIDR5(11, 10, 0)
        for codes in Self.granuleCodes { Self.sizes(ids, codes, legal: 16...39) }
    }

    @Test("cd.tsz-stt: with small tables TnSZ reaches 48, with 64 KB granules 47")
    func smallTables() {
        let ids = everything().withIDR5(11, 10, 0).withIDR3(9, 9, 1)
        for codes in Self.granuleCodes { Self.sizes(ids, codes, legal: 16...(codes.0 == 1 ? 47 : 48)) }
    }

    @Test("cd.tsz-vax: with large addresses and 64 KB granules TnSZ begins at 12", arguments: [UInt64(1), 2])
    func largeAddresses(code: UInt64) {
        let ids = everything().withIDR5(11, 10, code)
        for codes in Self.granuleCodes { Self.sizes(ids, codes, legal: (codes.0 == 1 ? 12 : 16)...39) }
    }

    static let tableBases: [CDCase] = [(4, 5, 44), (2, 5, 40), (5, 4, 44), (0, 5, 32)].flatMap {
        (ips: UInt64, oas: UInt64, bits: UInt64) in
        let ids = everything().withIDR5(2, 0, oas)
        let cd = ContextDescriptor.legal((34, 32, ips))
        let name = "IPS \(ips), OAS \(oas)"
        return [
            CDCase("\(name), both below", ids, cd.with(base: 1 << bits - 4096, of: 0).with(base: 0, of: 1)),
            CDCase("\(name), TTB0 beyond", ids, cd.with(base: 1 << bits, of: 0), .tableBaseTooLarge0),
            CDCase("\(name), TTB1 beyond", ids, cd.with(base: 1 << bits, of: 1), .tableBaseTooLarge1),
        ]
    }

    @Test("cd.illegal-ttb: TTBn stays below the effective IPS", arguments: tableBases)
    func tableBase(_ example: CDCase) { example.check() }

    static let endianness = [
        CDCase("little where little", everything().withIDR0(22, 21, 2), .legal()),
        CDCase("big where little", everything().withIDR0(22, 21, 2), .legal((15, 15, 1)), .endianness),
        CDCase("little where big", everything().withIDR0(22, 21, 3), .legal(), .endianness),
        CDCase("big where big", everything().withIDR0(22, 21, 3), .legal((15, 15, 1))),
        CDCase("big where mixed", .legal((15, 15, 1))), CDCase("little where mixed", .legal()),
    ]

    @Test("cd.illegal-endi: ENDI must be something that TTENDIAN offers", arguments: endianness)
    func bigEndian(_ example: CDCase) { example.check() }

    static let identifiers: [CDCase] = {
        let short = everything().withIDR0(12, 12, 0)
        return [
            CDCase("16 bits", .legal((63, 48, 0xffff))), CDCase("8 bits", short, .legal((63, 48, 0xff))),
            CDCase("9 bits", short, .legal((63, 48, 0x100)), .asidTooLarge),
            CDCase("9 bits at EL2", short, .legal((63, 48, 0x100))).atEL2(),
        ]
    }()

    @Test("cd.illegal-asid: without ASID16 an ASID has 8 bits, but where there are none", arguments: identifiers)
    func identifier(_ example: CDCase) { example.check() }

    static let stalls: [CDCase] = {
        let stalling = ContextDescriptor.legal((44, 44, 1))
        return [
            CDCase("S with both models", stalling),
            CDCase("S where nothing stalls", everything().withIDR0(25, 24, 1), stalling, .stallUnsupported),
            CDCase("S under S1STALLD", stalling, .stallDisabled).underStallDisabled(),
            CDCase("S 0 under S1STALLD", .legal()).underStallDisabled(),
        ]
    }()

    @Test("cd.illegal-stall: S needs a stall model and a stream that may stall", arguments: stalls)
    func stall(_ example: CDCase) { example.check() }

    static let models: [CDCase] = {
        let always = everything().withIDR0(25, 24, 2)
        return [
            CDCase("S 0 where everything stalls", always, .legal(), .stallForced),
            CDCase("S where everything stalls", always, .legal((44, 44, 1))),
            CDCase("A 0 with TERM_MODEL", everything().withIDR0(26, 26, 1), .legal((46, 46, 0)), .abortRequired),
            CDCase("A with TERM_MODEL", everything().withIDR0(26, 26, 1), .legal()),
            CDCase("A 0 without", .legal((46, 46, 0))),
        ]
    }()

    @Test("cd.illegal-stall-model: S and A must be 1 where the SMMU knows nothing else", arguments: models)
    func model(_ example: CDCase) { example.check() }

    static let updates: [CDCase] = [UInt64(0), 1, 2, 3].flatMap { level in
        [(42, "HD", level < 2), (43, "HA", level < 1)].map { bit, name, illegal in
            let ids = everything().withIDR0(7, 6, level)
            return illegal
                ? CDCase("\(name), HTTU \(level)", ids, .legal((bit, bit, 1)), .hardwareUpdateUnsupported)
                : CDCase("\(name), HTTU \(level)", ids, .legal((bit, bit, 1)))
        }
    }

    @Test("Updates by hardware must be those that HTTU offers", arguments: updates)
    func hardwareUpdate(_ example: CDCase) { example.check() }

    @Test("cd.epd-unchecked: nothing of a table that EPDn switches off is looked at", arguments: seeds)
    func disabledTables(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let ids = everything().withIDR0(22, 21, 2)
        func found(_ cd: ContextDescriptor) -> [CDIllegality] {
            cd.illegalities(on: ids, stallDisabled: false, twoRanges: true)
        }
        let (size, granule, base) = (random.bits(6), random.bits(2), random.next())
        let without0 = ContextDescriptor.legal((14, 14, 1), (5, 0, size), (7, 6, granule)).with(base: base, of: 0)
        let without1 = ContextDescriptor.legal((30, 30, 1), (21, 16, size), (23, 22, granule)).with(base: base, of: 1)
        #expect(found(without0) == [], "seed \(seed)")
        #expect(found(without1) == [], "seed \(seed)")
        let big = ContextDescriptor.legal((15, 15, 1), (14, 14, 1))
        #expect(found(big) == [.endianness], "the other table still counts")
        var neither = big
        neither.words[0].setBit(30, true)
        #expect(found(neither) == [])
    }

    @Test("At EL2 without E2H EPD0 does not count, and TT1 is not looked at")
    func singleRange() {
        let odd = ContextDescriptor.legal((14, 14, 1), (5, 0, 0), (23, 22, 0), (21, 16, 0)).with(base: .max, of: 1)
        #expect(odd.illegalities(on: everything(), stallDisabled: false, twoRanges: false) == [.inputSize0])
    }

    @Test("Every reason is given for some CD, in words of its own and with the rule it breaks")
    func reasons() {
        let cases = [
            Self.formats, Self.granules, Self.tableBases, Self.endianness, Self.identifiers, Self.stalls, Self.models,
            Self.updates,
        ]
        let given = Set(cases.joined().flatMap(\.expected)).union([.notValid, .inputSize0, .inputSize1])
        #expect(given == Set(CDIllegality.allCases))
        #expect(CDIllegality.allCases.allSatisfy { $0.rule.hasPrefix("IHI 0070, 5.4") })
    }
}

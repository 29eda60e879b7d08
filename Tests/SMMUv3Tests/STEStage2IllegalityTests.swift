import SMMUv3
import Testing

struct STEStage2IllegalityTests {
    static let stalls: [STECase] = {
        let stalling = StreamTableEntry.legal(.stage2) { $0.s2Stall = true }
        let (never, always) = (everything().withIDR0(25, 24, 1), everything().withIDR0(25, 24, 2))
        return [
            STECase("S2S with both models", stalling), STECase("S2S 0 with both", .legal(.stage2)),
            STECase("S2S where nothing stalls", never, stalling, .s2StallUnsupported),
            STECase("S2S 0 where nothing stalls", never, .legal(.stage2)),
            STECase("S2S where everything stalls", always, stalling),
            STECase("S2S 0 where everything stalls", always, .legal(.stage2), .s2StallForced),
        ]
    }()

    @Test("ste.illegal-s2s: S2S must be something that the stall model offers", arguments: stalls)
    func stall(_ example: STECase) { example.check() }

    static let granules: [STECase] = {
        func entry(_ code: Int) -> StreamTableEntry {
            // 40 bits start at level 1, 2 and 2: S2SL0 1 with each granule.
            .legal(.stage2) { ($0.s2TG, $0.s2T0SZ, $0.s2SL0) = (code, 24, 1) }
        }
        return [
            STECase("4K", entry(0)), STECase("64K", entry(1)), STECase("16K", entry(2)),
            STECase("S2TG 3", entry(3), .s2GranuleReserved),
            STECase("4K not offered", everything().withIDR5(4, 4, 0), entry(0), .s2GranuleUnsupported),
            STECase("16K not offered", everything().withIDR5(5, 5, 0), entry(2), .s2GranuleUnsupported),
            STECase("64K not offered", everything().withIDR5(6, 6, 0), entry(1), .s2GranuleUnsupported),
        ]
    }()

    @Test("ste.illegal-s2tg: S2TG names a granule that IDR5 offers", arguments: granules)
    func granule(_ example: STECase) { example.check() }

    static let formats: [STECase] = [
        STECase("AArch32", .legal(.stage2) { $0.s2AArch64 = false }, .s2NotAArch64),
        STECase("AArch64 not offered", everything().withIDR0(3, 2, 1), .legal(.stage2), .s2NotAArch64),
        STECase("AArch64 among both", everything().withIDR0(3, 2, 3), .legal(.stage2)),
    ]

    @Test("ste.illegal-s2aa64: stage 2 tables are those of AArch64", arguments: formats)
    func tableFormat(_ example: STECase) { example.check() }

    static let identifiers: [STECase] = {
        let short = everything().withIDR0(18, 18, 0)
        func entry(
            _ config: StreamTableEntry.Config, _ vmid: UInt16, _ world: StreamTableEntry.StreamWorld = .nsEL1
        ) -> StreamTableEntry {
            .legal(config) { ($0.s2VMID, $0.streamWorld) = (vmid, world) }
        }
        return [
            STECase("16 bits", entry(.stage2, 0xffff)), STECase("8 bits", short, entry(.stage2, 0xff)),
            STECase("9 bits, stage 2", short, entry(.stage2, 0x100), .s2VMIDTooLarge),
            STECase("9 bits, nested", short, entry(.nested, 0x100), .s2VMIDTooLarge),
            STECase("9 bits, stage 1", short, entry(.stage1, 0x100), .s2VMIDTooLarge),
            STECase("9 bits, stage 1 at EL2", short, entry(.stage1, 0x100, .el2)),
            STECase("STRW 2 does not count", short.withIDR0(9, 9, 0), entry(.stage1, 0x100, .el2), .s2VMIDTooLarge),
            STECase("9 bits, no stage 2 at all", short.withIDR0(0, 0, 0), entry(.stage1, 0x100)),
        ]
    }()

    @Test("ste.illegal-s2vmid: without VMID16 a VMID has 8 bits wherever it counts", arguments: identifiers)
    func identifier(_ example: STECase) { example.check() }

    static let endianness: [STECase] = [(0, [true, true]), (2, [true, false]), (3, [false, true])].flatMap {
        (code: UInt64, allowed: [Bool]) in
        [false, true].map { big in
            let ids = everything().withIDR0(22, 21, code)
            let entry = StreamTableEntry.legal(.stage2) { $0.s2BigEndian = big }
            let name = "TTENDIAN \(code), S2ENDI \(big ? 1 : 0)"
            return allowed[big ? 1 : 0] ? STECase(name, ids, entry) : STECase(name, ids, entry, .s2Endianness)
        }
    }

    @Test("ste.illegal-s2endi: S2ENDI must be something that TTENDIAN offers", arguments: endianness)
    func bigEndian(_ example: STECase) { example.check() }

    static let updates: [STECase] = [UInt64(0), 1, 2, 3].flatMap { level in
        [(55, "S2HD", level < 2), (56, "S2HA", level < 1)].map { bit, name, illegal in
            let ids = everything().withIDR0(7, 6, level)
            let entry = StreamTableEntry.legal(.stage2) { $0.words[2].setBit(bit, true) }
            return illegal
                ? STECase("\(name), HTTU \(level)", ids, entry, .s2HardwareUpdateUnsupported)
                : STECase("\(name), HTTU \(level)", ids, entry)
        }
    }

    @Test("Updates by hardware must be those that HTTU offers", arguments: updates)
    func hardwareUpdate(_ example: STECase) { example.check() }

    static let tableBases: [STECase] = [(4, 44, 44), (2, 44, 40), (5, 44, 44), (7, 44, 44), (0, 48, 32)].flatMap {
        (code: Int, output: Int, bits: Int) in
        let oas: UInt64 = output == 44 ? 4 : 5
        let ids = everything().withIDR5(2, 0, oas)
        func entry(_ base: UInt64) -> StreamTableEntry {
            .legal(.stage2) { ($0.s2T0SZ, $0.s2PS, $0.s2TableBase) = (64 - output, code, base) }
        }
        return [
            STECase("S2PS \(code), OAS \(output), below", ids, entry(1 << UInt64(bits) - 4096)),
            STECase("S2PS \(code), OAS \(output), beyond", ids, entry(1 << UInt64(bits)), .s2TableBaseTooLarge),
        ]
    }

    @Test("ste.illegal-s2ttb: S2TTB stays below the effective S2PS", arguments: tableBases)
    func tableBase(_ example: STECase) { example.check() }

    static let allCases = [stalls, granules, formats, identifiers, endianness, updates, tableBases].joined().map { $0 }

    @Test("ste.s2ps-clamp: the effective S2PS never exceeds OAS, nor 48 bits but for 64 KB granules")
    func outputSize() {
        let sizes = [32, 36, 40, 42, 44, 48, 52]
        for (oasCode, oas) in sizes.enumerated() {
            let ids = everything().withIDR5(2, 0, UInt64(oasCode))
            for code in 0...7 {
                let entry = StreamTableEntry.legal(.stage2) { $0.s2PS = code }
                let clamped = min(code == 7 ? 52 : sizes[code], oas)
                #expect(entry.s2OutputBits(on: ids, granule: .k64) == clamped, "S2PS \(code), OAS \(oas)")
                #expect(entry.s2OutputBits(on: ids, granule: .k4) == min(clamped, 48), "S2PS \(code), OAS \(oas)")
                #expect(entry.s2OutputBits(on: ids, granule: .k16) == min(clamped, 48), "S2PS \(code), OAS \(oas)")
            }
        }
    }

    @Test(
        "ste.illegal-s2t0sz: S2T0SZ lies between what OAS and the granule ask for and 39, or 48 and 47 with STT",
        arguments: [32, 36, 40, 42, 44, 48, 52].enumerated().map { ($0, $1) })
    func inputSize(code: Int, outputSize: Int) {
        for smallTables in [false, true] {
            let ids = everything().withIDR5(2, 0, UInt64(code)).withIDR3(9, 9, smallTables ? 1 : 0)
            for (granule, least, most) in [(0, 16, 48), (1, 0, 47), (2, 16, 48)] {
                for size in 0...63 {
                    let entry = StreamTableEntry.legal(.stage2) { ($0.s2TG, $0.s2T0SZ) = (granule, size) }
                    let fits = size >= max(least, 64 - outputSize) && size <= (smallTables ? most : 39)
                    let refused = entry.illegalities(on: ids).contains(.s2InputSize)
                    #expect(refused == !fits, "S2TG \(granule), S2T0SZ \(size), OAS \(outputSize), STT \(smallTables)")
                }
            }
        }
    }

    @Test("ste.illegal-s2sl0: S2SL0 3 is reserved, but for level 3 of 4 KB tables with STT; 2 needs enough output bits")
    func reservedStartLevel() {
        for (granule, size) in [(0, 39), (1, 39), (2, 39)] {
            let entry = StreamTableEntry.legal(.stage2) { ($0.s2TG, $0.s2T0SZ, $0.s2SL0) = (granule, size, 3) }
            #expect(entry.illegalities(on: everything()) == [.s2StartLevel], "S2TG \(granule)")
            let small = StreamTableEntry.legal(.stage2) { ($0.s2TG, $0.s2T0SZ, $0.s2SL0) = (granule, 45, 3) }
            let expected: [STEIllegality] = granule == 0 ? [] : [.s2StartLevel]
            #expect(small.illegalities(on: everything().withIDR3(9, 9, 1)) == expected, "S2TG \(granule), STT")
        }
        // Level 0 of 4 KB, level 1 of 16 KB and 64 KB tables.
        for (granule, least) in [(0, 44), (1, 44), (2, 42)] {
            for (code, outputSize) in [40, 42, 44, 48].enumerated().map({ ($0 + 2, $1) }) {
                let ids = everything().withIDR5(2, 0, UInt64(code))
                let start = Stage2StartLevel(
                    sl0: 2, granule: Granule(tg0: granule) ?? .k4, inputBits: 43, on: ids)
                // 43 bits are in the reach of all three levels.
                let expected = outputSize >= least
                #expect((start != nil) == expected, "S2TG \(granule), OAS \(outputSize)")
            }
        }
    }

    @Test(
        "ste.illegal-s2-start: a start level resolves at least one bit, and at most those of 16 tables",
        arguments: [(0, 12), (1, 16), (2, 14)], [0, 1, 2])
    func startLevel(granule: (code: Int, shift: Int), sl0: Int) {
        let level = (granule.code == 0 ? 2 : 3) - sl0
        let entryShift = granule.shift + (3 - level) * (granule.shift - 3)
        let entriesPerTable = 1 << (granule.shift - 3)
        for size in 16...39 {
            let entry = StreamTableEntry.legal(.stage2) {
                ($0.s2TG, $0.s2T0SZ, $0.s2SL0) = (granule.code, size, sl0)
            }
            let inputBits = 64 - size
            let entries = inputBits > entryShift ? 1 << (inputBits - entryShift) : 1
            let fits = entries >= 2 && entries <= 16 * entriesPerTable
            let found = entry.illegalities(on: everything())
            #expect(found == (fits ? [] : [.s2StartLevel]), "S2T0SZ \(size)")
            let start = Stage2StartLevel(
                sl0: sl0, granule: Granule(tg0: granule.code) ?? .k4, inputBits: inputBits, on: everything())
            #expect(start?.level == (fits ? level : nil), "S2T0SZ \(size)")
            #expect(start?.tables == (fits ? max(entries / entriesPerTable, 1) : nil), "S2T0SZ \(size)")
        }
    }
}

import SMMUv3
import Scenarios
import Testing

/// One entry on one SMMU, and why it is ILLEGAL there.
struct STECase: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let ids: IDRegisters
    let entry: StreamTableEntry
    let expected: [STEIllegality]

    init(_ name: String, _ ids: IDRegisters, _ entry: StreamTableEntry, _ expected: STEIllegality...) {
        (testDescription, self.ids, self.entry, self.expected) = (name, ids, entry, expected)
    }

    /// On ``everything()``.
    init(_ name: String, _ entry: StreamTableEntry, _ expected: STEIllegality...) {
        (testDescription, ids, self.entry, self.expected) = (name, everything(), entry, expected)
    }

    func check() { #expect(entry.illegalities(on: ids) == expected) }
}

extension StreamTableEntry {
    /// A legal entry for ``everything()``: 48 bits through four levels of 4 KB tables where stage 2 is on.
    static func legal(_ config: Config, _ change: (inout StreamTableEntry) -> Void = { _ in }) -> StreamTableEntry {
        var entry = StreamTableEntry()
        (entry.valid, entry.config, entry.s1ContextPointer) = (true, config, 0x8000_0000)
        (entry.s2T0SZ, entry.s2SL0, entry.s2PS, entry.s2AArch64) = (16, 2, 5, true)
        entry.s2TableBase = 0x4000_0000
        change(&entry)
        return entry
    }
}

struct STEIllegalityTests {
    @Test("ste.illegal-v0: without V nothing else is looked at", arguments: seeds)
    func notValid(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var entry = StreamTableEntry(words: random.vector8())
        entry.valid = false
        for ids in [everything(), IDRegisters()] {
            #expect(entry.illegalities(on: ids) == [.notValid], "seed \(seed)")
        }
    }

    static let stages = [
        STECase("both stages", .legal(.nested)), STECase("stage 1", .legal(.stage1)), STECase("2", .legal(.stage2)),
        STECase("stage 1 without S1P", everything().withIDR0(1, 1, 0), .legal(.stage1), .stage1Unsupported),
        STECase("stage 2 without S2P", everything().withIDR0(0, 0, 0), .legal(.stage2), .stage2Unsupported),
        STECase("nested without S1P", everything().withIDR0(1, 1, 0), .legal(.nested), .stage1Unsupported),
        STECase("nested without S2P", everything().withIDR0(0, 0, 0), .legal(.nested), .stage2Unsupported),
        STECase("stage 1 does not need S2P", everything().withIDR0(0, 0, 0), .legal(.stage1)),
        STECase("stage 2 does not need S1P", everything().withIDR0(1, 1, 0), .legal(.stage2)),
    ]

    @Test("ste.illegal-stage: a stage that the SMMU does not have cannot be enabled", arguments: stages)
    func stage(_ example: STECase) { example.check() }

    static let contextTables: [STECase] = {
        let without = everything().withIDR0(19, 19, 0)
        func table(_ format: Int, _ cdMax: Int) -> StreamTableEntry {
            .legal(.stage1) { ($0.s1Format, $0.s1CDMax) = (format, cdMax) }
        }
        return [
            STECase("4 KB leaves without CD2L", without, table(1, 4), .s1FormatUnsupported),
            STECase("64 KB leaves without CD2L", without, table(2, 4), .s1FormatUnsupported),
            STECase("linear without CD2L", without, table(0, 4)), STECase("one CD", without, table(1, 0)),
            STECase("S1Fmt 3 counts as linear", without, table(3, 4)), STECase("4 KB leaves", table(1, 4)),
            STECase("64 KB leaves", table(2, 4)),
        ]
    }()

    @Test("ste.illegal-s1fmt: two-level CD tables need CD2L, when there is more than one CD", arguments: contextTables)
    func contextTableFormat(_ example: STECase) { example.check() }

    static let contextCounts: [STECase] = [0, 5, 20].flatMap { size in
        (0...31).map { cdMax in
            let ids = everything().withIDR1(10, 6, UInt64(size))
            let entry = StreamTableEntry.legal(.stage1) { $0.s1CDMax = cdMax }
            return size > 0 && cdMax > size
                ? STECase("S1CDMax \(cdMax) of \(size)", ids, entry, .s1CDMaxTooLarge)
                : STECase("S1CDMax \(cdMax) of \(size)", ids, entry)
        }
    }

    @Test("ste.illegal-s1cdmax: S1CDMax ends at SSIDSIZE, and says nothing where that is 0", arguments: contextCounts)
    func contextCount(_ example: STECase) { example.check() }

    static let reservedValues = [
        STECase("S1Fmt 3", .legal(.stage1) { ($0.s1Format, $0.s1CDMax) = (3, 4) }),
        STECase("S1DSS 3", .legal(.stage1) { ($0.s1DefaultSubstream, $0.s1CDMax) = (.reserved, 4) }),
        STECase("EATS 3", .legal(.nested) { $0.atsMode = .reserved }),
        STECase("EATS 3 with S2S", .legal(.nested) { ($0.atsMode, $0.s2Stall) = (.reserved, true) }),
    ]

    @Test("ste.illegal-s1dss: reserved values of S1Fmt, S1DSS and EATS are not ILLEGAL", arguments: reservedValues)
    func reserved(_ example: STECase) { example.check() }

    static let worlds: [STECase] = {
        let without = everything().withIDR0(9, 9, 0)
        func entry(_ config: StreamTableEntry.Config, _ world: StreamTableEntry.StreamWorld) -> StreamTableEntry {
            .legal(config) { $0.streamWorld = world }
        }
        return [
            STECase("NS-EL1", entry(.stage1, .nsEL1)), STECase("EL2", entry(.stage1, .el2)),
            STECase("STRW 1", entry(.stage1, .reserved1), .streamWorldReserved),
            STECase("STRW 3", entry(.stage1, .reserved3), .streamWorldReserved),
            STECase("STRW 1 without HYP", without, entry(.stage1, .reserved1)),
            STECase("STRW 3 without HYP", without, entry(.stage1, .reserved3)),
            STECase("STRW 1 with stage 2", entry(.nested, .reserved1)),
            STECase("STRW 3 with stage 2 alone", entry(.stage2, .reserved3)),
        ]
    }()

    @Test(
        "ste.illegal-strw: STRW 1 and 3 are ILLEGAL where the field counts, and it counts with HYP", arguments: worlds)
    func streamWorld(_ example: STECase) {
        example.check()
        let counts = example.ids.hypSupported && example.entry.config == .stage1
        let world = example.entry.effectiveStreamWorld(on: example.ids)
        #expect(world == (counts ? example.entry.streamWorld : .nsEL1))
    }

    static let translationServices: [STECase] = {
        func entry(
            _ config: StreamTableEntry.Config, _ mode: StreamTableEntry.ATSMode, stall: Bool = false
        ) -> StreamTableEntry {
            .legal(config) { ($0.atsMode, $0.s2Stall) = (mode, stall) }
        }
        let split = STEIllegality.atsSplitStageUnsupported
        return [
            STECase("full, stage 1", entry(.stage1, .full)), STECase("full, nested", entry(.nested, .full)),
            STECase("full, stage 1, S2S does not count", entry(.stage1, .full, stall: true)),
            STECase("full, stage 2 stalls", entry(.stage2, .full, stall: true), .atsWithStage2Stall),
            STECase("full, nested stalls", entry(.nested, .full, stall: true), .atsWithStage2Stall),
            STECase("split, nested", entry(.nested, .splitStage)),
            STECase("split, stage 1", entry(.stage1, .splitStage), split),
            STECase("split, stage 2", entry(.stage2, .splitStage), split),
            STECase("split, nested stalls", entry(.nested, .splitStage, stall: true), split),
            STECase("split with NS1ATS", everything().withIDR0(11, 11, 1), entry(.nested, .splitStage), split),
            STECase("without ATS", everything().withIDR0(10, 10, 0), entry(.stage1, .splitStage)),
            STECase("without a stage", entry(.bypass, .splitStage, stall: true)),
        ]
    }()

    @Test("ste.illegal-eats: full ATS does not go with S2S, split-stage ATS needs both", arguments: translationServices)
    func translationService(_ example: STECase) { example.check() }

    static let stalls: [STECase] = {
        let disabled = StreamTableEntry.legal(.stage1) { $0.s1StallDisabled = true }
        return [
            STECase("S1STALLD with both models", disabled),
            STECase("no stalls", everything().withIDR0(25, 24, 1), disabled, .s1StallDisabledUnsupported),
            STECase("stalls only", everything().withIDR0(25, 24, 2), disabled, .s1StallDisabledUnsupported),
            STECase("S1STALLD 0, no stalls", everything().withIDR0(25, 24, 1), .legal(.stage1)),
        ]
    }()

    @Test("ste.illegal-s1stalld: S1STALLD is for an SMMU that can both stall and terminate", arguments: stalls)
    func stallDisabled(_ example: STECase) { example.check() }

    static let pointers: [STECase] = [32, 36, 40, 42, 44, 48].enumerated().flatMap { code, bits in
        let ids = everything().withIDR5(2, 0, UInt64(code))
        let inside = StreamTableEntry.legal(.stage1) { $0.s1ContextPointer = 1 << UInt64(bits) - 64 }
        let outside = StreamTableEntry.legal(.stage1) { $0.s1ContextPointer = 1 << UInt64(bits) }
        return [
            STECase("the last below 2^\(bits)", ids, inside),
            STECase("2^\(bits)", ids, outside, .s1ContextPointerTooLarge),
        ]
    }

    @Test("ste.illegal-s1contextptr: with stage 1 alone S1ContextPtr stays below 2^OAS", arguments: pointers)
    func contextPointer(_ example: STECase) {
        example.check()
        var nested = StreamTableEntry.legal(.nested)
        nested.s1ContextPointer = example.entry.s1ContextPointer
        #expect(!nested.illegalities(on: example.ids).contains(.s1ContextPointerTooLarge), "with stage 2 it is an IPA")
    }

    @Test("ste.ignored-stage: fields of a stage that is off cannot make an entry ILLEGAL", arguments: seeds)
    func ignoredStage(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let noise = random.vector8()
        for config in StreamTableEntry.Config.allCases where config.aborts || config == .bypass {
            var entry = StreamTableEntry(words: noise)
            (entry.valid, entry.config) = (true, config)
            #expect(entry.illegalities(on: IDRegisters()) == [], "\(config), seed \(seed)")
        }
        // Of words 2 and 3 stage 1 has only S2VMID.
        var stage1 = StreamTableEntry.legal(.stage1)
        for word in 2..<8 { stage1.words[word] = noise[word] }
        #expect(stage1.illegalities(on: everything()) == [], "seed \(seed)")
        // S1DSS to S1CSH, S1STALLD, and all of word 0 besides V and Config.
        var stage2 = StreamTableEntry.legal(.stage2)
        stage2.words[0] = noise[0] & ~0xf | 0xd
        stage2.words[1] = noise[1] & 0x0800_00ff
        let ids = everything().withIDR0(25, 24, 1).withIDR1(10, 6, 2).withIDR0(19, 19, 0)
        #expect(stage2.illegalities(on: ids) == [], "seed \(seed)")
    }

    @Test("Every reason is given for some entry, in words of its own and with the rule it breaks")
    func reasons() {
        let cases = [
            Self.stages, Self.contextTables, Self.contextCounts, Self.worlds, Self.translationServices, Self.stalls,
            Self.pointers, STEStage2IllegalityTests.allCases,
        ]
        let given = Set(cases.joined().flatMap(\.expected)).union([.notValid, .s2InputSize, .s2StartLevel])
        #expect(given == Set(STEIllegality.allCases))
        #expect(STEIllegality.allCases.allSatisfy { $0.rule.hasPrefix("IHI 0070, ") })
    }
}

import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// Where stage 2 walks start, in which of their tables, and which STEs make no sense.
@Suite struct Stage2GeometryTests {
    private static let outputBits: [UInt32: Int] = [0: 32, 1: 36, 2: 40, 3: 42, 4: 44, 5: 48, 6: 52]

    @Test(
        "walk.concatenation, walk.s2-input-size, ste.illegal-s2-start: S2SL0 and S2T0SZ fit, or are C_BAD_STE",
        arguments: Granule.allCases, UInt32(0)...6)
    func everyStart(granule: Granule, oas: UInt32) throws {
        let outputBits = try #require(Self.outputBits[oas])
        var legal = 0
        for sl0 in 0...3 {
            for t0sz in 0...63 {
                let start = ExpectedGeometry.stage2Start(granule, sl0: sl0, t0sz: t0sz, outputBits: outputBits)
                if let start {
                    legal += 1
                    Self.checkTables(granule, sl0: sl0, t0sz: t0sz, start: start, oas: oas, outputBits: outputBits)
                } else {
                    Self.checkIllegal(granule, sl0: sl0, t0sz: t0sz, oas: oas)
                }
            }
        }
        #expect(legal > 0)
    }

    private static func checkTables(
        _ granule: Granule, sl0: Int, t0sz: Int, start: (level: Int, tables: Int), oas: UInt32, outputBits: Int
    ) {
        var machine = Machine(ids: .with(oas: oas), capacity: .small)
        let bits = 64 - t0sz
        let table = machine.stage2Table(granule, inputBits: bits, startLevel: start.level)
        var ste = machine.stage2STE(table, ps: Int(oas))
        ste.s2SL0 = sl0
        machine.setSTE(1, ste)
        let oneTable = UInt64(1) << UInt64(ExpectedGeometry.tableSpan(granule, level: start.level))
        // The first and the last table, one between them, and the last address of all.
        let tables: Set<UInt64> = [0, UInt64(start.tables / 2), UInt64(start.tables - 1)]
        let inputs: [UInt64] = tables.map { $0 * oneTable } + [UInt64.ones(bits)]
        for (number, ipa) in inputs.enumerated() {
            let page = 0x4000_0000 + UInt64(number) * 0x1_0000
            machine.map(table, ipa, to: page)
            let trace = machine.trace(1, ipa)
            let comment: Comment = "\(granule) SL0 \(sl0) T0SZ \(t0sz) OAS \(oas) IPA \(ipa.hex)"
            #expect(trace.pa == page | ipa & UInt64.ones(ExpectedGeometry.granuleBits(granule)), comment)
            #expect(trace.descriptors.map(\.level) == Array(start.level...3), comment)
            let index = ipa >> UInt64(ExpectedGeometry.entrySpan(granule, level: start.level))
            #expect(trace.descriptors.first?.at == table.base + index * 8, comment)
        }
        guard bits < outputBits else { return }
        let beyond = machine.trace(1, 1 << UInt64(bits))
        #expect(beyond.fault?.id == .translation && beyond.fault?.stage2 == true && beyond.descriptors.isEmpty)
        #expect(beyond.fault?.ipa == 1 << UInt64(bits) && beyond.fault?.eventClass == .input)
    }

    private static func checkIllegal(_ granule: Granule, sl0: Int, t0sz: Int, oas: UInt32) {
        var machine = Machine(ids: .with(oas: oas), capacity: .small)
        let table = machine.stage2Table(granule, inputBits: 32, startLevel: 2)
        var ste = machine.stage2STE(table, ps: Int(oas))
        (ste.s2SL0, ste.s2T0SZ) = (sl0, t0sz)
        machine.setSTE(1, ste)
        let fault = machine.fault(1, 0x1000)
        #expect(fault?.id == .badSTE, "\(granule) SL0 \(sl0) T0SZ \(t0sz) OAS \(oas)")
    }

    @Test(
        "ste.illegal-s2t0sz, ste.illegal-s2sl0: outside their ranges they are C_BAD_STE",
        arguments: [
            (.k4, 1, 15, 6), (.k4, 2, 15, 6), (.k16, 2, 15, 6), (.k64, 2, 11, 6), (.k64, 2, 15, 5), (.k4, 1, 27, 1),
            (.k4, 0, 40, 5), (.k16, 0, 40, 5), (.k64, 0, 40, 5), (.k4, 3, 39, 5), (.k16, 3, 39, 5), (.k64, 3, 39, 5),
        ] as [(Granule, Int, Int, UInt32)])
    func outsideTheRanges(granule: Granule, sl0: Int, t0sz: Int, oas: UInt32) {
        Self.checkIllegal(granule, sl0: sl0, t0sz: t0sz, oas: oas)
    }

    @Test(
        "walk.s2-start-4k, walk.s2-start-16k-64k: the start levels by the book",
        arguments: [
            (.k4, 0, 34, 2), (.k4, 1, 40, 1), (.k4, 2, 48, 0), (.k16, 0, 28, 3), (.k16, 1, 40, 2), (.k16, 2, 48, 1),
            (.k64, 0, 32, 3), (.k64, 1, 42, 2), (.k64, 2, 48, 1),
        ] as [(Granule, Int, Int, Int)])
    func startLevels(granule: Granule, sl0: Int, bits: Int, level: Int) {
        var machine = Machine()
        let table = machine.stage2Table(granule, inputBits: bits, startLevel: level)
        var ste = machine.stage2STE(table)
        ste.s2SL0 = sl0
        machine.setSTE(1, ste)
        let trace = machine.trace(1, 0)
        #expect(trace.fault?.id == .translation && trace.fault?.stage2 == true)
        #expect(trace.descriptors == [Trace.Descriptor(stage2: true, level: level, ipa: table.base, at: table.base)])
    }

    @Test(
        "walk.concatenation-base: S2TTB is aligned to the size of all tables of the start level together",
        arguments: [
            (.k4, 1, 39), (.k4, 1, 40), (.k4, 1, 43), (.k4, 2, 34), (.k4, 2, 28), (.k16, 2, 36), (.k16, 2, 40),
            (.k64, 2, 42), (.k64, 2, 46), (.k64, 3, 33),
        ] as [(Granule, Int, Int)])
    func baseAlignment(granule: Granule, level: Int, bits: Int) {
        var machine = Machine()
        let table = machine.stage2Table(granule, inputBits: bits, startLevel: level)
        let last = (UInt64(1) << UInt64(bits)) - 8
        machine.map(table, last, to: 0x8000_0000)
        let bytes = UInt64(8) << UInt64(bits - ExpectedGeometry.entrySpan(granule, level: level))
        var ste = machine.stage2STE(table)
        ste.s2TableBase |= (bytes - 1) & ~0xf
        machine.setSTE(1, ste)
        let ignored = machine.pa(1, last)
        let page = 0x8000_0000 | last & UInt64.ones(ExpectedGeometry.granuleBits(granule))
        #expect(ignored == page)
        ste.s2TableBase ^= bytes
        machine.setSTE(1, ste)
        let moved = machine.trace(1, 0)
        #expect(moved.descriptors.first?.at == table.base ^ bytes)
    }

    @Test("walk.ttb-alignment: with 52-bit output addresses S2TTB is aligned to 64 bytes at least", arguments: [5, 6])
    func largeAddressAlignment(ps: Int) {
        var machine = Machine(ids: .with(oas: 6))
        // 43 bits need two descriptors at level 1: 16 bytes.
        let table = machine.stage2Table(.k64, inputBits: 43, startLevel: 1)
        machine.map(table, 0, to: 0x8000_0000)
        var ste = machine.stage2STE(table, ps: ps)
        ste.s2TableBase = table.base | 0x30
        machine.setSTE(1, ste)
        let trace = machine.trace(1, 0)
        #expect(trace.descriptors.first?.at == (ps == 6 ? table.base : table.base | 0x30))
        #expect(trace.pa == (ps == 6 ? 0x8000_0000 : nil))
    }
}

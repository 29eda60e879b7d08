import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// Where stage 1 walks start and which descriptors they read.
@Suite struct Stage1GeometryTests {
    /// An address with a different index at each level.
    private static let pattern: UInt64 = 0x000a_b6d2_5a93_c000

    /// Maps first, last and one more page of one of the two ranges, and walks them.
    private static func checkRange(
        _ granule: Granule, tsz: Int, upper: Bool, ids: IDRegisters = .everything, ips: UInt64 = 5
    ) {
        var machine = Machine(ids: ids, capacity: .small)
        let bits = 64 - tsz
        let table = machine.stage1Table(granule, inputBits: bits)
        let other = machine.stage1Table()
        let cd = upper ? machine.cd(other, table, ips: ips) : machine.cd(table, ips: ips)
        machine.setSTE(1, machine.stage1STE(context: machine.place(cd)))
        let first = upper ? UInt64.max << UInt64(bits) : 0
        let granuleBits = ExpectedGeometry.granuleBits(granule)
        let start = ExpectedGeometry.stage1Start(granule, inputBits: bits)
        let offsets: [UInt64] = [0, (1 << UInt64(bits)) - 1, pattern & UInt64.ones(bits)]
        for (number, offset) in offsets.enumerated() {
            let page = 0x40_0000_0000 + UInt64(number) << UInt64(granuleBits)
            machine.map(table, first + offset, to: page)
            let trace = machine.trace(1, first + offset)
            let comment: Comment = "\(granule) TSZ \(tsz) upper \(upper) offset \(offset.hex)"
            #expect(trace.pa == page | offset & UInt64.ones(granuleBits), comment)
            #expect(trace.descriptors.map(\.level) == Array(start...3), comment)
            #expect(trace.descriptors.first?.at == table.base + index(offset, granule, start) * 8, comment)
            for descriptor in trace.descriptors.dropFirst() {
                let index = index(offset, granule, descriptor.level) & UInt64.ones(granuleBits - 3)
                #expect(descriptor.at & UInt64.ones(granuleBits) == index * 8, comment)
            }
        }
        let beyond = machine.trace(1, upper ? first - 1 : 1 << UInt64(bits))
        #expect(beyond.fault?.id == .translation && beyond.fault?.stage2 == false)
        #expect(beyond.fault?.eventClass == .input && beyond.descriptors.isEmpty)
    }

    private static func index(_ offset: UInt64, _ granule: Granule, _ level: Int) -> UInt64 {
        offset >> UInt64(ExpectedGeometry.entrySpan(granule, level: level))
    }

    @Test(
        "walk.index-bits, walk.select-tt0, walk.select-tt1, walk.select-neither: levels and range of each TnSZ",
        arguments: Granule.allCases, 16...39)
    func ranges(granule: Granule, tsz: Int) {
        Self.checkRange(granule, tsz: tsz, upper: false)
        Self.checkRange(granule, tsz: tsz, upper: true)
    }

    @Test("walk.index-bits: 64 KB granules reach 52-bit input addresses", arguments: 12...15, [UInt32(5), 6])
    func largeRanges(tsz: Int, oas: UInt32) {
        Self.checkRange(.k64, tsz: tsz, upper: false, ids: .with(oas: oas), ips: UInt64(oas))
        Self.checkRange(.k64, tsz: tsz, upper: true, ids: .with(oas: oas), ips: UInt64(oas))
    }

    @Test(
        "walk.s1-start-4k, walk.s1-start-16k, walk.s1-start-64k: the start levels that everybody knows",
        arguments: [
            (.k4, 48, 0), (.k4, 39, 1), (.k4, 30, 2), (.k16, 48, 0), (.k16, 47, 1), (.k16, 36, 2), (.k64, 52, 1),
            (.k64, 48, 1), (.k64, 42, 2),
        ] as [(Granule, Int, Int)])
    func startLevels(granule: Granule, bits: Int, level: Int) {
        var machine = Machine()
        let table = machine.stage1Table(granule, inputBits: bits)
        machine.setSTE(1, machine.stage1STE(context: machine.place(machine.cd(table))))
        let trace = machine.trace(1, 0)
        #expect(trace.fault?.id == .translation)
        #expect(trace.descriptors == [Trace.Descriptor(stage2: false, level: level, ipa: table.base, at: table.base)])
    }

    @Test(
        "walk.ttb-alignment: TTB is aligned to the size of its table; what lies below is ignored",
        arguments: Granule.allCases, 16...39)
    func baseAlignment(granule: Granule, tsz: Int) {
        for upper in [false, true] {
            var machine = Machine(capacity: .small)
            let bits = 64 - tsz
            let table = machine.stage1Table(granule, inputBits: bits)
            let first = upper ? UInt64.max << UInt64(bits) : 0
            machine.map(table, first, to: 0x8000_0000)
            let start = ExpectedGeometry.stage1Start(granule, inputBits: bits)
            let bytes = UInt64(8) << UInt64(bits - ExpectedGeometry.entrySpan(granule, level: start))
            var cd = upper ? machine.cd(machine.stage1Table(), table) : machine.cd(table)
            cd.words[upper ? 2 : 1] |= (bytes - 1) & ~0xf
            let context = machine.place(cd)
            machine.setSTE(1, machine.stage1STE(context: context))
            let ignored = machine.pa(1, first)
            #expect(ignored == 0x8000_0000)
            // The bit above counts.
            cd.words[upper ? 2 : 1] ^= bytes
            machine.smmu.memory.store(cd.words, at: context)
            let other = machine.trace(1, first)
            #expect(other.descriptors.first?.at == table.base ^ bytes)
        }
    }

    @Test("walk.ttb-alignment: with 52-bit output addresses TTB is aligned to 64 bytes at least", arguments: [5, 6])
    func largeAddressAlignment(ips: UInt64) {
        var machine = Machine(ids: .with(oas: 6))
        // 43 bits need two descriptors at level 1: 16 bytes.
        let table = machine.stage1Table(.k64, inputBits: 43)
        machine.map(table, 0, to: 0x8000_0000)
        var cd = machine.cd(table, ips: ips)
        cd.words[1] = table.base | 0x30
        machine.setSTE(1, machine.stage1STE(context: machine.place(cd)))
        let trace = machine.trace(1, 0)
        #expect(trace.descriptors.first?.at == (ips == 6 ? table.base : table.base | 0x30))
        #expect(trace.pa == (ips == 6 ? 0x8000_0000 : nil))
    }

    @Test("walk.contiguous-hint: the Contig bit changes no answer", arguments: Granule.allCases, [false, true])
    func contiguous(granule: Granule, hint: Bool) {
        for level in 2...3 {
            var machine = Machine()
            let stream = machine.addStage1Stream(1, granule: granule)
            let span = UInt64(1) << UInt64(ExpectedGeometry.entrySpan(granule, level: level))
            // Neighbours that no contiguous run of addresses could give.
            for number in UInt64(0)..<4 {
                machine.map(
                    stream.table, 16 * span + number * span, to: 0x40_0000_0000 + (3 - number) * span, level: level,
                    attributes: LeafBits.stage1 | (hint ? 1 << 52 : 0))
            }
            for number in UInt64(0)..<4 {
                let result = machine.translate(1, 16 * span + number * span + 0xff8)
                guard case .translated(let translation) = result else {
                    Issue.record("\(result)")
                    continue
                }
                #expect(translation.pa == 0x40_0000_0000 + (3 - number) * span + 0xff8)
            }
        }
    }
}

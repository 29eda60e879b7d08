import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// One stage with tables of as many levels as its granule allows.
private struct Stage: Sendable, CustomTestStringConvertible {
    let stage2: Bool
    let granule: Granule
    let oas: UInt32
    var testDescription: String { "\(granule) stage \(stage2 ? 2 : 1) OAS \(oas)" }

    static let all = [false, true].flatMap { stage2 in
        Granule.allCases.flatMap { granule in
            [UInt32(5), 6].map { Stage(stage2: stage2, granule: granule, oas: $0) }
        }
    }

    /// Stage 2 has a highest start level of its own; both have none above what 48 bits need.
    var startLevel: Int { granule == .k4 || (granule == .k16 && !stage2) ? 0 : 1 }
    var levels: ClosedRange<Int> { startLevel...3 }

    /// log2 of the largest address that a descriptor can hold.
    var outputBits: Int { granule == .k64 && oas == 6 ? 52 : 48 }

    func span(_ level: Int) -> UInt64 { 1 << UInt64(ExpectedGeometry.entrySpan(granule, level: level)) }

    /// A F_TRANSLATION of this stage, with the transaction's own address.
    func isTranslationFault(_ fault: EventRecord?) -> Bool {
        fault?.id == .translation && fault?.stage2 == stage2 && fault?.eventClass == .input
    }

    /// The bits of a descriptor for `address`, without attributes.
    func descriptor(_ address: UInt64) -> UInt64 {
        outputBits == 52 ? address & 0xffff_ffff_ffff | (address >> 48) << 12 : address
    }
}

/// A machine whose stream 1 goes through one stage alone.
private struct StageMachine: ~Copyable {
    let stage: Stage
    var machine: Machine
    let table: TestTable

    init(_ stage: Stage) {
        self.stage = stage
        machine = Machine(ids: .with(oas: stage.oas), capacity: .small)
        if stage.stage2 {
            table = machine.stage2Table(stage.granule, inputBits: 48, startLevel: stage.startLevel)
            machine.setSTE(1, machine.stage2STE(table, ps: Int(stage.oas)))
        } else {
            table = machine.stage1Table(stage.granule)
            let context = machine.place(machine.cd(table, ips: UInt64(stage.oas)))
            machine.setSTE(1, machine.stage1STE(context: context))
        }
    }

    /// Writes a whole descriptor for `input` at `level`.
    mutating func write(_ word: UInt64, _ input: UInt64, level: Int) {
        let at = machine.descriptorAddress(table, input, level: level)
        machine.smmu.memory[at] = word
    }

    var leafBits: UInt64 { stage.stage2 ? LeafBits.stage2 : LeafBits.stage1 }
}

/// Leaves: the levels they may stand at, and the address they give.
@Suite struct BlockTests {
    @Test(
        "walk.block-levels-4k, walk.block-levels-16k, walk.block-levels-64k, desc.block: where blocks may stand",
        arguments: Stage.all)
    private func blockLevels(stage: Stage) {
        for level in stage.startLevel...2 {
            var walk = StageMachine(stage)
            let span = stage.span(level)
            let input = (5 * span) & UInt64.ones(48)
            let output = level == 0 ? 0 : (1 << UInt64(stage.outputBits)) - span
            walk.write(stage.descriptor(output) | walk.leafBits | 1, input, level: level)
            for offset in [0, 0x1238, span / 2, span - 1] {
                let trace = walk.machine.trace(1, input + offset)
                #expect(trace.descriptors.map(\.level) == Array(stage.startLevel...level))
                if ExpectedGeometry.allowsBlock(stage.granule, level: level, oas: stage.oas) {
                    #expect(trace.pa == output + offset, "level \(level) offset \(offset.hex)")
                } else {
                    #expect(stage.isTranslationFault(trace.fault), "level \(level)")
                }
            }
        }
    }

    @Test("desc.page: level 3 maps one granule with 3 in the low bits, and nothing with 1", arguments: Stage.all)
    private func pages(stage: Stage) {
        var walk = StageMachine(stage)
        let span = stage.span(3)
        let output = (UInt64(1) << UInt64(stage.outputBits)) - span
        walk.write(stage.descriptor(output) | walk.leafBits | 3, 7 * span, level: 3)
        for offset in [0, 0x1238 & (span - 1), span - 1] {
            let trace = walk.machine.trace(1, 7 * span + offset)
            #expect(trace.pa == output + offset)
        }
        for outside in [7 * span - 1, 8 * span] {
            let trace = walk.machine.trace(1, outside)
            #expect(stage.isTranslationFault(trace.fault))
        }
        walk.write(stage.descriptor(output) | walk.leafBits | 1, 7 * span, level: 3)
        let reserved = walk.machine.trace(1, 7 * span)
        #expect(stage.isTranslationFault(reserved.fault))
    }

    @Test("desc.invalid, desc.table: bit 0 clear ends the walk at its level, 3 leads on", arguments: Stage.all)
    private func invalidAtEachLevel(stage: Stage) {
        for level in stage.levels {
            for low in [UInt64(0), 2] {
                var walk = StageMachine(stage)
                walk.write(0x4000_0000 | walk.leafBits | low, 0x12_3456_7000, level: level)
                let trace = walk.machine.trace(1, 0x12_3456_7000)
                #expect(stage.isTranslationFault(trace.fault), "level \(level)")
                #expect(trace.descriptors.map(\.level) == Array(stage.startLevel...level))
            }
        }
        var walk = StageMachine(stage)
        walk.write(0x4000_0000 | walk.leafBits | 3, 0, level: 3)
        let trace = walk.machine.trace(1, 0)
        #expect(trace.pa == 0x4000_0000)
        #expect(trace.descriptors.map(\.level) == Array(stage.levels))
    }

    @Test("desc.table: each address bit of a table descriptor counts, and no attribute does", arguments: Stage.all)
    private func tableAddress(stage: Stage) {
        let granuleBits = ExpectedGeometry.granuleBits(stage.granule)
        for bit in granuleBits..<stage.outputBits {
            var walk = StageMachine(stage)
            let table = UInt64(1) << UInt64(bit)
            // Bits 11:2 and the ones above the address say nothing about where the next table is.
            let attributes: UInt64 = 0xffc | (stage.stage2 ? 0x7ff << 52 : 0)
            walk.write(stage.descriptor(table) | attributes | 3, 0, level: 2)
            let trace = walk.machine.trace(1, 0)
            #expect(trace.descriptors.last?.at == table, "bit \(bit)")
        }
    }

    @Test(
        "desc.output-bits, desc.lpa-64k: each output bit of a leaf counts, those below its size do not",
        arguments: Stage.all)
    private func outputBits(stage: Stage) {
        for level in stage.levels
        where level == 3 || ExpectedGeometry.allowsBlock(stage.granule, level: level, oas: stage.oas) {
            let span = stage.span(level)
            // Everything between bit 12 and the leaf's size, but for what 64 KB leaves have in bits 15:12.
            var ignored = (span - 1) & ~0xfff
            if stage.outputBits == 52 { ignored &= ~0xf000 }
            let low: UInt64 = level == 3 ? 3 : 1
            for bit in span.trailingZeroBitCount..<stage.outputBits {
                var walk = StageMachine(stage)
                walk.write(stage.descriptor(1 << UInt64(bit)) | ignored | walk.leafBits | low, 0, level: level)
                let trace = walk.machine.trace(1, 0x238)
                #expect(trace.pa == 1 << UInt64(bit) | 0x238, "level \(level) bit \(bit)")
            }
        }
    }

    @Test("desc.output-offset: of a 4 TB block only what lies beyond the output size faults", arguments: [false, true])
    private func hugeBlock(stage2: Bool) {
        let stage = Stage(stage2: stage2, granule: .k64, oas: 6)
        for warm in [false, true] {
            for (code, bits) in [(0, 32), (1, 36), (2, 40)] {
                var walk = StageMachine(stage)
                if stage2 {
                    walk.machine.setSTE(1, walk.machine.stage2STE(walk.table, ps: code))
                } else {
                    let context = walk.machine.place(walk.machine.cd(walk.table, ips: UInt64(code)))
                    walk.machine.setSTE(1, walk.machine.stage1STE(context: context))
                }
                walk.write(walk.leafBits | 1, 0, level: 1)
                let limit = UInt64(1) << UInt64(bits)
                let last = walk.machine.pa(1, limit - 1)
                #expect(last == limit - 1)
                // What is cached of the block by now must not reach further.
                if !warm { walk.machine.smmu.invalidateEverything() }
                let beyond = walk.machine.fault(1, limit)
                #expect(beyond?.id == .addressSize && beyond?.stage2 == stage2)
            }
        }
    }
}

import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// A stream 1 with both of its tables: a page at 0x1000 of each range.
private struct TwoRanges: ~Copyable {
    var machine = Machine()
    let context: UInt64
    private var words: ContextDescriptor

    static let lower: UInt64 = 0x1000
    static let upper: UInt64 = 0xffff_0000_0000_1000

    init(world: StreamTableEntry.StreamWorld = .nsEL1) {
        let (low, high) = (machine.stage1Table(), machine.stage1Table())
        machine.map(low, Self.lower, to: 0x8000_0000)
        machine.map(high, Self.upper, to: 0x9000_0000)
        words = machine.cd(low, high)
        context = machine.place(words)
        var ste = machine.stage1STE(context: context)
        ste.streamWorld = world
        machine.setSTE(1, ste)
    }

    mutating func set(bit: Int, word: Int = 0) { change { $0.words[word].setBit(bit, true) } }

    mutating func change(_ change: (inout ContextDescriptor) -> Void) {
        change(&words)
        machine.smmu.memory.store(words.words, at: context)
    }
}

/// Which of the two tables an address belongs to, if to any.
@Suite struct TableSelectionTests {
    @Test(
        "walk.epd: an address of a switched-off table is F_TRANSLATION, and no descriptor is read", arguments: [0, 1])
    func walkDisabled(index: Int) {
        var ranges = TwoRanges()
        ranges.set(bit: index == 0 ? 14 : 30)
        let off = ranges.machine.trace(1, index == 0 ? TwoRanges.lower : TwoRanges.upper)
        #expect(off.fault?.id == .translation && off.fault?.stage2 == false && off.fault?.eventClass == .input)
        #expect(off.descriptors.isEmpty)
        let on = ranges.machine.trace(1, index == 0 ? TwoRanges.upper : TwoRanges.lower)
        #expect(on.pa == (index == 0 ? 0x9000_0000 : 0x8000_0000))
    }

    @Test("walk.select-neither: with both tables off no address translates")
    func bothDisabled() {
        var ranges = TwoRanges()
        ranges.set(bit: 14)
        ranges.set(bit: 30)
        for address in [TwoRanges.lower, TwoRanges.upper, 0, .max] {
            let fault = ranges.machine.fault(1, address)
            #expect(fault?.id == .translation)
        }
    }

    @Test(
        "walk.tbi, evt.input-address: bit 55 picks the table whose TBI says whether the top byte counts",
        arguments: [false, true], [false, true])
    func topByte(tbi0: Bool, tbi1: Bool) {
        var ranges = TwoRanges()
        if tbi0 { ranges.set(bit: 38) }
        if tbi1 { ranges.set(bit: 39) }
        for top in [UInt64(0), 0x01, 0x7f, 0x80, 0xab, 0xfe, 0xff] {
            for (address, page, ignored, canonical) in [
                (TwoRanges.lower, UInt64(0x8000_0000), tbi0, UInt64(0)), (TwoRanges.upper, 0x9000_0000, tbi1, 0xff),
            ] {
                let tagged = address & UInt64.ones(56) | top << 56
                // Cold, and again from the TLB.
                for _ in 0..<2 {
                    let result = ranges.machine.translate(1, tagged | 8)
                    if ignored || top == canonical {
                        guard case .translated(let translation) = result else {
                            Issue.record("\(tagged.hex): \(result)")
                            continue
                        }
                        #expect(translation.pa == page | 8)
                    } else {
                        guard case .faulted(let termination) = result else {
                            Issue.record("\(tagged.hex): \(result)")
                            continue
                        }
                        #expect(termination.record.id == .translation)
                        #expect(termination.record.inputAddress == tagged | 8)
                    }
                }
                // Only the top byte is ignored: a page that is not there has its address in the event as it came.
                let missing = ranges.machine.fault(1, tagged + 0x1000)
                #expect(missing?.id == .translation && missing?.inputAddress == tagged + 0x1000)
            }
        }
    }

    @Test("walk.tbi, walk.select-neither: bits between the input size and bit 55 count even then", arguments: 48...55)
    func bitsBelowTheTopByte(bit: UInt64) {
        var ranges = TwoRanges()
        ranges.set(bit: 38)
        ranges.set(bit: 39)
        for address in [TwoRanges.lower, TwoRanges.upper] {
            let trace = ranges.machine.trace(1, address ^ 1 << bit)
            #expect(trace.fault?.id == .translation && trace.descriptors.isEmpty)
        }
    }

    @Test("walk.select-tt0, walk.select-tt1: the tables have sizes and granules of their own")
    func differentTables() {
        var machine = Machine()
        let (low, high) = (machine.stage1Table(.k64, inputBits: 42), machine.stage1Table(.k16, inputBits: 36))
        machine.map(low, 0x3ff_ffff_0000, to: 0x8000_0000)
        machine.map(high, 0xffff_fff0_0000_0000, to: 0x9000_0000)
        machine.setSTE(1, machine.stage1STE(context: machine.place(machine.cd(low, high))))
        let lower = machine.pa(1, 0x3ff_ffff_ffff)
        let upper = machine.pa(1, 0xffff_fff0_0000_3fff)
        #expect(lower == 0x8000_ffff && upper == 0x9000_3fff)
        for neither in [UInt64(0x400_0000_0000), 0xffff_ffef_ffff_ffff] {
            let fault = machine.fault(1, neither)
            #expect(fault?.id == .translation && fault?.stage2 == false && fault?.eventClass == .input)
        }
    }

    @Test("walk.el2-one-table, cd.el2-single: EL2 has TT0 alone, and nothing else of the CD's tables is looked at")
    func el2() {
        var ranges = TwoRanges(world: .el2)
        // EPD0 and E0PD0 set, TT1 with a reserved granule and size, and a base beyond every address.
        ranges.change { cd in
            cd.words[0].setBit(14, true)
            cd.words[1].setBit(2, true)
            cd.words[0].setBits(23, 16, 0)
            cd.words[2] = .max
        }
        let pa = ranges.machine.pa(1, TwoRanges.lower)
        #expect(pa == 0x8000_0000)
        for address in [TwoRanges.upper, 1 << 48, 1 << 55, 1 << 63, .max] {
            let trace = ranges.machine.trace(1, address)
            #expect(trace.fault?.id == .translation && trace.descriptors.isEmpty, "\(address.hex)")
        }
        // The same CD makes no sense where there are two ranges.
        ranges.machine.smmu.registers.e2h = true
        ranges.machine.smmu.invalidateEverything()
        let bad = ranges.machine.fault(1, TwoRanges.lower)
        #expect(bad?.id == .badCD)
    }

    @Test("walk.el2-one-table, walk.tbi: TBI0 ignores the top byte at EL2, but not bit 55")
    func el2TopByte() {
        var ranges = TwoRanges(world: .el2)
        ranges.set(bit: 38)
        let tagged = ranges.machine.pa(1, TwoRanges.lower | 0xab << 56)
        #expect(tagged == 0x8000_0000)
        let upper = ranges.machine.fault(1, TwoRanges.lower | 1 << 55)
        #expect(upper?.id == .translation)
    }

    @Test("E0PD makes unprivileged accesses to its table F_TRANSLATION", arguments: [0, 1])
    func unprivilegedDisabled(index: Int) {
        var ranges = TwoRanges()
        ranges.set(bit: 2, word: index + 1)
        let (mine, other) = index == 0 ? (TwoRanges.lower, TwoRanges.upper) : (TwoRanges.upper, TwoRanges.lower)
        let privileged = ranges.machine.fault(1, mine, privileged: true)
        #expect(privileged == nil)
        // The translation is cached by now.
        let unprivileged = ranges.machine.fault(1, mine)
        #expect(unprivileged?.id == .translation)
        let unaffected = ranges.machine.fault(1, other)
        #expect(unaffected == nil)
    }

    @Test(
        "walk.input-oas: without stage 1 an address beyond OAS is a stage 1 F_ADDR_SIZE, stage 2 or not",
        arguments: [UInt32(0), 2, 5, 6])
    func inputBeyondOAS(oas: UInt32) {
        let bits = [0: 32, 2: 40, 5: 48, 6: 52][oas, default: 0]
        var machine = Machine(ids: .with(oas: oas))
        let stage2 = machine.stage2Table(.k64, inputBits: bits, startLevel: bits > 42 ? 1 : 2)
        machine.map(stage2, UInt64.ones(bits), to: 0x4000_0000)
        let table = machine.contextTable(.linear, log2Size: 2)
        var ste = machine.stage2STE(stage2, ps: Int(oas)).using(table, default: .bypass)
        // Whatever the STE says about recording: there is no CD to ask.
        ste.s2Record = false
        for (config, translates) in [
            (StreamTableEntry.Config.bypass, false), (.stage2, true), (.stage1, false), (.nested, true),
        ] {
            ste.config = config
            machine.setSTE(1, ste)
            let last = machine.trace(1, UInt64.ones(bits))
            #expect(last.pa == (translates ? 0x4000_ffff : UInt64.ones(bits)))
            for address: UInt64 in [1 << UInt64(bits), 1 << 63, .max] {
                let fault = machine.termination(1, address, write: true)
                #expect(fault?.record == EventRecord(1 << 32 | 0x11, 2 << 40, address, 0))
                #expect(fault?.recorded == true && fault?.response == .abort)
            }
        }
    }
}

import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// Both stages together. Stream 1 has its CD and tables at IPAs that are not their physical addresses.
private struct NestedWalk: ~Copyable {
    var machine: Machine
    let stage2: TestTable
    let space: TestTable
    let context: UInt64

    /// IPA minus physical address of everything in the first GB.
    static let offset: UInt64 = 0x10_0000_0000
    static let input: UInt64 = 0x12_3456_7abc
    /// The IPA of the page that stage 1 gives, and its physical address.
    static let page: UInt64 = 0x55_5000_0000
    static let output: UInt64 = 0x99_9000_0000

    init(ids: IDRegisters = .everything) {
        machine = Machine(ids: ids)
        stage2 = machine.stage2Table()
        for page in UInt64(0)..<64 {
            let pa = 0x100_0000 + page << 12
            machine.map(stage2, pa + Self.offset, to: pa)
        }
        space = machine.stage1Table()
        machine.map(space, Self.input, to: Self.page)
        // The tables name each other by IPA.
        for level in 0..<3 {
            let at = machine.descriptorAddress(space, Self.input, level: level)
            relocate.append(at)
        }
        var cd = machine.cd(space)
        cd.words[1] += Self.offset
        context = machine.place(cd)
        for at in relocate { machine.smmu.memory[at] += Self.offset }
        machine.map(stage2, Self.page, to: Self.output)
        machine.setSTE(1, machine.nestedSTE(context: context + Self.offset, stage2))
    }

    /// The table descriptors of the walk; their addresses are physical until they are relocated.
    private var relocate: [UInt64] = []

    /// The stage 2 leaf descriptor of an IPA.
    mutating func stage2Leaf(_ ipa: UInt64) -> UInt64 { machine.descriptorAddress(stage2, ipa, level: 3) }

    mutating func changeStage2(_ ipa: UInt64, _ word: UInt64) {
        let at = stage2Leaf(ipa)
        machine.smmu.memory[at] = word
        machine.smmu.invalidateEverything()
    }
}

/// What may go wrong with an IPA at stage 2, and the event of that.
private struct Stage2Damage: Sendable {
    let id: EventID
    /// Makes a good leaf bad.
    let damage: @Sendable (UInt64) -> UInt64

    static let all = [
        Stage2Damage(id: .translation) { $0 & ~1 },
        Stage2Damage(id: .access) { $0 & ~(1 << 10) },
        // Read takes S2AP bit 0.
        Stage2Damage(id: .permission) { $0 & ~(1 << 6) },
        Stage2Damage(id: .addressSize) { $0 | 1 << 47 },
    ]
}

@Suite struct NestedWalkTests {
    @Test("nested.descriptor-fetch, nested.cd-fetch, cd.ipa-addresses: CD and descriptors are reached by their IPAs")
    func fetches() {
        var walk = NestedWalk()
        let trace = walk.machine.trace(1, NestedWalk.input)
        #expect(trace.pa == NestedWalk.output + 0xabc)
        let stage1 = trace.descriptors.filter { !$0.stage2 }
        #expect(stage1.map(\.level) == [0, 1, 2, 3])
        #expect(stage1.allSatisfy { $0.ipa == $0.at + NestedWalk.offset })
        var classes: [EventRecord.Class: [UInt64]] = [:]
        for case .stage2Table(_, _, _, let ipa, let eventClass) in trace.steps {
            classes[eventClass, default: []].append(ipa)
        }
        #expect(classes[.contextDescriptor] == [walk.context + NestedWalk.offset])
        #expect(classes[.tableDescriptor] == stage1.map(\.ipa))
        #expect(classes[.input] == [NestedWalk.page + 0xabc])
    }

    @Test(
        "nested.descriptor-fault, evt.class-stage2, evt.rnw: a descriptor's IPA that stage 2 refuses is CLASS 1",
        arguments: 0...3, [false, true])
    func descriptorFaults(level: Int, write: Bool) {
        for damage in Stage2Damage.all {
            var walk = NestedWalk()
            walk.machine.setSTE(1, Self.limited(walk))
            let trace = walk.machine.trace(1, NestedWalk.input)
            guard let descriptor = trace.descriptors.first(where: { !$0.stage2 && $0.level == level }) else {
                Issue.record("no descriptor")
                return
            }
            let leaf = walk.machine.smmu.memory[walk.stage2Leaf(descriptor.ipa)]
            walk.changeStage2(descriptor.ipa, damage.damage(leaf))
            let fault = walk.machine.fault(1, NestedWalk.input, write: write)
            var word1: UInt64 = 1 << 39 | 1 << 40 | (write ? 0 : 1 << 35)
            // The fetch was a read, which only a permission fault says.
            if damage.id == .permission { word1 |= 1 << 44 }
            let expected = EventRecord(
                1 << 32 | UInt64(damage.id.rawValue), word1, NestedWalk.input, descriptor.ipa & ~0xfff)
            #expect(fault == expected, "\(damage.id)")
        }
    }

    /// The nested STE with an S2PS of 44 bits, so that a leaf can name an address beyond it.
    private static func limited(_ walk: borrowing NestedWalk) -> StreamTableEntry {
        var ste = walk.machine.nestedSTE(context: walk.context + NestedWalk.offset, walk.stage2)
        ste.s2PS = 4
        return ste
    }

    @Test(
        "nested.cd-fault, evt.class-stage2: a CD's IPA that stage 2 refuses is CLASS 0 with that IPA",
        arguments: [false, true])
    func contextFaults(write: Bool) {
        for damage in Stage2Damage.all {
            var walk = NestedWalk()
            walk.machine.setSTE(1, Self.limited(walk))
            let ipa = walk.context + NestedWalk.offset
            let leaf = walk.machine.smmu.memory[walk.stage2Leaf(ipa)]
            walk.changeStage2(ipa, damage.damage(leaf))
            let fault = walk.machine.fault(1, NestedWalk.input, write: write)
            let word1: UInt64 = 1 << 39 | (write ? 0 : 1 << 35)
            let expected = EventRecord(1 << 32 | UInt64(damage.id.rawValue), word1, NestedWalk.input, ipa & ~0xfff)
            #expect(fault == expected, "\(damage.id)")
        }
    }

    @Test("nested.cd-fault: so is the IPA of a level-1 CD descriptor")
    func level1ContextFault() {
        var machine = Machine()
        let stage2 = machine.stage2Table()
        machine.map(stage2, 0, to: 0, level: 1)
        let table = machine.contextTable(.leaves64K, log2Size: 16)
        let ipa: UInt64 = 0x30_0000_0000
        machine.map(stage2, ipa, to: table.base)
        var ste = machine.nestedSTE(context: 0, stage2).using(table, default: .terminate)
        ste.s1ContextPointer = ipa | table.base & 0xfff
        machine.setSTE(1, ste)
        let space = machine.stage1Table()
        machine.map(space, 0x5000, to: 0x3000_0000)
        machine.setCD(table, 0xfc05, machine.cd(space))
        let pa = machine.pa(1, 0x5678, ssid: 0xfc05)
        #expect(pa == 0x3000_0678)
        machine.smmu.invalidateEverything()
        let at = machine.descriptorAddress(stage2, ipa, level: 3)
        machine.smmu.memory[at] = 0
        let fault = machine.fault(1, 0x5678, ssid: 0xfc05)
        let word0 = UInt64(1) << 32 | 0xfc05 << 12 | 1 << 11 | 0x10
        #expect(fault == EventRecord(word0, 1 << 39 | 1 << 35, 0x5678, ipa))
    }

    @Test(
        "nested.final-ipa, evt.class-stage2: the IPA that stage 1 gives is refused with CLASS 2",
        arguments: [false, true])
    func finalFaults(write: Bool) {
        for damage in Stage2Damage.all {
            var walk = NestedWalk()
            walk.machine.setSTE(1, Self.limited(walk))
            var leaf = damage.damage(walk.machine.smmu.memory[walk.stage2Leaf(NestedWalk.page)])
            // A write takes S2AP bit 1.
            if damage.id == .permission, write { leaf = leaf & ~(1 << 7) | 1 << 6 }
            walk.changeStage2(NestedWalk.page, leaf)
            let fault = walk.machine.fault(1, NestedWalk.input, write: write)
            let word1: UInt64 = 1 << 39 | 2 << 40 | (write ? 0 : 1 << 35)
            let number = 1 << 32 | UInt64(damage.id.rawValue)
            #expect(fault == EventRecord(number, word1, NestedWalk.input, NestedWalk.page), "\(damage.id)")
        }
    }

    @Test("nested.descriptor-fetch: a write needs no more of its descriptors' pages than reading")
    func writeThroughReadOnlyTables() {
        var walk = NestedWalk()
        let trace = walk.machine.trace(1, NestedWalk.input)
        for descriptor in trace.descriptors where !descriptor.stage2 {
            let leaf = walk.machine.smmu.memory[walk.stage2Leaf(descriptor.ipa)]
            walk.changeStage2(descriptor.ipa, leaf & ~(1 << 7) | 1 << 54)
        }
        let pa = walk.machine.pa(1, NestedWalk.input, write: true)
        #expect(pa == NestedWalk.output + 0xabc)
    }

    @Test("nested.s1dss-bypass: without SubstreamID and S1DSS 1 the input is the IPA, and no CD is looked at")
    func bypassedStage1() {
        var walk = NestedWalk()
        var ste = walk.machine.ste(1)
        ste.s1CDMax = 4
        ste.s1DefaultSubstream = .bypass
        // A pointer that could not be used.
        ste.s1ContextPointer = 0x7f_0000_0000
        walk.machine.setSTE(1, ste)
        let result = walk.machine.translate(1, NestedWalk.page + 0x123)
        guard case .translated(let translation) = result else {
            Issue.record("\(result)")
            return
        }
        #expect(translation.pa == NestedWalk.output + 0x123 && translation.stages == .stage2)
        let fault = walk.machine.fault(1, 0x7f_1234_5678, write: true)
        #expect(fault == EventRecord(1 << 32 | 0x10, 1 << 39 | 2 << 40, 0x7f_1234_5678, 0x7f_1234_5000))
    }

    @Test(
        "nested.s1-output, cd.ips-clamp: stage 1 puts out what IPS and OAS both allow",
        arguments: 0..<8, [UInt32(2), 5, 6])
    func stage1Output(ips: UInt64, oas: UInt32) {
        let sizes: [UInt64] = [32, 36, 40, 42, 44, 48, 52, 52]
        let bits = min(sizes[Int(ips)], sizes[Int(oas)])
        for nested in [false, true] {
            var machine = Machine(ids: .with(oas: oas), capacity: .small)
            let stage2 = machine.stage2Table(.k64, inputBits: Int(sizes[Int(oas)]), startLevel: oas == 2 ? 2 : 1)
            machine.map(stage2, 0, to: 0, level: 2)
            let top = UInt64(1) << bits
            machine.map(stage2, top - 0x1_0000, to: 0x7000_0000)
            let space = machine.stage1Table(.k64)
            machine.map(space, 0x1_0000, to: top - 0x1_0000)
            if bits < 52 { machine.map(space, 0x2_0000, to: top) }
            let context = machine.place(machine.cd(space, ips: ips))
            machine.setSTE(
                1, nested ? machine.nestedSTE(context: context, stage2) : machine.stage1STE(context: context))
            let last = machine.pa(1, 0x1_ffff)
            #expect(last == (nested ? 0x7000_ffff : top - 1))
            // A descriptor of 64 KB granules holds 52 bits only where OAS has as many.
            guard bits < (oas == 6 ? 52 : 48) else { continue }
            let fault = machine.fault(1, 0x2_0000)
            #expect(fault == EventRecord(1 << 32 | 0x11, 1 << 35 | 2 << 40, 0x2_0000, 0))
        }
    }

    @Test(
        "nested.s2ptw: with S2PTW a stage 1 fetch through Device memory is a stage 2 F_PERMISSION",
        arguments: 0..<16, [false, true])
    func protectedTableWalk(memory: UInt64, protected: Bool) {
        var walk = NestedWalk()
        var ste = walk.machine.ste(1)
        ste.s2ProtectedTableWalk = protected
        walk.machine.setSTE(1, ste)
        let table = walk.space.base + NestedWalk.offset
        let leaf = walk.machine.smmu.memory[walk.stage2Leaf(table)] & ~(0xf << 2)
        walk.changeStage2(table, leaf | memory << 2)
        let fault = walk.machine.fault(1, NestedWalk.input)
        // MemAttr 0b00xx is Device memory.
        #expect(fault?.id == (protected && memory < 4 ? .permission : nil))
        if let fault {
            #expect(fault.stage2 && fault.eventClass == .tableDescriptor && fault.ipa == table)
        }
        // What the device itself accesses may be Device memory.
        walk.changeStage2(table, leaf | 0xf << 2)
        walk.changeStage2(NestedWalk.page, NestedWalk.output | LeafBits.stage2 & ~(0xf << 2) | memory << 2 | 3)
        let data = walk.machine.pa(1, NestedWalk.input)
        #expect(data == NestedWalk.output + 0xabc)
    }
}

/// Stages of all granules and leaf sizes against each other.
@Suite struct NestedBlockTests {
    private static let leaves: [(Granule, Int)] = [
        (.k4, 1), (.k4, 2), (.k4, 3), (.k16, 2), (.k16, 3), (.k64, 2), (.k64, 3),
    ]

    @Test(
        "nested.block-sizes: every pair of leaf sizes gives the right address for every offset", arguments: 0..<7, 0..<7
    )
    func composition(first: Int, second: Int) {
        let ((granule1, level1), (granule2, level2)) = (Self.leaves[first], Self.leaves[second])
        var machine = Machine(capacity: .small)
        let stage2 = machine.stage2Table(granule2, inputBits: 40, startLevel: granule2 == .k4 ? 1 : 2)
        let sizes = (
            UInt64(1) << UInt64(ExpectedGeometry.entrySpan(granule1, level: level1)),
            UInt64(1) << UInt64(ExpectedGeometry.entrySpan(granule2, level: level2))
        )
        // The first GB, where all tables are, is itself.
        let identity = granule2 == .k4 ? 1 : 2
        let span = UInt64(1) << UInt64(ExpectedGeometry.entrySpan(granule2, level: identity))
        for number in 0..<(1 << 30) / span { machine.map(stage2, number * span, to: number * span, level: identity) }
        let space = machine.stage1Table(granule1)
        let context = machine.place(machine.cd(space))
        machine.setSTE(1, machine.nestedSTE(context: context, stage2))

        let (input, ipa) = (3 * sizes.0, 0x40_0000_0000 + sizes.0)
        machine.map(space, input, to: ipa, level: level1)
        let offsets = [0, 1, 0xfff, 0x1000, sizes.0 / 2, sizes.0 - 1, sizes.1 / 2, sizes.1 - 1].map { $0 % sizes.0 }
        var pages: [UInt64: UInt64] = [:]
        for offset in offsets {
            let leaf = (ipa + offset) & ~(sizes.1 - 1)
            guard pages[leaf] == nil else { continue }
            let page = 0x1000_0000_0000 + UInt64(pages.count * 3) * sizes.1
            pages[leaf] = page
            machine.map(stage2, leaf, to: page, level: level2)
        }
        for cold in [true, false, false] {
            for offset in offsets {
                if cold { machine.smmu.invalidateEverything() }
                let address = ipa + offset
                let expected = pages[address & ~(sizes.1 - 1), default: 0] | address & (sizes.1 - 1)
                let result = machine.translate(1, input + offset)
                guard case .translated(let translation) = result else {
                    Issue.record("offset \(offset.hex): \(result)")
                    continue
                }
                #expect(translation.pa == expected && translation.ipa == address, "offset \(offset.hex)")
                #expect(1 << UInt64(translation.sizeLog2) == min(sizes.0, sizes.1))
            }
        }
    }

    @Test("perm.both-stages: what stage 1 allows by itself is told, also when stage 2 ends the access")
    func stage1Alone() {
        var machine = Machine()
        let stream = machine.addNestedStream(3)
        machine.map(stream.table, 0x1000, to: 0x8000_0000)
        machine.map(stream.table, 0x2000, to: 0x9000_0000)
        machine.map(stream.stage2, 0x8000_0000, to: 0xa000_0000, attributes: LeafBits.stage2 & ~(1 << 7))
        guard case .translated(let read) = machine.translate(3, 0x1000) else {
            Issue.record("the read comes through")
            return
        }
        #expect(read.stage1.contains([.unprivilegedRead, .unprivilegedWrite]))
        #expect(!read.permissions.contains(.unprivilegedWrite))
        let (cached, hole) = (machine.termination(3, 0x1000, write: true), machine.termination(3, 0x2000, write: true))
        #expect(cached?.stage1 == read.stage1 && hole?.stage1 == read.stage1)
        let stage1 = machine.termination(3, 0x3000)
        #expect(stage1?.record.stage2 == false && stage1?.stage1 == [])
    }
}

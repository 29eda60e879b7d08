import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// The bits of descriptors, and the order of their bytes.
@Suite struct DescriptorTests {
    /// What a descriptor's bit does when it is turned over in a leaf or table that allows everything.
    private enum Effect: Hashable {
        case none, accessFault, translationFault, permissionFault, global
        case allows(Permissions)
    }

    private static let everything: Permissions = [
        .unprivilegedRead, .unprivilegedWrite, .unprivilegedExecute, .privilegedRead, .privilegedWrite,
    ]

    private static func effect(_ trace: Trace, unchanged: Permissions) -> Effect {
        switch trace.fault?.id {
        case .access: return .accessFault
        case .translation: return .translationFault
        case .permission: return .permissionFault
        default: break
        }
        guard case .translated(let translation) = trace.result else { return .none }
        if translation.permissions != unchanged { return .allows(translation.permissions) }
        for case .leaf(_, _, _, _, let global) in trace.steps where global { return .global }
        return .none
    }

    @Test("desc.s1-fields: AP, AF, nG, PXN, UXN and their likes in tables act by their own bits; no other bit acts")
    func stage1Fields() {
        let leafEffects: [UInt64: Effect] = [
            0: .translationFault, 1: .translationFault,
            6: .permissionFault,
            7: .allows([
                .unprivilegedRead, .unprivilegedExecute, .privilegedRead, .privilegedExecute,
            ]),
            10: .accessFault, 11: .global, 54: .allows(Self.everything.subtracting(.unprivilegedExecute)),
        ]
        let tableEffects: [UInt64: Effect] = [
            60: .allows(Self.everything.subtracting(.unprivilegedExecute)),
            61: .permissionFault,
            62: .allows([.unprivilegedRead, .unprivilegedExecute, .privilegedRead, .privilegedExecute]),
        ]
        var machine = Machine()
        let stream = machine.addStage1Stream(1)
        let leaf = machine.map(stream.table, 0x5000, to: 0x8000_0000)
        let table = machine.descriptorAddress(stream.table, 0x5000, level: 2)
        for bit in Array(0...11) + Array(48...63) as [UInt64] {
            let effect = Self.flip(&machine, leaf, bit)
            #expect(effect == leafEffects[bit, default: .none], "leaf bit \(bit)")
        }
        for bit in Array(2...11) + Array(48...63) as [UInt64] {
            let effect = Self.flip(&machine, table, bit)
            #expect(effect == tableEffects[bit, default: .none], "table bit \(bit)")
        }
    }

    @Test("desc.s1-fields, perm.pxn: PXN and PXNTable stand in bits 53 and 59")
    func privilegedExecuteNever() {
        var machine = Machine()
        let stream = machine.addStage1Stream(1)
        // Read-only to everybody: else privileged execution is not allowed anyhow.
        let leaf = machine.map(
            stream.table, 0x5000, to: 0x8000_0000, attributes: LeafBits.stage1 | 1 << 7)
        let table = machine.descriptorAddress(stream.table, 0x5000, level: 2)
        for (at, bit) in [(leaf, UInt64(53)), (table, 59)] {
            let before = machine.fault(1, 0x5000, privileged: true, instruction: true)
            #expect(before == nil)
            machine.smmu.memory[at] ^= 1 << bit
            machine.smmu.invalidateEverything()
            let results = [
                machine.fault(1, 0x5000, privileged: true, instruction: true),
                machine.fault(1, 0x5000, instruction: true),
                machine.fault(1, 0x5000, privileged: true),
            ]
            #expect(results.map { $0?.id } == [.permission, nil, nil])
            machine.smmu.memory[at] ^= 1 << bit
            machine.smmu.invalidateEverything()
        }
    }

    private static func flip(_ machine: inout Machine, _ at: UInt64, _ bit: UInt64) -> Effect {
        machine.smmu.memory[at] ^= 1 << bit
        let effect = effect(machine.trace(1, 0x5000, ssid: nil), unchanged: everything)
        machine.smmu.memory[at] ^= 1 << bit
        return effect
    }

    @Test("desc.s2-leaf-fields: S2AP, AF and XN act by their own bits; no other bit acts")
    func stage2Fields() {
        var machine = Machine()
        let table = machine.stage2Table()
        let leaf = machine.map(table, 0x5000, to: 0x8000_0000)
        let tableAt = machine.descriptorAddress(table, 0x5000, level: 2)
        machine.setSTE(1, machine.stage2STE(table))
        let writes: Permissions = [.privilegedWrite, .unprivilegedWrite]
        let executes: Permissions = [.privilegedExecute, .unprivilegedExecute]
        let effects: [UInt64: Effect] = [
            0: .translationFault, 1: .translationFault, 6: .permissionFault,
            7: .allows(Permissions.all.subtracting(writes)),
            10: .accessFault, 53: .allows(Permissions.all.subtracting(.privilegedExecute)),
            54: .allows(Permissions.all.subtracting(executes)),
        ]
        for bit in Array(0...11) + Array(48...63) as [UInt64] {
            machine.smmu.memory[leaf] ^= 1 << bit
            let effect = Self.effect(machine.trace(1, 0x5000), unchanged: .all)
            #expect(effect == effects[bit, default: .none], "leaf bit \(bit)")
            machine.smmu.memory[leaf] ^= 1 << bit
        }
        for bit in Array(2...11) + Array(48...63) as [UInt64] {
            machine.smmu.memory[tableAt] ^= 1 << bit
            let effect = Self.effect(machine.trace(1, 0x5000), unchanged: .all)
            #expect(effect == .none, "table bit \(bit)")
            machine.smmu.memory[tableAt] ^= 1 << bit
        }
    }

    @Test("desc.big-endian: ENDI and S2ENDI turn over what each stage reads", arguments: [false, true], [false, true])
    func bigEndian(first: Bool, second: Bool) {
        var machine = Machine()
        var stage2 = machine.stage2Table()
        stage2.bigEndian = second
        machine.map(stage2, 0, to: 0, level: 1)
        machine.map(stage2, 0x8000_0000, to: 0x9000_0000)
        var table = machine.stage1Table()
        table.bigEndian = first
        machine.map(table, 0x5000, to: 0x8000_0000)
        // CDs are little-endian whatever they say of their tables.
        machine.setSTE(1, machine.nestedSTE(context: machine.place(machine.cd(table)), stage2))
        let pa = machine.pa(1, 0x5678)
        #expect(pa == 0x9000_0678)
    }

    @Test("desc.big-endian: both ranges follow the one ENDI", arguments: [UInt32(0), 3])
    func bigEndianRanges(endianness: UInt32) {
        var machine = Machine(ids: .with(endianness: endianness))
        var (low, high) = (machine.stage1Table(), machine.stage1Table())
        (low.bigEndian, high.bigEndian) = (true, true)
        machine.map(low, 0x5000, to: 0x8000_0000)
        machine.map(high, 0xffff_ffff_ffff_5000, to: 0x9000_0000)
        machine.setSTE(1, machine.stage1STE(context: machine.place(machine.cd(low, high))))
        let (lower, upper) = (machine.pa(1, 0x5000), machine.pa(1, 0xffff_ffff_ffff_5000))
        #expect(lower == 0x8000_0000 && upper == 0x9000_0000)
    }

    @Test(
        "desc.fetch-abort, evt.f-walk-eabt: a descriptor that cannot be read is F_WALK_EABT at its address",
        arguments: 0...3)
    func stage1FetchAbort(level: Int) {
        var machine = Machine()
        let stream = machine.addStage1Stream(1)
        machine.map(stream.table, 0x12_3456_7000, to: 0x8000_0000)
        let at = machine.descriptorAddress(stream.table, 0x12_3456_7000, level: level)
        machine.smmu.memory.holes = [at >> 12]
        let fault = machine.termination(1, 0x12_3456_7abc, write: true)
        #expect(fault?.record == EventRecord(1 << 32 | 0x0b, 1 << 40, 0x12_3456_7abc, at))
        #expect(fault?.recorded == true && fault?.response == .abort)
        // Nothing of the failed walk is kept.
        machine.smmu.memory.holes = []
        let pa = machine.pa(1, 0x12_3456_7abc)
        #expect(pa == 0x8000_0abc)
    }

    @Test("desc.fetch-abort, evt.f-walk-eabt: at stage 2 it has S2 and the class of what is translated")
    func stage2FetchAbort() {
        var machine = Machine()
        let table = machine.stage2Table()
        machine.map(table, 0x5000, to: 0x8000_0000)
        machine.setSTE(1, machine.stage2STE(table))
        let alone = machine.descriptorAddress(table, 0x5000, level: 2)
        machine.smmu.memory.holes = [alone >> 12]
        let first = machine.fault(1, 0x5678)
        #expect(first == EventRecord(1 << 32 | 0x0b, 1 << 35 | 1 << 39 | 2 << 40, 0x5678, alone))
        machine.smmu.memory.holes = []
    }

    @Test(
        "desc.fetch-abort, evt.class-stage2: a stage 2 walk that aborts says what it walked for",
        arguments: EventRecord.Class.allCases)
    func nestedFetchAbort(eventClass: EventRecord.Class) {
        var machine = Machine()
        let stage2 = machine.stage2Table()
        machine.map(stage2, 0, to: 0, level: 1)
        let space = machine.stage1Table()
        machine.map(space, 0x5000, to: 0x8000_0000)
        // The CD and the first table are reached by IPAs of their own, and so each by its own stage 2 descriptors.
        var cd = machine.cd(space)
        cd.words[1] = 0x20_0000_0000
        let context = machine.place(cd)
        machine.map(stage2, 0x10_0000_0000, to: context)
        machine.map(stage2, 0x20_0000_0000, to: space.base)
        machine.map(stage2, 0x8000_0000, to: 0x9000_0000)
        machine.setSTE(2, machine.nestedSTE(context: 0x10_0000_0000 | context & 0xfff, stage2))
        let pa = machine.pa(2, 0x5678)
        #expect(pa == 0x9000_0678)
        let ipa: UInt64 =
            switch eventClass {
            case .contextDescriptor: 0x10_0000_0000
            case .tableDescriptor: 0x20_0000_0000
            case .input: 0x8000_0000
            }
        let at = machine.descriptorAddress(stage2, ipa, level: 3)
        machine.smmu.invalidateEverything()
        machine.smmu.memory.holes = [at >> 12]
        let fault = machine.fault(2, 0x5678, write: true)
        let word1 = 1 << 39 | UInt64(eventClass.rawValue) << 40
        #expect(fault == EventRecord(2 << 32 | 0x0b, word1, 0x5678, at))
    }
}

import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// A machine whose stream 1 has both stages in its STE, at one input address each a different answer.
private struct BothStages: ~Copyable {
    var machine = Machine()
    let context: UInt64
    let stage2: TestTable

    init() {
        stage2 = machine.stage2Table()
        machine.map(stage2, 0, to: 0, level: 1)
        machine.map(stage2, 0x4000_1000, to: 0x22_0000_1000)
        machine.map(stage2, 0x7000_0000, to: 0x33_0000_0000)
        let table = machine.stage1Table()
        machine.map(table, 0x4000_1000, to: 0x7000_0000)
        context = machine.place(machine.cd(table))
    }

    mutating func use(_ config: StreamTableEntry.Config, _ change: (inout StreamTableEntry) -> Void = { _ in }) {
        var ste = machine.nestedSTE(context: context, stage2)
        ste.config = config
        change(&ste)
        machine.setSTE(1, ste)
    }
}

/// What an STE makes of its stream's transactions.
@Suite struct StreamConfigurationTests {
    @Test(
        "ste.config: Config says which stages translate",
        arguments: [
            (.bypass, 0x4000_1008, nil), (.stage1, 0x7000_0008, .stage1), (.stage2, 0x22_0000_1008, .stage2),
            (.nested, 0x33_0000_0008, .both),
        ] as [(StreamTableEntry.Config, UInt64, Translation.Stages?)])
    func config(config: StreamTableEntry.Config, pa: UInt64, stages: Translation.Stages?) {
        var both = BothStages()
        both.use(config)
        let result = both.machine.translate(1, 0x4000_1008)
        guard let stages else {
            #expect(result == .bypassed(pa: pa))
            return
        }
        guard case .translated(let translation) = result else {
            Issue.record("\(result)")
            return
        }
        #expect(translation.pa == pa && translation.stages == stages)
    }

    @Test(
        "ste.config-abort: Config 0 to 3 abort without an event and without another read",
        arguments: [StreamTableEntry.Config.abort, .reserved1, .reserved2, .reserved3])
    func configAbort(config: StreamTableEntry.Config) {
        var both = BothStages()
        // Nothing else of such an STE matters: not even what is ILLEGAL in others.
        both.use(config) { ste in
            ste.words[1] = .max
            ste.words[2] = .max
            ste.s1CDMax = 31
        }
        let results = [
            both.machine.translate(1, 0x4000_1008), both.machine.translate(1, 0, ssid: 3, write: true),
            both.machine.translate(1, .max),
        ]
        #expect(results == [.aborted, .aborted, .aborted])
        let events = both.machine.takeEvents()
        #expect(events.isEmpty)
        let reads = both.machine.smmu.memory.reads
        #expect(reads == 8)
    }

    @Test(
        "ste.strw: STRW 2 is EL2, whose address space has one range without CR2.E2H and two with it",
        arguments: [false, true])
    func el2(e2h: Bool) {
        var machine = Machine()
        machine.smmu.registers.e2h = e2h
        let (low, high) = (machine.stage1Table(), machine.stage1Table())
        machine.map(low, 0x1000, to: 0x8000_0000)
        machine.map(high, 0xffff_0000_0000_1000, to: 0x9000_0000)
        var ste = machine.stage1STE(context: machine.place(machine.cd(low, high)))
        ste.streamWorld = .el2
        machine.setSTE(1, ste)
        let (lower, upper) = (machine.pa(1, 0x1000), machine.fault(1, 0xffff_0000_0000_1000))
        #expect(lower == 0x8000_0000)
        #expect(upper?.id == (e2h ? nil : .translation))
        // The two worlds do not share translations: an invalidation of EL1 does not reach EL2.
        machine.map(low, 0x1000, to: 0xa000_0000)
        machine.run(.make(.tlbiNSNHAll))
        let kept = machine.pa(1, 0x1000)
        #expect(kept == 0x8000_0000)
        machine.run(.make(.tlbiEL2All))
        let dropped = machine.pa(1, 0x1000)
        #expect(dropped == 0xa000_0000)
    }

    @Test("ste.strw: STRW 0 is NS-EL1, with two ranges and VMIDs", arguments: [false, true])
    func nsEL1(e2h: Bool) {
        var machine = Machine()
        machine.smmu.registers.e2h = e2h
        let (low, high) = (machine.stage1Table(), machine.stage1Table())
        machine.map(high, 0xffff_0000_0000_1000, to: 0x9000_0000)
        machine.setSTE(1, machine.stage1STE(context: machine.place(machine.cd(low, high)), vmid: 7))
        let before = machine.pa(1, 0xffff_0000_0000_1000)
        #expect(before == 0x9000_0000)
        machine.map(high, 0xffff_0000_0000_1000, to: 0xa000_0000)
        machine.run(.make(.tlbiEL2All), .tlbi(.tlbiNHAll, vmid: 8))
        let kept = machine.pa(1, 0xffff_0000_0000_1000)
        #expect(kept == 0x9000_0000)
        machine.run(.tlbi(.tlbiNHAll, vmid: 7))
        let dropped = machine.pa(1, 0xffff_0000_0000_1000)
        #expect(dropped == 0xa000_0000)
    }

    /// Pages that one kind of access alone may use, so that the answer tells what the SMMU took the access for.
    private static func overrideMachine(privilege: Int, instruction: Int, ids: IDRegisters) -> Machine {
        var machine = Machine(ids: ids)
        let stream = machine.addStage1Stream(1)
        let both: UInt64 = 1 << 10 | 1 << 11
        // Privileged access alone; unprivileged execution alone; privileged execution alone.
        machine.map(stream.table, 0x1000, to: 0x1000, attributes: both | 3 << 53)
        machine.map(stream.table, 0x2000, to: 0x2000, attributes: both | 1 << 53 | 1 << 6 | 1 << 7)
        machine.map(stream.table, 0x3000, to: 0x3000, attributes: both | 1 << 54)
        var ste = machine.ste(1)
        ste.privilegeOverride = privilege
        ste.instructionOverride = instruction
        machine.setSTE(1, ste)
        return machine
    }

    @Test(
        "ste.privcfg, evt.pnu-ind: PRIVCFG and INSTCFG replace privilege and, for reads, instruction; 0 and 1 do not",
        arguments: 0..<16, [false, true])
    func overrides(code: Int, supported: Bool) {
        let codes = (privilege: code & 3, instruction: code >> 2)
        var ids = IDRegisters.everything
        if !supported { ids.idr1 &= ~(1 << 26) }
        for access in 0..<8 {
            let (write, privileged, instruction) = (access & 1 != 0, access & 2 != 0, access & 4 != 0)
            var machine = Self.overrideMachine(privilege: codes.privilege, instruction: codes.instruction, ids: ids)
            var asPrivileged = privileged
            if supported, codes.privilege == 2 { asPrivileged = false }
            if supported, codes.privilege == 3 { asPrivileged = true }
            var asInstruction = instruction
            if supported, codes.instruction == 2 { asInstruction = false }
            if supported, codes.instruction == 3 { asInstruction = true }
            if write { asInstruction = false }
            let allowed = [
                asPrivileged && !asInstruction,
                asInstruction ? !asPrivileged : !write,
                asPrivileged,
            ]
            for (page, allows) in zip([UInt64(0x1000), 0x2000, 0x3000], allowed) {
                let fault = machine.fault(
                    1, page, write: write, privileged: privileged, instruction: instruction)
                let comment: Comment = "access \(access), page \(page)"
                #expect((fault == nil) == allows, comment)
                guard let fault else { continue }
                #expect(fault.id == .permission, comment)
                #expect(fault.privileged == asPrivileged && fault.instruction == asInstruction, comment)
                #expect(fault.read == !write, comment)
            }
        }
    }

    @Test(
        "ste.s2ps-clamp, nested.s2-output: stage 2 puts out what S2PS and OAS both allow",
        arguments: 0..<8, [2, 5, 6])
    func s2psClamp(ps: Int, oas: UInt32) throws {
        let sizes = [32, 36, 40, 42, 44, 48, 52, 52]
        let bits = min(sizes[ps], sizes[Int(oas)])
        var machine = Machine(ids: .with(oas: oas), capacity: .small)
        let table = machine.stage2Table(.k64, inputBits: 40, startLevel: 2)
        let top = UInt64(1) << UInt64(bits)
        machine.map(table, 0x1_0000, to: top - 0x1_0000)
        if bits < 52 { machine.map(table, 0x2_0000, to: top) }
        machine.setSTE(1, machine.stage2STE(table, ps: ps))
        let last = machine.pa(1, 0x1_ffff)
        #expect(last == top - 1)
        // With 48 bits and less a descriptor cannot hold more than 48.
        guard bits < (oas == 6 ? 52 : 48) else { return }
        let fault = machine.fault(1, 0x2_0000)
        #expect(fault?.id == .addressSize && fault?.stage2 == true && fault?.ipa == 0x2_0000)
    }
}

import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// What the comparison with the naive SMMU has found, each in its smallest form.
@Suite struct FoundByComparisonTests {
    @Test("tlb.block: where stage 2 has smaller pages, one address still drops all of a stage 1 block")
    func blockInPieces() {
        var machine = Machine()
        let (table, _, stage2) = machine.addNestedStream(1, asid: 3, vmid: 2)
        machine.map(table, 0x20_0000, to: 0x8000_0000, level: 2)
        for page: UInt64 in [0, 0x1000] { machine.map(stage2, 0x8000_0000 + page, to: 0x9000_0000 + page) }
        let before = [machine.pa(1, 0x20_0000), machine.pa(1, 0x20_1000)]
        #expect(before == [0x9000_0000, 0x9000_1000])
        machine.map(table, 0x20_0000, to: 0x8000_0000, level: 2, attributes: 0)
        let error = machine.run(.tlbi(.tlbiNHVA, vmid: 2, asid: 3, address: 0x20_0000))
        let after = [machine.fault(1, 0x20_0000)?.id, machine.fault(1, 0x20_1000)?.id]
        #expect(error == .none && after == [.access, .access])
    }

    @Test("tlb.el2-va: without E2H TLBI_EL2_VA goes by address, whatever its ASID")
    func plainEL2() {
        var machine = Machine()
        let (table, context) = machine.addStage1Stream(1)
        var ste = machine.stage1STE(context: context)
        ste.streamWorld = .el2
        machine.setSTE(1, ste)
        machine.map(table, 0x1000, to: 0x8000_0000)
        let before = machine.pa(1, 0x1000)
        machine.map(table, 0x1000, to: 0x9000_0000)
        machine.run(.tlbi(.tlbiEL2VA, asid: 7, address: 0x1000))
        let after = machine.pa(1, 0x1000)
        #expect(before == 0x8000_0000 && after == 0x9000_0000)
    }

    @Test("walk.ttb-alignment: a 52-bit IPS aligns small tables to 64 bytes for 4 KB granules too", arguments: [5, 6])
    func smallTables(sizeCode: UInt64) {
        var machine = Machine(ids: .with(oas: 6))
        // 31 bits: a first table of two entries, 16 bytes.
        var table = machine.stage1Table(inputBits: 31)
        let line = machine.allocate(64)
        table.base = line + 16
        machine.map(table, 0, to: 0x4000_0000, level: 1)
        machine.setSTE(1, machine.stage1STE(context: machine.place(machine.cd(table, ips: sizeCode))))
        let pa = machine.pa(1, 0x123)
        #expect(pa == (sizeCode == 6 ? nil : 0x4000_0123))
    }

    @Test("desc.output-offset: what a large block has left in the TLB does not serve its end beyond the output size")
    func blockBeyondOutputSize() {
        var machine = Machine(ids: .with(oas: 6))
        let table = machine.stage1Table(.k64)
        machine.map(table, 0, to: 0, level: 1)
        machine.setSTE(1, machine.stage1STE(context: machine.place(machine.cd(table, ips: 2))))
        let inside = machine.pa(1, 0x1000)
        let beyond = machine.fault(1, 1 << 40)?.id
        #expect(inside == 0x1000 && beyond == .addressSize)
    }

    @Test(
        "dirty state needs HTTU 2: HD and S2HD are ILLEGAL with access flags alone",
        arguments: [(UInt32(0), false, false), (1, true, false), (2, true, true), (3, true, true)])
    func hardwareUpdates(httu: UInt32, accessFlag: Bool, dirty: Bool) {
        var ids = IDRegisters.everything
        ids.idr0 |= httu << 6
        var machine = Machine()
        let stage2 = machine.stage2STE(machine.stage2Table())
        let context = machine.cd(machine.stage1Table())
        for (bit, allowed) in [(56, accessFlag), (55, dirty)] {
            var ste = stage2
            ste.words[2].setBit(bit, true)
            #expect(ste.illegalities(on: ids) == (allowed ? [] : [.s2HardwareUpdateUnsupported]))
        }
        for (bit, allowed) in [(43, accessFlag), (42, dirty)] {
            var cd = context
            cd.words[0].setBit(bit, true)
            let found = cd.illegalities(on: ids, stallDisabled: false, twoRanges: true)
            #expect(found == (allowed ? [] : [.hardwareUpdateUnsupported]))
        }
    }
}

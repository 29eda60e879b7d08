import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// What the model leaves out: the way that shows to whoever uses it all the same.
@Suite struct AbsentTests {
    @Test("absent.httu: HA or HD in a CD is C_BAD_CD, and an access flag is never set in memory")
    func hardwareUpdate() {
        let offered = IDRegisters.everything.hardwareTableUpdate
        #expect(offered == 0)
        for bit in [42, 43] {
            var machine = Machine()
            let stream = machine.addStage1Stream(1)
            let leaf = machine.map(stream.table, 0x5000, to: 0x8000_0000, attributes: LeafBits.stage1 & ~(1 << 10))
            let word = machine.smmu.memory[leaf]
            let fault = machine.fault(1, 0x5000, write: true)
            #expect(fault?.id == .access)
            var cd = machine.cd(stream.table)
            cd.words[0].setBit(bit, true)
            machine.smmu.memory.store(cd.words, at: stream.context)
            let refused = machine.trace(1, 0x5000, write: true)
            #expect(refused.fault?.id == .badCD)
            let after = machine.smmu.memory[leaf]
            #expect(after == word)
        }
    }

    @Test("absent.s2-httu: S2HA or S2HD is C_BAD_STE, and stage 2 descriptors are never written")
    func stage2HardwareUpdate() {
        for bit in [55, 56] {
            var machine = Machine()
            let table = machine.stage2Table()
            let leaf = machine.map(table, 0x5000, to: 0x8000_0000, attributes: LeafBits.stage2 & ~(1 << 10))
            let word = machine.smmu.memory[leaf]
            var ste = machine.stage2STE(table)
            machine.setSTE(1, ste)
            let fault = machine.fault(1, 0x5000, write: true)
            #expect(fault?.id == .access)
            ste.words[2].setBit(bit, true)
            machine.setSTE(1, ste)
            let refused = machine.trace(1, 0x5000, write: true)
            #expect(refused.fault?.id == .badSTE)
            let after = machine.smmu.memory[leaf]
            #expect(after == word)
        }
    }

    @Test("absent.dbm: DBM makes no read-only leaf writable, and nothing is written", arguments: [false, true])
    func dirtyBitModifier(stage2: Bool) {
        var machine = Machine()
        let table = stage2 ? machine.stage2Table() : machine.stage1Table()
        let readOnly = stage2 ? LeafBits.stage2 & ~(1 << 7) : LeafBits.stage1 | 1 << 7
        let leaf = machine.map(table, 0x5000, to: 0x8000_0000, attributes: readOnly | 1 << 51)
        machine.setSTE(
            1, stage2 ? machine.stage2STE(table) : machine.stage1STE(context: machine.place(machine.cd(table))))
        let word = machine.smmu.memory[leaf]
        let fault = machine.fault(1, 0x5000, write: true)
        #expect(fault?.id == .permission && fault?.stage2 == stage2)
        let read = machine.pa(1, 0x5000)
        #expect(read == 0x8000_0000)
        let after = machine.smmu.memory[leaf]
        #expect(after == word)
    }

    @Test("absent.ds: descriptors of 4 KB and 16 KB granules give 48 address bits", arguments: [Granule.k4, .k16])
    func largeAddressesOfSmallGranules(granule: Granule) {
        for stage2 in [false, true] {
            var machine = Machine(ids: .with(oas: 6))
            let table =
                stage2 ? machine.stage2Table(granule, startLevel: granule == .k4 ? 1 : 2) : machine.stage1Table(granule)
            let context = machine.place(machine.cd(stage2 ? machine.stage1Table(granule) : table, ips: 6))
            machine.setSTE(1, stage2 ? machine.stage2STE(table, ps: 6) : machine.stage1STE(context: context))
            // Where DS would have bits 51:48: SH, and the bits above the address.
            let leaf = machine.map(table, 0, to: 0xffff_8000_0000)
            machine.smmu.memory[leaf] |= 3 << 48 | 3 << 8
            let pa = machine.pa(1, 0x238)
            #expect(pa == 0xffff_8000_0238)
        }
        // A 52-bit input, and with it level -1, makes no sense.
        var machine = Machine(ids: .with(oas: 6))
        let stream = machine.addStage1Stream(1, granule: granule)
        var cd = machine.cd(stream.table)
        cd.words[0].setBits(5, 0, 12)
        machine.smmu.memory.store(cd.words, at: stream.context)
        let fault = machine.fault(1, 0)
        #expect(fault?.id == .badCD)
    }

    @Test("absent.secure: NS and NSTable change no answer, and no event says NSIPA")
    func nonSecure() {
        var machine = Machine()
        let stream = machine.addNestedStream(1)
        machine.map(stream.table, 0x5000, to: 0x8000_0000, attributes: LeafBits.stage1 | 1 << 5)
        machine.smmu.memory[machine.descriptorAddress(stream.table, 0x5000, level: 1)] |= 1 << 63
        let fault = machine.fault(1, 0x5000)
        #expect(fault == EventRecord(1 << 32 | 0x10, 1 << 35 | 1 << 39 | 2 << 40, 0x5000, 0x8000_0000))
        machine.map(stream.stage2, 0x8000_0000, to: 0x9000_0000)
        let pa = machine.pa(1, 0x5000)
        #expect(pa == 0x9000_0000)
    }

    @Test("absent.attributes: memory types and shareability, however configured, change no answer")
    func memoryAttributes() {
        var machine = Machine()
        let stream = machine.addStage1Stream(1)
        machine.map(stream.table, 0x5000, to: 0x8000_0000)
        let plain = machine.translate(1, 0x5000)
        var cd = machine.cd(stream.table)
        // IR0, OR0, SH0; MAIR; and in the leaf AttrIndx and SH.
        cd.words[0].setBits(13, 8, 0x3f)
        cd.words[3] = 0x0123_4567_89ab_cdef
        machine.smmu.memory.store(cd.words, at: stream.context)
        machine.map(stream.table, 0x5000, to: 0x8000_0000, attributes: LeafBits.stage1 | 5 << 2 | 3 << 8)
        var ste = machine.ste(1)
        // S1CIR, S1COR, S1CSH; MemAttr, MTCFG, ALLOCCFG, SHCFG.
        ste.words[1] |= 0x66 | 0x9 << 32 | 1 << 36 | 0xf << 37 | 2 << 44
        machine.setSTE(1, ste)
        machine.smmu.invalidateEverything()
        let fancy = machine.translate(1, 0x5000)
        #expect(fancy == plain)
        ste.config = .bypass
        machine.setSTE(2, ste)
        let bypassed = machine.translate(2, 0x5000)
        #expect(bypassed == .bypassed(pa: 0x5000))
    }

    @Test("absent.aarch32: AA64=0 is C_BAD_CD and S2AA64=0 is C_BAD_STE")
    func aarch32() {
        var machine = Machine()
        let stream = machine.addNestedStream(1)
        var cd = machine.cd(stream.table)
        cd.words[0].setBit(41, false)
        machine.smmu.memory.store(cd.words, at: stream.context)
        let first = machine.fault(1, 0x5000)
        #expect(first?.id == .badCD)
        var ste = machine.ste(1)
        ste.s2AArch64 = false
        machine.setSTE(1, ste)
        let second = machine.trace(1, 0x5000)
        #expect(second.fault?.id == .badSTE)
    }

    @Test("absent.mpam, absent.pri: CFGI_VMS_PIDM and PRI_RESP are CERROR_ILL", arguments: [UInt64(0x07), 0x41])
    func commands(opcode: UInt64) {
        var machine = Machine()
        let error = machine.run(Command(d0: opcode, d1: 0))
        #expect(error == .illegal)
        let active = machine.smmu.registers.isActive(.commandQueue)
        #expect(active)
    }

    @Test("absent.mpam: S1MPAM makes nothing be fetched")
    func partitioning() {
        var machine = Machine()
        let stream = machine.addStage1Stream(1)
        machine.map(stream.table, 0x5000, to: 0x8000_0000)
        var ste = machine.ste(1)
        ste.words[1].setBit(26, true)
        // VMSPtr, to where nothing answers.
        ste.words[5] = 0x7000_0000
        machine.smmu.memory.holes = [0x7_0000]
        machine.setSTE(1, ste)
        let pa = machine.pa(1, 0x5000)
        #expect(pa == 0x8000_0000)
    }

    @Test("absent.merging: with MEV each fault gives its own event, like ones too")
    func merging() {
        var machine = Machine()
        machine.addStage1Stream(1)
        var ste = machine.ste(1)
        ste.words[1].setBit(19, true)
        machine.setSTE(1, ste)
        let faults = (0..<4).map { _ in machine.fault(1, 0x5000) }
        let events = machine.takeEvents()
        #expect(events == faults.compactMap { $0 } && events.count == 4)
    }

    @Test("absent.conflicts: a block that becomes a table without an invalidation gives one of both translations")
    func conflicts() {
        var machine = Machine()
        let stream = machine.addStage1Stream(1)
        machine.map(stream.table, 0, to: 0x8000_0000, level: 2)
        let block = machine.pa(1, 0x1000)
        #expect(block == 0x8000_1000)
        machine.smmu.memory[machine.descriptorAddress(stream.table, 0, level: 2)] = 0
        for page in UInt64(0)..<4 { machine.map(stream.table, page << 12, to: 0x9000_0000 + page << 12) }
        for _ in 0..<2 {
            for page in UInt64(0)..<4 {
                let pa = machine.pa(1, page << 12)
                #expect(pa == 0x8000_0000 + page << 12 || pa == 0x9000_0000 + page << 12)
            }
        }
        let events = machine.takeEvents()
        #expect(events.isEmpty)
    }

    @Test("absent.btm: ASET changes no answer", arguments: [false, true])
    func sharedASIDs(aset: Bool) {
        var machine = Machine()
        let stream = machine.addStage1Stream(1, asid: 5)
        var cd = machine.cd(stream.table, asid: 5)
        cd.words[0].setBit(47, aset)
        machine.smmu.memory.store(cd.words, at: stream.context)
        machine.map(stream.table, 0x5000, to: 0x8000_0000)
        let first = machine.pa(1, 0x5000)
        machine.map(stream.table, 0x5000, to: 0x9000_0000)
        machine.run(.tlbi(.tlbiNHASID, asid: 6))
        let kept = machine.pa(1, 0x5000)
        machine.run(.tlbi(.tlbiNHASID, asid: 5))
        let dropped = machine.pa(1, 0x5000)
        #expect([first, kept, dropped] == [0x8000_0000, 0x8000_0000, 0x9000_0000])
    }
}

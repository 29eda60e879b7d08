import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// What the TLB does between invalidations.
@Suite struct TLBBehaviourTests {
    @Test("tlb.faults-not-kept: a page, an Access flag or a permission that was missing is found once it is there")
    func faultsNotKept() {
        var machine = Machine()
        let stream = machine.addStage1Stream(1)
        let unmapped = machine.fault(1, 0x1000)
        let leaf = machine.map(stream.table, 0x1000, to: 0x5000, attributes: LeafBits.stage1 & ~(1 << 10))
        let unaccessed = machine.fault(1, 0x1000)
        machine.smmu.memory[leaf] |= 1 << 10
        let pa = machine.pa(1, 0x1000)
        #expect(unmapped?.id == .translation && unaccessed?.id == .access && pa == 0x5000)
    }

    @Test("tlb.faults-not-kept: a nested page whose stage 2 was missing is found once it is there")
    func nestedFaultsNotKept() {
        var machine = Machine()
        let stream = machine.addNestedStream(1)
        machine.map(stream.table, 0x1000, to: 0x8000_0000)
        let fault = machine.fault(1, 0x1000)
        machine.map(stream.stage2, 0x8000_0000, to: 0x9000_0000)
        let pa = machine.pa(1, 0x1000)
        #expect(fault?.stage2 == true && pa == 0x9000_0000)
    }

    @Test("tlb.permissions-kept: a hit faults as the walk would, and for what the tables said when it was read")
    func permissionsKept() {
        var machine = Machine()
        let stream = machine.addStage1Stream(1)
        let readOnly = LeafBits.stage1 | 1 << 7
        let leaf = machine.map(stream.table, 0x1000, to: 0x5000, attributes: readOnly)
        let walked = machine.fault(1, 0x1000, write: true)
        let read = machine.pa(1, 0x1000)
        let hit = machine.fault(1, 0x1000, write: true)
        #expect(walked?.id == .permission && hit == walked && read == 0x5000)
        machine.smmu.memory[leaf] &= ~(1 << 7)
        let stale = machine.fault(1, 0x1000, write: true)
        #expect(stale == walked)
        machine.run(.tlbi(.tlbiNHVA, asid: 1, address: 0x1000))
        let written = machine.pa(1, 0x1000, write: true)
        #expect(written == 0x5000)
    }

    @Test("tlb.s2-fault-on-hit: a hit that stage 2 forbids to write names stage 2 and the IPA, as the walk does")
    func stage2FaultOnHit() {
        var machine = Machine()
        let stream = machine.addNestedStream(1)
        machine.map(stream.table, 0x1000, to: 0x8000_3000)
        machine.map(stream.stage2, 0x8000_3000, to: 0x9000_0000, attributes: LeafBits.stage2 & ~(1 << 7))
        let walked = machine.fault(1, 0x1abc, write: true)
        let readsBefore = machine.smmu.memory.reads
        let hit = machine.fault(1, 0x1abc, write: true)
        #expect(machine.smmu.memory.reads == readsBefore)
        #expect(hit == walked && hit?.id == .permission)
        #expect(hit?.stage2 == true && hit?.eventClass == .input && hit?.ipa == 0x8000_3000)
    }

    @Test(
        "tlb.s2-ipa-nested: TLBI_S2_IPA alone leaves a nested translation, NH_ALL after it makes the new stage 2 be used"
    )
    func stage2BelowNested() {
        var machine = Machine()
        let stream = machine.addNestedStream(1, vmid: 5)
        machine.map(stream.table, 0x1000, to: 0x8000_0000)
        let leaf = machine.map(stream.stage2, 0x8000_0000, to: 0x9000_0000)
        let first = machine.pa(1, 0x1000)
        machine.smmu.memory[leaf] ^= 0x3000_0000
        machine.run(.tlbi(.tlbiS2IPA, vmid: 5, address: 0x8000_0000))
        let between = machine.pa(1, 0x1000)
        machine.run(.tlbi(.tlbiNHAll, vmid: 5))
        let after = machine.pa(1, 0x1000)
        #expect(first == 0x9000_0000 && between == first && after == 0xa000_0000)
    }

    @Test("tlb.shared-by-vmid: streams of one VMID and ASID share what either has read; other VMIDs and ASIDs do not")
    func sharing() {
        var machine = Machine()
        let own = machine.addStage1Stream(1, asid: 1, vmid: 1)
        machine.map(own.table, 0x1000, to: 0x5000)
        for (stream, asid, vmid) in [(UInt32(2), UInt16(1), UInt16(1)), (3, 2, 1), (4, 1, 2)] {
            let other = machine.addStage1Stream(stream, asid: asid, vmid: vmid)
            machine.map(other.table, 0x1000, to: UInt64(stream) << 16)
        }
        let first = machine.pa(1, 0x1000)
        let shared = machine.pa(2, 0x1000)
        let otherASID = machine.pa(3, 0x1000)
        let otherVMID = machine.pa(4, 0x1000)
        #expect(first == 0x5000 && shared == 0x5000)
        #expect(otherASID == 0x3_0000 && otherVMID == 0x4_0000)
    }

    @Test(
        "tlb.eviction: with room for eight, the oldest of nine goes and is walked again, and every answer stays right")
    func eviction() {
        var machine = Machine(capacity: SMMUCapacity(tlb: 8))
        let stream = machine.addStage1Stream(1)
        for page in 0..<9 as Range<UInt64> { machine.map(stream.table, page << 12, to: 0x5000_0000 + page << 12) }
        for page in 0..<8 as Range<UInt64> {
            let pa = machine.pa(1, page << 12)
            #expect(pa == 0x5000_0000 + page << 12)
        }
        #expect(machine.smmu.cachedCounts.tlb == 8)
        for page in 0..<9 as Range<UInt64> { machine.map(stream.table, page << 12, to: 0x6000_0000 + page << 12) }
        let ninth = machine.pa(1, 8 << 12)
        #expect(ninth == 0x6000_8000)
        for page in 1..<8 as Range<UInt64> {
            let pa = machine.pa(1, page << 12)
            #expect(pa == 0x5000_0000 + page << 12, "still cached")
        }
        let oldest = machine.pa(1, 0)
        #expect(oldest == 0x6000_0000)
        #expect(machine.smmu.cachedCounts.tlb == 8)
    }

    @Test("tlb.eviction: no more translations than there is room for, whatever is asked, and all answers right")
    func bounded() {
        let capacity = SMMUCapacity(tlb: 64, streamTableEntries: 16, contextDescriptors: 16, atc: 32)
        var machine = Machine(capacity: capacity)
        var wrong = 0
        for stream in 0..<64 as Range<UInt32> {
            let table = machine.addStage1Stream(stream, asid: UInt16(stream)).table
            machine.map(table, 0, to: UInt64(stream + 1) << 30, level: 1)
            machine.map(table, 1 << 30, to: 0x40_0000_0000, level: 1)
            for page in 0..<1024 as Range<UInt64> { machine.map(table, 2 << 30 + page << 12, to: page << 12) }
            var ste = machine.ste(stream)
            ste.atsMode = .full
            machine.setSTE(stream, ste)
        }
        for number in 0..<100_000 as Range<UInt64> {
            let stream = UInt32(truncatingIfNeeded: number % 64)
            let page = (number / 64) % 1024
            let transaction = Transaction(StreamID(stream), 2 << 30 + page << 12 | number & 0xfff)
            let result = number % 2 == 0 ? machine.smmu.translate(transaction) : machine.smmu.accessWithATS(transaction)
            let expected = page << 12 | number & 0xfff
            switch result {
            case .translated(let answer) where answer.pa == expected: break
            case .bypassed(let pa) where pa == expected && number % 2 == 1: break
            default: wrong += 1
            }
            let counts = machine.smmu.cachedCounts
            if counts.tlb > 64 || counts.streams > 16 || counts.contexts > 16 || counts.atc > 32 { wrong += 1 }
        }
        #expect(wrong == 0)
        let counts = machine.smmu.cachedCounts
        #expect(counts == (64, 16, 16, 32))
    }
}

import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// Every TLBI, each against translations of every regime, VMID, ASID, granule, level and stage: what it covers goes, and
/// nothing else does.
@Suite struct TLBInvalidationTests {
    private func check(_ test: TLBCase) {
        var universe = TLBUniverse()
        universe.machine.smmu.registers.e2h = test.e2h
        let error = universe.machine.run(test.command)
        #expect(error == .none)
        let (fresh, wrong) = universe.dropped()
        let expected = universe.names(test.drops)
        #expect(wrong.isEmpty)
        #expect(fresh.subtracting(expected).sorted() == [], "dropped, but not covered")
        #expect(expected.subtracting(fresh).sorted() == [], "covered, but still there")
        for pattern in test.drops { #expect(!universe.names([pattern]).isEmpty, "\(pattern) names nothing") }
    }

    @Test("tlb.stale-until-invalidated: without an invalidation every translation that changed in memory stays in use")
    func nothingInvalidated() {
        var universe = TLBUniverse()
        let (fresh, wrong) = universe.dropped()
        #expect(fresh.isEmpty && wrong.isEmpty)
        universe.machine.smmu.invalidateEverything()
        let after = universe.dropped()
        #expect(after.fresh.count == universe.probes.count)
    }

    @Test(
        "tlb.nh-all, tlb.s12-vmall, tlb.nsnh-all, tlb.other-vmid-kept: what is invalidated as a whole goes, all of it",
        arguments: TLBCases.wholes)
    func wholes(_ test: TLBCase) { check(test) }

    @Test(
        "tlb.nh-asid, tlb.other-asid-kept: an ASID goes with what it made, global pages among it",
        arguments: TLBCases.asids)
    func asids(_ test: TLBCase) { check(test) }

    @Test(
        "tlb.nh-va, tlb.nh-vaa, tlb.other-address-kept, tlb.global: one address goes, in one ASID or in all",
        arguments: TLBCases.addresses)
    func addresses(_ test: TLBCase) { check(test) }

    @Test(
        "tlb.block: any address inside a block, first to last, drops it; its neighbours do not",
        arguments: TLBCases.blocks)
    func blocks(_ test: TLBCase) { check(test) }

    @Test(
        "tlb.nh-va-range, tlb.nh-vaa-range: a range drops its first, inner and last page in each granule, and no other",
        arguments: TLBCases.ranges)
    func ranges(_ test: TLBCase) { check(test) }

    @Test("tlb.ttl: TTL drops leaves of its level, 0 those of any", arguments: TLBCases.levels)
    func levels(_ test: TLBCase) { check(test) }

    @Test(
        "tlb.el2-all, tlb.el2-asid, tlb.el2-va, tlb.el2-vaa: EL2 commands follow E2H and touch EL2 alone",
        arguments: TLBCases.hyp)
    func hyp(_ test: TLBCase) { check(test) }

    @Test(
        "tlb.s2-ipa, tlb.s2-ipa-range: an IPA goes where stage 2 alone translates, in its VMID",
        arguments: TLBCases.stage2)
    func stage2(_ test: TLBCase) { check(test) }

    @Test("tlb.configuration-apart: no other command drops a translation", arguments: TLBCases.others)
    func others(_ test: TLBCase) { check(test) }

    @Test("tlb.leaf: Leaf drops the translations of the address whether 0 or 1", arguments: [false, true])
    func leaf(_ leaf: Bool) {
        let at = TLBUniverse.at
        check(TLBCase("VA", .tlbi(.tlbiNHVA, vmid: 1, asid: 1, address: at, leaf: leaf), drops: ["v1a1.at"]))
        check(TLBCase("IPA", .tlbi(.tlbiS2IPA, vmid: 1, address: at, leaf: leaf), drops: ["s2v1.at"]))
        check(TLBCase("EL2", .tlbi(.tlbiEL2VA, address: at, leaf: leaf), drops: ["el2.at"]))
    }

    @Test("tlb.leaf: after a table descriptor changed, Leaf=0 makes the walk go through the new table")
    func newTable() {
        var machine = Machine()
        let stream = machine.addStage1Stream(1)
        machine.map(stream.table, 0x1000, to: 0x5000_0000)
        let first = machine.pa(1, 0x1000)
        let pointer = machine.descriptorAddress(stream.table, 0x1000, level: 2)
        machine.smmu.memory[pointer] = 0
        machine.map(stream.table, 0x1000, to: 0x6000_0000)
        machine.run(.tlbi(.tlbiNHVA, asid: 1, address: 0x1000, leaf: false))
        let second = machine.pa(1, 0x1000)
        #expect(first == 0x5000_0000 && second == 0x6000_0000)
    }
}

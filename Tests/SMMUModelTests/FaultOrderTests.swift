import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// Of several things that are wrong, the one that is reported.
@Suite struct FaultOrderTests {
    @Test("order.config-before-cd, order.one-event: mended one by one, faults come in the architecture's order")
    func mendingOneByOne() {
        var machine = Machine()
        machine.smmu.registers.recordInvalidStreamIDs = true
        let stage2 = machine.stage2Table()
        let space = machine.stage1Table()
        let table = machine.contextTable(.leaves4K, log2Size: 10)
        let cd = machine.setCD(table, 0x45, ContextDescriptor())
        let level1 = machine.level1Address(table, 0x45)
        let descriptor = machine.smmu.memory[level1]
        machine.smmu.memory[level1] = 0
        let good = machine.nestedSTE(context: 0, stage2).using(table, default: .terminate)
        let ste = Machine.streamTable + 5 * 64
        var reported: [EventID?] = []
        /// Asks for the fault, which must be the only event.
        func next(_ machine: inout Machine) {
            let fault = machine.fault(5, 0x1000, ssid: 0x45)
            let events = machine.takeEvents()
            #expect(events == (fault.map { [$0] } ?? []))
            reported.append(fault?.id)
        }
        machine.smmu.registers.streamTableBaseConfig = 2
        machine.smmu.memory.holes = [ste >> 12, table.base >> 12, cd >> 12, space.base >> 12]
        next(&machine)
        machine.smmu.registers.streamTableBaseConfig = 8
        next(&machine)
        machine.smmu.memory.holes.remove(ste >> 12)
        next(&machine)
        var small = good
        small.s1CDMax = 6
        machine.setSTE(5, small)
        next(&machine)
        machine.smmu.invalidateEverything()
        machine.setSTE(5, good)
        // Stage 2 has nothing for the level-1 CD descriptor, then nothing for the CD.
        next(&machine)
        machine.map(stage2, table.base, to: table.base)
        next(&machine)
        machine.smmu.memory.holes.remove(table.base >> 12)
        next(&machine)
        machine.smmu.memory[level1] = descriptor
        next(&machine)
        machine.map(stage2, cd, to: cd)
        next(&machine)
        machine.smmu.memory.holes.remove(cd >> 12)
        next(&machine)
        machine.smmu.memory.store(machine.cd(space).words, at: cd)
        next(&machine)
        machine.map(stage2, space.base, to: space.base)
        next(&machine)
        machine.smmu.memory.holes = []
        next(&machine)
        #expect(
            reported == [
                .badStreamID, .steFetch, .badSTE, .badSubstreamID, .translation, .cdFetch, .badSubstreamID,
                .translation,
                .cdFetch, .badCD, .translation, .walkExternalAbort, .translation,
            ])
    }

    /// A stream with one page, stage 1 or stage 2 alone, whose output size is 44 bits.
    private struct Leaf: ~Copyable {
        var machine = Machine(capacity: .small)
        let at: UInt64
        let stage2: Bool

        static let address: UInt64 = 0x12_3456_7000

        init(stage2: Bool) {
            self.stage2 = stage2
            let table = stage2 ? machine.stage2Table() : machine.stage1Table()
            at = machine.map(table, Self.address, to: 0x8000_0000)
            if stage2 {
                machine.setSTE(1, machine.stage2STE(table, ps: 4))
            } else {
                machine.setSTE(1, machine.stage1STE(context: machine.place(machine.cd(table, ips: 4))))
            }
        }

        mutating func fault(_ word: UInt64) -> EventID? {
            machine.smmu.memory[at] = word
            machine.smmu.invalidateEverything()
            return machine.fault(1, Self.address, write: true)?.id
        }
    }

    @Test(
        "order.translation-first, order.addr-size-before-access, order.access-before-permission: all four in one leaf",
        arguments: [false, true])
    func leafFaults(stage2: Bool) {
        var leaf = Leaf(stage2: stage2)
        // Read-only: a write is forbidden.
        let forbidding: UInt64 = stage2 ? 1 << 6 | 0xf << 2 : 1 << 6 | 1 << 7
        let (af, beyond, page) = (UInt64(1) << 10, UInt64(1) << 44, UInt64(0x8000_0003))
        let words = [
            page & ~1 | beyond | forbidding, page & ~2 | beyond | forbidding, page | beyond | forbidding,
            page | beyond | forbidding | af, page | forbidding, page | forbidding | af,
        ]
        var found: [EventID?] = []
        for word in words { found.append(leaf.fault(word)) }
        #expect(found == [.translation, .translation, .addressSize, .addressSize, .access, .permission])
    }

    @Test(
        "order.table-address: a next table beyond the output size is F_ADDR_SIZE, and is not read",
        arguments: [false, true], 44..<48)
    func nextTableBeyond(stage2: Bool, bit: UInt64) {
        var machine = Machine(capacity: .small)
        let table = stage2 ? machine.stage2Table() : machine.stage1Table()
        let at = machine.descriptorAddress(table, 0x12_3456_7000, level: 2)
        machine.setSTE(
            1,
            stage2
                ? machine.stage2STE(table, ps: 4)
                : machine.stage1STE(context: machine.place(machine.cd(table, ips: 4))))
        // The table would be there, and would have a page.
        let next = UInt64(1) << bit
        machine.smmu.memory[at] = next | 3
        machine.smmu.memory[next + (0x12_3456_7000 >> 12 & 0x1ff) * 8] =
            0x8000_0003 | (stage2 ? LeafBits.stage2 : LeafBits.stage1)
        let trace = machine.trace(1, 0x12_3456_7000)
        #expect(trace.fault?.id == .addressSize && trace.fault?.stage2 == stage2 && trace.fault?.eventClass == .input)
        #expect(trace.descriptors.last?.level == 2)
        // One bit less, and all is well.
        machine.smmu.memory[at] = 1 << 43 | 3
        machine.smmu.memory[1 << 43 + (0x12_3456_7000 >> 12 & 0x1ff) * 8] =
            0x8000_0003 | (stage2 ? LeafBits.stage2 : LeafBits.stage1)
        let inside = machine.trace(1, 0x12_3456_7000)
        #expect(inside.pa == 0x8000_0000)
    }

    @Test("order.stage1-before-stage2: a fault of the stage 1 leaf comes before anything of its IPA")
    func stage1First() {
        var machine = Machine()
        let stream = machine.addNestedStream(1)
        // Stage 2 has nothing at 0x8000_0000.
        let leaf = machine.map(stream.table, 0x5000, to: 0x8000_0000)
        let good = machine.smmu.memory[leaf]
        for (word, id) in [
            (0, .translation), (good | 1 << 47 | 1 << 46, .translation), (good & ~(1 << 10), .access),
            (good | 1 << 7, .permission), (good, .translation),
        ] as [(UInt64, EventID)] {
            machine.smmu.memory[leaf] = word
            let trace = machine.trace(1, 0x5000, write: true)
            #expect(trace.fault?.id == id)
            let reached = word & 1 != 0 && id == .translation
            #expect(trace.fault?.stage2 == reached)
        }
    }

    @Test("order.one-event: a fault of a warm stream records one event each time")
    func oneEventEach() {
        var machine = Machine()
        let stream = machine.addNestedStream(1)
        machine.map(stream.table, 0x5000, to: 0x8000_0000)
        machine.map(stream.stage2, 0x8000_0000, to: 0x9000_0000, attributes: LeafBits.stage2 & ~(1 << 7))
        let pa = machine.pa(1, 0x5000)
        #expect(pa == 0x9000_0000)
        for number in 1...5 {
            let faults = [
                machine.fault(1, 0x5000, write: true), machine.fault(1, 0x6000), machine.fault(1, 0x5000, ssid: 1),
            ]
            let events = machine.takeEvents()
            #expect(events == faults.compactMap { $0 } && events.count == 3, "round \(number)")
        }
    }
}

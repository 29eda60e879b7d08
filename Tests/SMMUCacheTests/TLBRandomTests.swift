import ModelMachine
import SMMUModel
import SMMUv3
import Scenarios
import Testing

/// Random mappings, accesses and invalidations, against a shadow of what may be cached.
@Suite struct TLBRandomTests {
    /// Several streams on a machine, and their address spaces. Streams 1 and 6 share one.
    private struct World: ~Copyable {
        var machine: Machine
        var random: SplitMix64
        var spaces: [SpaceShadow] = []
        var tables: [TestTable] = []
        /// Stream and index of its space.
        var streams: [(stream: UInt32, space: Int)] = []

        init(seed: UInt64, tlb: Int) {
            machine = Machine(capacity: SMMUCapacity(tlb: tlb, streamTableEntries: 3, contextDescriptors: 3))
            random = SplitMix64(seed: seed)
            let stage1: [(UInt32, UInt16, UInt16)] = [(1, 1, 1), (2, 1, 2), (3, 2, 1)]
            for (stream, vmid, asid) in stage1 {
                let added = machine.addStage1Stream(stream, asid: asid, vmid: vmid)
                if stream == 1 { machine.setSTE(6, machine.ste(1)) }
                add(stream, added.table, SpaceShadow(vmid: vmid, asid: asid))
            }
            streams.append((6, 0))
            let nested = machine.addNestedStream(4, asid: 3, vmid: 1)
            for gigabyte in 1..<64 as Range<UInt64> {
                machine.map(nested.stage2, gigabyte << 30, to: gigabyte << 30, level: 1)
            }
            add(4, nested.table, SpaceShadow(vmid: 1, asid: 3))
            let stage2 = machine.stage2Table()
            machine.setSTE(5, machine.stage2STE(stage2, vmid: 1))
            add(5, stage2, SpaceShadow(vmid: 1, asid: nil))
        }

        private mutating func add(_ stream: UInt32, _ table: TestTable, _ space: SpaceShadow) {
            streams.append((stream, spaces.count))
            tables.append(table)
            spaces.append(space)
        }

        /// One of 16 pages in four regions of 2 MB, of which the last two lie side by side.
        mutating func page() -> UInt64 {
            let regions: [UInt64] = [0x4000_0000, 0x4060_0000, 0x8000_0000, 0x8020_0000]
            return random.pick(regions) + random.pick([0, 0x1000, 0x2000, 0x1f_f000])
        }

        mutating func remap() {
            let space = random.below(spaces.count)
            let level = random.chance(70) ? 3 : 2
            let address = level == 3 ? page() : page() & ~0x1f_ffff
            let table = tables[space]
            if random.chance(20) {
                let at = machine.descriptorAddress(table, address, level: level)
                machine.smmu.memory[at] = 0
                return spaces[space].clear(address, level: level)
            }
            let output = (1 << 30) + random.bits(14) << 21
            let global = !table.stage2 && random.chance(30)
            let bits = global ? LeafBits.stage1 & ~(1 << 11) : nil
            machine.map(table, address, to: output, level: level, attributes: bits)
            spaces[space].set(.init(first: address, output: output, level: level, global: global))
        }

        /// False when the answer is neither what is mapped now nor what may still be cached.
        mutating func access() -> Bool {
            let (stream, space) = random.pick(streams)
            let address = page() | random.bits(12)
            let result = machine.translate(stream, address, write: random.chance(50))
            switch result {
            case .translated(let translation): return spaces[space].accepts(translation.pa, at: address)
            case .faulted(let termination) where termination.record.id == .translation:
                return spaces[space].accepts(nil, at: address)
            default: return false
            }
        }

        mutating func invalidate() {
            if random.chance(15) {
                let others: [Command] = [
                    .cfgiAll, .cfgiSTE(StreamID(1)), .cfgiCDAll(StreamID(2)), .tlbi(.tlbiEL2All), .atcInv(StreamID(1)),
                ]
                machine.run(random.pick(others))
                return
            }
            let opcodes: [Command.Opcode] = [
                .tlbiNHAll, .tlbiNHASID, .tlbiNHVA, .tlbiNHVA, .tlbiNHVAA, .tlbiS12VMAll, .tlbiS2IPA, .tlbiNSNHAll,
            ]
            let spans: [Command.Span] = [
                .page, .init(granule: .k4, num: 1), .init(granule: .k4, num: 31, scale: 5),
                .init(granule: .k4, ttl: 3), .init(granule: .k4, ttl: 2), .init(granule: .k4, num: 2, ttl: 3),
                .init(granule: .k16, num: 3), .init(granule: .k4, scale: 18),
            ]
            let command = ShadowInvalidation(
                opcode: random.pick(opcodes), vmid: UInt16(random.within(1...2)), asid: UInt16(random.within(1...3)),
                address: page(), span: random.pick(spans))
            machine.run(command.command)
            for index in spaces.indices { spaces[index].invalidate(command) }
        }
    }

    @Test(
        "tlb.stale-until-invalidated, tlb.faults-not-kept: every answer is true, or was true since the last invalidation",
        arguments: [UInt64(1), 2, 3, 4], [4, 512])
    func answers(_ seed: UInt64, _ capacity: Int) {
        var world = World(seed: seed, tlb: capacity)
        var wrong: [Int] = []
        for step in 0..<6000 {
            switch world.random.below(100) {
            case 0..<25: world.remap()
            case 25..<85: if !world.access() { wrong.append(step) }
            default: world.invalidate()
            }
            if world.machine.smmu.cachedCounts.tlb > capacity { wrong.append(step) }
            if step % 64 == 0 { _ = world.machine.takeEvents() }
        }
        #expect(wrong.isEmpty, "seed \(seed), capacity \(capacity)")
    }
}

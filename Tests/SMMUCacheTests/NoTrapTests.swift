import ModelMachine
import SMMUModel
import SMMUv3
import Scenarios
import Testing

/// Memory that has an arbitrary word at every address, and a hole now and then.
private struct ArbitraryMemory: PhysicalMemory {
    var seed: UInt64
    /// What was stored over it; forgotten when there is much of it.
    var words: [UInt64: UInt64] = [:]

    private func arbitrary(_ address: UInt64) -> UInt64 {
        var mixed = (address ^ seed) &* 0xff51_afd7_ed55_8ccd
        mixed = (mixed ^ mixed >> 33) &* 0xc4ce_b9fe_1a85_ec53
        return mixed ^ mixed >> 29
    }

    func loadWord(at address: UInt64) -> UInt64? {
        if let word = words[address] { return word }
        let word = arbitrary(address)
        if word >> 58 == 0 { return nil }
        // Most words look like a descriptor with the Access flag and an address of 40 bits.
        return word & 0x70_0000 == 0 ? word : (word | 0x443) & ~(0x7ff << 40)
    }

    mutating func storeWord(_ value: UInt64, at address: UInt64) -> Bool {
        if arbitrary(~address) >> 58 == 0 { return false }
        if words.count > 4096 { words.removeAll() }
        words[address] = value
        return true
    }
}

/// Whatever is in memory, in registers and in commands, the model goes on and stays within its bounds.
@Suite struct NoTrapTests {
    private struct World: ~Copyable {
        var smmu: SoftwareSMMU<ArbitraryMemory>
        var random: SplitMix64
        static var capacity: SMMUCapacity {
            SMMUCapacity(tlb: 32, streamTableEntries: 8, contextDescriptors: 8, atc: 16, stalled: 8)
        }

        init(seed: UInt64) {
            var random = SplitMix64(seed: seed)
            var ids = IDRegisters.everything
            if seed % 2 == 0 {
                ids.idr0 ^= UInt32(truncatingIfNeeded: random.next())
                ids.idr3 = UInt32(truncatingIfNeeded: random.next())
                ids.idr5 = UInt32(truncatingIfNeeded: random.next())
                ids.idr1 = UInt32(truncatingIfNeeded: random.next())
            }
            smmu = SoftwareSMMU(memory: ArbitraryMemory(seed: seed), ids: ids, capacity: Self.capacity)
            self.random = random
            smmu.registers.cr0 = 0b11101
            smmu.registers.streamTableBase = 0x10_0000
            smmu.registers.streamTableBaseConfig = 4
        }

        mutating func word() -> UInt64 {
            switch random.below(4) {
            case 0: random.next()
            case 1: random.bits(random.within(1...63))
            case 2: UInt64.max << UInt64(random.below(64))
            default: 1 << UInt64(random.below(64))
            }
        }

        /// A command that is legal more often than not.
        mutating func command() -> Command {
            if random.chance(5) { return Command(d0: word(), d1: word()) }
            let opcode = UInt64(random.pick(Command.Opcode.allCases).rawValue)
            let small = random.bits(4) << 32 | random.bits(4) << 48 | random.bits(3) << 12 | random.bits(2) << 20
            return Command(d0: opcode | (random.chance(50) ? small : word() & ~0x4ff), d1: word())
        }

        /// An STE and a CD that have a chance of being legal.
        mutating func rewriteConfiguration() {
            let stream = random.below(16 as UInt64)
            let context = 0x20_0000 + stream << 12
            var ste = SIMD8<UInt64>(repeating: 0)
            let odd = random.chance(25)
            ste[0] = 1 | UInt64(random.within(4...7)) << 1 | context | (odd ? random.bits(2) << 4 : 0)
            ste[0] |= random.bits(2) << 59
            ste[1] = random.bits(2) | random.bits(1) << 28 | (odd ? random.next() : 0)
            ste[2] = random.bits(3) | (odd ? random.bits(6) : 24) << 32 | (odd ? random.bits(2) : 1) << 38
            ste[2] |= (odd ? random.bits(2) : 0) << 46 | 5 << 48 | 1 << 51 | (odd ? random.bits(8) << 52 : 0)
            ste[3] = word() & 0xff_ffff_ffff
            var cd = SIMD8<UInt64>(repeating: 0)
            cd[0] = 1 << 31 | (odd ? random.bits(6) : 16) | (odd ? random.bits(2) : 0) << 6 | random.bits(2) << 14
            cd[0] |= 25 << 16 | (odd ? random.bits(2) : 2) << 22 | random.bits(1) << 30 | 5 << 32
            cd[0] |= random.bits(6) << 35 | 1 << 41 | random.bits(3) << 44 | random.bits(3) << 48
            (cd[1], cd[2]) = (word() & 0xff_ffff_ffff, word() & 0xff_ffff_ffff)
            for index in 0..<8 {
                smmu.memory.words[0x10_0000 + stream * 64 + UInt64(index * 8)] = ste[index]
                smmu.memory.words[context + UInt64(index * 8)] = cd[index]
            }
        }

        mutating func scribbleRegisters() {
            if random.chance(60) {
                smmu.registers.cr0 = 0b11101
                smmu.registers.streamTableBase = 0x10_0000
                smmu.registers.streamTableBaseConfig = 4
                return
            }
            let value = UInt32(truncatingIfNeeded: word())
            switch random.below(12) {
            case 0: smmu.registers.cr0 = value
            case 1: smmu.registers.cr2 = value
            case 2: smmu.registers.gbpa = value
            case 3: smmu.registers.gerrorn = value
            case 4: smmu.registers.streamTableBase = word()
            case 5: smmu.registers.streamTableBaseConfig = value
            case 6: smmu.registers.commandQueueBase = word()
            case 7: smmu.registers.eventQueueBase = word()
            case 8: smmu.registers.eventQueueProd = value
            case 9: smmu.registers.eventQueueCons = value
            case 10: smmu.registers.irqControl = value
            default: smmu.disable()
            }
        }

        /// Commands in memory, and pointers that need not have anything to do with them.
        mutating func runQueue() -> Bool {
            let log2 = random.below(5)
            smmu.registers.commandQueueBase = 0x30_0000 | UInt64(log2)
            for index in 0..<UInt64(1 << log2) {
                let command = command()
                smmu.memory.words[0x30_0000 + index * 16] = command.d0
                smmu.memory.words[0x30_0008 + index * 16] = command.d1
            }
            if random.chance(10) { smmu.registers.commandQueueBase = word() }
            smmu.registers.commandQueueProd = UInt32(truncatingIfNeeded: word())
            smmu.registers.commandQueueCons = UInt32(truncatingIfNeeded: word())
            smmu.registers.acknowledge(.commandQueue)
            let largest = 2 << min(Int(smmu.registers.commandQueueBase & 31), 19)
            return smmu.processCommandQueue() <= largest
        }

        mutating func transact() {
            let stream = StreamID(random.chance(95) ? UInt32(random.below(18)) : UInt32(truncatingIfNeeded: word()))
            let substream =
                random.chance(70)
                ? nil : SubstreamID(UInt32(truncatingIfNeeded: random.chance(80) ? random.bits(2) : word()))
            let transaction = Transaction(
                stream, random.chance(60) ? random.bits(40) : word(), substreamID: substream, write: random.chance(50),
                privileged: random.chance(50),
                instruction: random.chance(20),
                kind: random.pick([.untranslated, .untranslated, .translated, .translationRequest]))
            _ = random.chance(75) ? smmu.translate(transaction) : smmu.accessWithATS(transaction)
            if random.chance(50) { _ = smmu.takeResumption() }
        }

        var withinBounds: Bool {
            let counts = smmu.cachedCounts
            let capacity = Self.capacity
            return counts.tlb <= capacity.tlb && counts.streams <= capacity.streamTableEntries
                && counts.contexts <= capacity.contextDescriptors && counts.atc <= capacity.atc
                && smmu.stalledCount <= capacity.stalled
        }
    }

    @Test(
        "tlb.eviction, stall.limit: arbitrary tables, registers, pointers and commands never take the model past its bounds",
        arguments: UInt64(1)...8)
    func arbitrary(_ seed: UInt64) {
        var world = World(seed: seed)
        var wrong = 0
        for _ in 0..<100_000 {
            switch world.random.below(100) {
            case 0..<55: world.transact()
            case 55..<80:
                let command = world.command()
                _ = world.smmu.execute(command)
            case 80..<86: world.rewriteConfiguration()
            case 86..<90: world.scribbleRegisters()
            case 90..<91: world.smmu.memory.seed = world.random.next()
            default: if !world.runQueue() { wrong += 1 }
            }
            if !world.withinBounds { wrong += 1 }
        }
        #expect(wrong == 0, "seed \(seed)")
    }
}

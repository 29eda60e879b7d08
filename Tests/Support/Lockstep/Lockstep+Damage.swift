import SMMUModel
import SMMUv3
package import Scenarios

extension Lockstep {
    /// Gives a word that some answer came from any value, or changes a few of its bits.
    package mutating func damage(using random: inout SplitMix64) {
        guard !asked.isEmpty else { return }
        let reads = random.pick(asked).reads
        guard !reads.isEmpty else { return }
        let pa = random.pick(reads)
        var value = random.next()
        if random.chance(70) {
            value = answerWord(pa)
            for _ in 0..<random.within(1...3) { value ^= 1 << random.below(UInt64(64)) }
        }
        note("[\(pa.hex)] = \(value.hex)")
        write(pa, value)
    }

    /// Executes a command of any content. None makes a difference to an answer, as long as memory says what it did.
    package mutating func runAnyCommand(using random: inout SplitMix64) {
        var command = Command(d0: random.next(), d1: random.next())
        if random.chance(90) {
            command.d0.setBits(7, 0, UInt64(random.pick(Command.Opcode.allCases).rawValue))
            command.d0.setBits(10, 8, 0)
        }
        if let question = asked.last?.question, random.chance(60) {
            command.d0.setBits(63, 32, UInt64(question.sid))
            command.d1 = question.iova & ~0xfff | command.d1 & 0xf01
        }
        note("command \(command.d0.hex) \(command.d1.hex): \(smmu.execute(command))")
    }

    private func answerWord(_ pa: UInt64) -> UInt64 { scenario.read(pa) ?? 0 }
}

extension Scenario {
    /// The registers with one field of any value.
    package func damagedRegisters(using random: inout SplitMix64) -> ScenarioRegisters {
        var damaged = registers
        switch random.below(5) {
        case 0: damaged.strtabBase = random.next()
        case 1: damaged.strtabBase ^= 1 << random.below(UInt64(52))
        case 2: damaged.strtabBaseCfg = UInt32(truncatingIfNeeded: random.next())
        case 3: damaged.cr2 ^= UInt32(random.below(UInt64(8)))
        default: (damaged.cr0, damaged.gbpa) = (damaged.cr0 ^ 1, UInt32(truncatingIfNeeded: random.next()))
        }
        return damaged
    }
}

import CSMMUBroker
import SMMUv3
import Testing

/// An opcode that the architecture reserves: for the broker to refuse.
private let unknown = Command(d0: 0xee, d1: 0)
private let dead = StreamID(0x666)

@Suite("Drain: errors")
struct DrainErrorTests {
    /// A broker that stops at unknown opcodes.
    private func strict(_ commands: [Command]) -> Answer {
        guard let index = commands.firstIndex(where: { $0.opcode == nil }) else { return .all(commands) }
        return .stopped(at: index, SMMU_BROKER_CERROR_ILL)
    }

    @Test("The queue stops at the command that the broker calls illegal", arguments: [0, 1, 4])
    func illegal(index: Int) {
        let vmm = FakeVMM()
        vmm.answer = strict
        vmm.produce(invalidations(0..<index) + [unknown] + invalidations(10..<12) + [.sync()])
        #expect(vmm.drain() == 0)
        #expect(vmm.cons == UInt32(index) && vmm.consumed == index && vmm.error == SMMU_BROKER_CERROR_ILL)
        #expect(vmm.packets.count == 1 && vmm.others.isEmpty)
        // The guest makes a SYNC of it, as Linux does, and does not repeat what stands before.
        vmm.put(.sync(), at: UInt32(index))
        #expect(vmm.drain() == 0)
        #expect(vmm.packets.last == invalidations(10..<12))
        #expect(vmm.error == SMMU_BROKER_CERROR_NONE && vmm.others.count == 2)
    }

    @Test("In the second packet of a long run the index counts from there")
    func illegalLater() {
        let vmm = FakeVMM()
        vmm.answer = strict
        vmm.capacity = 4
        vmm.produce(invalidations(0..<6) + [unknown])
        #expect(vmm.drain() == 0)
        #expect(vmm.cons == 6 && vmm.error == SMMU_BROKER_CERROR_ILL)
    }

    @Test(
        "What is illegal among the commands that the broker never sees stops the queue, after what stands before it",
        arguments: [
            (Command(d0: 0x03 | 1 << 10, d1: 0), 0), (Command(d0: 0x04 | 1 << 10, d1: 31), 0),
            (Command(d0: 0x01 | 1 << 10, d1: 0), 0), (Command(d0: 0x46 | 3 << 12, d1: 0), 0),
            (Command(d0: 0x44 | 5 << 32, d1: 0), 1 << 24), (Command(d0: 0x45 | 5 << 32, d1: 0), 1 << 24),
            (Command(d0: 0x44 | 1 << 10 | 5 << 32, d1: 0), 0),
        ] as [(Command, UInt32)])
    func ownIllegal(command: Command, idr0: UInt32) {
        let vmm = FakeVMM()
        vmm.idr0 = idr0
        vmm.streams = [0, 5]
        vmm.produce(invalidations(0..<2) + [command, .sync()])
        #expect(vmm.drain() == 0)
        #expect(vmm.cons == 2 && vmm.error == SMMU_BROKER_CERROR_ILL)
        #expect(vmm.packets == [invalidations(0..<2)] && vmm.others.isEmpty)
    }

    @Test("An entry that cannot be read stops the queue with an abort, after what stands before it")
    func unreadable() {
        let vmm = FakeVMM()
        vmm.produce(invalidations(0..<3) + [.sync()])
        vmm.memory[vmm.address(of: 2) + 8] = nil
        #expect(vmm.drain() == 0)
        #expect(vmm.cons == 2 && vmm.error == SMMU_BROKER_CERROR_ABT)
        #expect(vmm.packets == [invalidations(0..<2)] && vmm.others.isEmpty)
    }

    @Test("An illegal command before the unreadable one is the error that counts")
    func firstError() {
        let vmm = FakeVMM()
        vmm.answer = strict
        vmm.produce(invalidations(0..<1) + [unknown, .sync()])
        vmm.memory[vmm.address(of: 2)] = nil
        #expect(vmm.drain() == 0)
        #expect(vmm.cons == 1 && vmm.error == SMMU_BROKER_CERROR_ILL)
    }

    @Test("A failure that is not the guest's leaves CONS at the first command that is not complete")
    func hostFailure() {
        let vmm = FakeVMM()
        vmm.answer = { _ in Answer(status: -5, completed: 2) }
        vmm.produce(invalidations(0..<4) + [.sync()])
        #expect(vmm.drain() == -5)
        #expect(vmm.cons == 2 && vmm.error == SMMU_BROKER_CERROR_NONE && vmm.others.isEmpty)
        vmm.answer = Answer.all
        #expect(vmm.drain() == 0)
        #expect(vmm.packets.last == invalidations(2..<4))
        #expect(vmm.others == [.sync(0, 0, 0, cons: 5)])
    }

    @Test(
        "An answer that contradicts itself is a protocol error, and no command is passed that is not complete",
        arguments: [
            (Answer(completed: 1), 1), (Answer(completed: 4), 0), (.stopped(at: 3, SMMU_BROKER_CERROR_ILL), 3),
            (.stopped(at: 4, SMMU_BROKER_CERROR_ILL), 0), (.stopped(at: 1, smmu_broker_cerror(9)), 1),
        ] as [(Answer, UInt32)])
    func contradiction(answer: Answer, cons: UInt32) {
        let vmm = FakeVMM()
        vmm.answer = { _ in answer }
        vmm.produce(invalidations(0..<3) + [.sync()])
        #expect(vmm.drain() == -71)
        #expect(vmm.cons == cons && vmm.others.isEmpty)
    }
}

@Suite("Drain: ATC invalidations without answer")
struct DrainATCTests {
    /// A broker whose device 0x666 is dead; `counted`: it counts the command as done with.
    private func broker(counted: Bool) -> ([Command]) -> Answer {
        { commands in
            let index = commands.firstIndex { $0.opcode == .atcInv && $0.streamID == dead }
            guard let index else { return .all(commands) }
            return .stopped(at: counted ? index + 1 : index, SMMU_BROKER_CERROR_ATC_INV_SYNC, status: 110)
        }
    }

    @Test(
        "The SYNC behind it stops with the error, everything between is done, and the SYNC repeated succeeds",
        arguments: [false, true])
    func stopsAtSync(counted: Bool) {
        let vmm = FakeVMM()
        vmm.answer = broker(counted: counted)
        let (before, after) = (invalidations(0..<2), invalidations(2..<4))
        vmm.produce(before + [.atcInv(dead)] + after + [.sync(), .sync()])
        #expect(vmm.drain() == 0)
        #expect(vmm.cons == 5 && vmm.error == SMMU_BROKER_CERROR_ATC_INV_SYNC && vmm.others.isEmpty)
        #expect(vmm.packets == [before + [.atcInv(dead)] + after, after])
        #expect(vmm.drain() == 0)
        #expect(vmm.error == SMMU_BROKER_CERROR_NONE)
        #expect(vmm.others == [.sync(0, 0, 0, cons: 6), .sync(0, 0, 0, cons: 7)])
    }

    @Test("Two of them in one run are one error", arguments: [false, true])
    func two(counted: Bool) {
        let vmm = FakeVMM()
        vmm.answer = broker(counted: counted)
        vmm.produce(.atcInv(dead), .atcInv(StreamID(1)), .atcInv(dead), .sync())
        #expect(vmm.drain() == 0)
        #expect(vmm.cons == 3 && vmm.error == SMMU_BROKER_CERROR_ATC_INV_SYNC)
        #expect(vmm.drain() == 0)
        #expect(vmm.others == [.sync(0, 0, 0, cons: 4)])
    }

    @Test("A SYNC that comes with a later kick still tells", arguments: [false, true])
    func laterKick(counted: Bool) {
        let vmm = FakeVMM()
        vmm.answer = broker(counted: counted)
        vmm.produce(.atcInv(dead))
        #expect(vmm.drain() == 0)
        #expect(vmm.cons == 1 && vmm.error == SMMU_BROKER_CERROR_NONE && vmm.atcFailed == 1)
        vmm.produce(.sync())
        #expect(vmm.drain() == 0)
        #expect(vmm.cons == 1 && vmm.error == SMMU_BROKER_CERROR_ATC_INV_SYNC && vmm.others.isEmpty)
    }

    @Test("When the broker stops before a command that is no ATC_INV, that command is not passed")
    func notPassed() {
        let vmm = FakeVMM()
        vmm.answer = { _ in .stopped(at: 1, SMMU_BROKER_CERROR_ATC_INV_SYNC, status: 110) }
        vmm.produce(invalidations(0..<2) + [.atcInv(dead), .sync()])
        #expect(vmm.drain() == 0)
        #expect(vmm.cons == 1 && vmm.error == SMMU_BROKER_CERROR_ATC_INV_SYNC)
        vmm.answer = Answer.all
        #expect(vmm.drain() == 0)
        #expect(vmm.packets.last == invalidations(1..<2) + [.atcInv(dead)])
    }
}

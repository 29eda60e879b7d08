import CSMMUBroker
import SMMUv3
import Testing

/// Commands that differ, all of them the broker's to judge.
func invalidations(_ range: Range<Int>) -> [Command] {
    range.map { .tlbi(.tlbiNHVA, asid: 1, address: UInt64($0) << 12, leaf: true) }
}

@Suite("Drain: runs and packets")
struct DrainRunTests {
    @Test("What stands before a SYNC goes out as one packet, and the SYNC's signal comes after it")
    func oneRun() {
        let vmm = FakeVMM()
        let commands = invalidations(0..<3)
        vmm.produce(commands + [.sync()])
        #expect(vmm.drain() == 0)
        #expect(vmm.effects == [.packet(commands)] + commands.map(Effect.done) + [.sync(0, 0, 0, cons: 4)])
        #expect(vmm.cons == 4 && vmm.consumed == 4 && vmm.error == SMMU_BROKER_CERROR_NONE)
    }

    @Test("What no SYNC follows is sent all the same")
    func noSync() {
        let vmm = FakeVMM()
        vmm.produce(invalidations(0..<2))
        #expect(vmm.drain() == 0)
        #expect(vmm.packets == [invalidations(0..<2)])
        #expect(vmm.cons == 2)
    }

    @Test("A SYNC with nothing before it asks the broker nothing")
    func loneSync() {
        let vmm = FakeVMM()
        vmm.produce(.sync(), .sync())
        #expect(vmm.drain() == 0)
        #expect(vmm.effects == [.sync(0, 0, 0, cons: 1), .sync(0, 0, 0, cons: 2)])
    }

    @Test("An empty queue does nothing")
    func empty() {
        let vmm = FakeVMM()
        #expect(vmm.drain() == 0)
        #expect(vmm.effects.isEmpty && vmm.reads.isEmpty)
    }

    @Test("The index wraps at the queue's end and the wrap bit toggles, both ways")
    func wrap() {
        let vmm = FakeVMM(log2: 2)
        var expected: [[Command]] = []
        for round in 0..<5 {
            let commands = invalidations(round * 3..<round * 3 + 3)
            vmm.produce(commands)
            #expect(vmm.drain() == 0)
            expected.append(commands)
            #expect(vmm.cons == UInt32(round + 1) * 3 % 8)
        }
        #expect(vmm.packets == expected)
    }

    @Test("A queue of one entry works")
    func oneEntry() {
        let vmm = FakeVMM(log2: 0)
        for round in 0..<3 {
            vmm.produce(invalidations(round..<round + 1))
            #expect(vmm.drain() == 0)
        }
        #expect(vmm.packets == (0..<3).map { invalidations($0..<$0 + 1) })
        #expect(vmm.cons == 1)
    }

    @Test("A run longer than a packet may be is sent as several", arguments: [4096, 5000, 8192])
    func longRun(count: Int) {
        let vmm = FakeVMM(log2: 14)
        vmm.capacity = 10_000
        vmm.produce(invalidations(0..<count) + [.sync()])
        #expect(vmm.drain() == 0)
        #expect(vmm.packets.allSatisfy { $0.count <= 4096 })
        #expect(vmm.packets.count == (count + 4095) / 4096)
        #expect(vmm.packets.flatMap(\.self) == invalidations(0..<count))
        #expect(vmm.others == [.sync(0, 0, 0, cons: UInt32(count) + 1)])
    }

    @Test("The caller's room for a batch bounds the packets")
    func smallRoom() {
        let vmm = FakeVMM()
        vmm.capacity = 3
        vmm.produce(invalidations(0..<7) + [.sync()])
        #expect(vmm.drain() == 0)
        #expect(vmm.packets.map(\.count) == [3, 3, 1])
    }

    @Test("Every entry is read once")
    func readOnce() {
        let vmm = FakeVMM()
        vmm.streams = [1]
        vmm.produce(invalidations(0..<3) + [.cfgiSTE(StreamID(1)), .sync(), .prefetchConfig(StreamID(1))])
        #expect(vmm.drain() == 0)
        for position in 0..<6 { #expect(vmm.reads[vmm.address(of: UInt32(position))] == 1) }
    }

    @Test("PROD more than a queue ahead is believed for one queue's worth", arguments: [9, 12, 15] as [UInt32])
    func hostileProd(prod: UInt32) {
        let vmm = FakeVMM(log2: 3)
        vmm.produce(invalidations(0..<8))
        vmm.prod = prod
        #expect(vmm.drain() == 0)
        #expect(vmm.consumed == 8 && vmm.cons == 8)
        #expect(vmm.packets == [invalidations(0..<8)])
    }

    @Test("Bits of PROD above the wrap bit do not count")
    func highProd() {
        let vmm = FakeVMM(log2: 3)
        vmm.produce(invalidations(0..<2))
        vmm.prod |= 0xffff_fff0
        #expect(vmm.drain() == 0)
        #expect(vmm.cons == 2)
    }

    @Test("A limit ends the drain early, and the next goes on")
    func limit() {
        let vmm = FakeVMM()
        vmm.limit = 2
        vmm.produce(invalidations(0..<3) + [.sync()])
        #expect(vmm.drain() == 0)
        #expect(vmm.cons == 2 && vmm.others.isEmpty)
        #expect(vmm.drain() == 0)
        #expect(vmm.cons == 4 && vmm.others == [.sync(0, 0, 0, cons: 4)])
        #expect(vmm.packets == [invalidations(0..<2), invalidations(2..<3)])
    }

    @Test("A queue is no larger than IDR1.CMDQS says")
    func queueSize() {
        let vmm = FakeVMM(log2: 4)
        vmm.idr1 = 2 << 21 | 16
        vmm.produce(invalidations(0..<6))
        #expect(vmm.drain() == 0)
        // PROD 6 is index 2, wrap bit set, of a queue of 4.
        #expect(vmm.packets == [invalidations(0..<4)])
        #expect(vmm.cons == 4)
    }

    @Test("A structure without room for commands, or a queue beyond 2^19, is refused")
    func senseless() {
        let vmm = FakeVMM()
        vmm.produce(.sync())
        vmm.capacity = 0
        #expect(vmm.drain() == -22)
        vmm.capacity = 1
        vmm.idr1 = 31 << 21
        vmm.log2 = 20
        #expect(vmm.drain() == -22)
        #expect(vmm.effects.isEmpty)
    }
}

@Suite("Drain: SYNC signals")
struct DrainSignalTests {
    struct Row: Sendable {
        let command: Command
        var idr0: UInt32 = 1 << 13 | 1 << 14
        let signal: smmu_broker_signal
        var address: UInt64 = 0
        var data: UInt32 = 0
    }

    @Test(
        "A SYNC is signalled as CS and the ID registers say",
        arguments: [
            Row(command: .sync(), signal: SMMU_BROKER_SIGNAL_NONE),
            Row(command: Command(d0: 0x46 | 0xffff_ffff << 32, d1: 0xfff0), signal: SMMU_BROKER_SIGNAL_NONE),
            Row(command: .sync(.interrupt(address: 0, data: 5)), signal: SMMU_BROKER_SIGNAL_IRQ),
            Row(
                command: .sync(.interrupt(address: 0x8_0000_1004, data: 0xdead_beef)), signal: SMMU_BROKER_SIGNAL_MSI,
                address: 0x8_0000_1004, data: 0xdead_beef),
            Row(
                command: .sync(.interrupt(address: 0x1004, data: 5)), idr0: 1 << 14, signal: SMMU_BROKER_SIGNAL_IRQ),
            Row(command: Command(d0: 0x46 | 1 << 12, d1: 0x1007), signal: SMMU_BROKER_SIGNAL_MSI, address: 0x1004),
            Row(command: .sync(.event), signal: SMMU_BROKER_SIGNAL_SEV),
            Row(command: .sync(.event), idr0: 1 << 13, signal: SMMU_BROKER_SIGNAL_NONE),
        ])
    func signal(row: Row) {
        let vmm = FakeVMM()
        vmm.idr0 = row.idr0
        vmm.produce(row.command)
        #expect(vmm.drain() == 0)
        #expect(vmm.effects == [.sync(row.signal.rawValue, row.address, row.data, cons: 1)])
    }
}

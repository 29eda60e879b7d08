import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// How events reach the event queue, and what becomes of those that do not.
@Suite struct EventQueueTests {
    private static let overflow = UInt32(1) << 31

    /// Events of stream 1, which has no STE: each transaction one C_BAD_STE.
    private func fault(_ machine: inout Machine, _ count: Int) {
        for _ in 0..<count { _ = machine.fault(1, 0) }
    }

    @Test(
        "queue.wrap, queue.index: events go round the queue, PROD's wrap bit turning with each round", arguments: 0...4)
    func wrap(_ log2: Int) {
        var machine = Machine(eventsLog2: log2)
        let size = UInt32(1) << UInt32(log2)
        for number in 1...(5 * size) {
            fault(&machine, 1)
            #expect(machine.smmu.registers.eventQueueProd == number % (2 * size))
            let events = machine.takeEvents()
            #expect(events.map(\.id) == [.badSTE])
        }
        #expect(machine.smmu.memory[Machine.eventQueue + UInt64(size) * 32] == 0, "nothing is written behind the queue")
    }

    @Test("queue.entry-sizes: events stand 32 bytes apart from the base on")
    func entrySize() {
        var machine = Machine()
        fault(&machine, 3)
        let records = (0..<4).map { machine.smmu.memory[Machine.eventQueue + UInt64($0) * 32] & 0xff }
        #expect(records == [4, 4, 4, 0])
    }

    @Test("queue.overflow: an event for a full queue is dropped and turns OVFLG once until it is acknowledged")
    func overflow() {
        var machine = Machine(eventsLog2: 2)
        fault(&machine, 4)
        #expect(machine.smmu.registers.eventQueueProd == 4, "full, and nothing is lost yet")
        #expect(machine.smmu.lostEvents == 0)
        fault(&machine, 1)
        #expect(machine.smmu.registers.eventQueueProd == 4 | Self.overflow)
        fault(&machine, 3)
        #expect(machine.smmu.registers.eventQueueProd == 4 | Self.overflow)
        #expect(machine.smmu.lostEvents == 4, "each loss counts, told by OVFLG or not")
        machine.smmu.registers.eventQueueCons |= Self.overflow
        fault(&machine, 1)
        #expect(machine.smmu.registers.eventQueueProd == 4, "acknowledged, then lost again")
        fault(&machine, 1)
        #expect(machine.smmu.registers.eventQueueProd == 4)
    }

    @Test(
        "queue.overflow-ack: with room again events are written, acknowledged or not, and OVFLG stays in PROD",
        arguments: [true, false])
    func overflowAcknowledged(_ acknowledged: Bool) {
        var machine = Machine(eventsLog2: 2)
        fault(&machine, 6)
        let lost = machine.takeEvents()
        if acknowledged { machine.smmu.registers.eventQueueCons |= Self.overflow }
        fault(&machine, 2)
        #expect(machine.smmu.registers.eventQueueProd == 6 | Self.overflow)
        let after = machine.takeEvents()
        #expect(lost.count == 4 && after.count == 2)
    }

    @Test(
        "queue.event-write-abort: an event that cannot be written raises EVENTQ_ABT; nothing comes until it is acknowledged"
    )
    func writeAbort() {
        var machine = Machine()
        machine.smmu.memory.holes = [Machine.eventQueue >> 12]
        fault(&machine, 1)
        #expect(machine.smmu.registers.isActive(.eventQueueAbort) && machine.smmu.registers.eventQueueProd == 0)
        #expect(machine.smmu.interrupts == .globalError)
        machine.smmu.memory.holes = []
        fault(&machine, 1)
        #expect(machine.smmu.registers.eventQueueProd == 0, "unacknowledged")
        machine.smmu.registers.acknowledge(.eventQueueAbort)
        fault(&machine, 1)
        let events = machine.takeEvents()
        #expect(events.count == 1)
    }

    @Test(
        "queue.event-write-abort: what is lost while an abort is unacknowledged is no overflow, even when the queue is full"
    )
    func abortIsNoOverflow() {
        var machine = Machine(eventsLog2: 1)
        fault(&machine, 2)
        machine.smmu.registers.raise(.eventQueueAbort)
        fault(&machine, 3)
        #expect(machine.smmu.registers.eventQueueProd == 2)
    }

    @Test("reg.eventq-disabled: with EVENTQEN 0 events are dropped without a trace")
    func disabled() {
        var machine = Machine(eventsLog2: 0)
        machine.smmu.registers.eventQueueEnabled = false
        fault(&machine, 3)
        #expect(machine.smmu.registers.eventQueueProd == 0 && machine.smmu.memory[Machine.eventQueue] == 0)
        #expect(machine.smmu.interrupts.isEmpty && machine.smmu.registers.gerror == 0)
        machine.smmu.registers.eventQueueEnabled = true
        let events = machine.takeEvents()
        #expect(events.isEmpty)
    }

    @Test("reg.queue-base: event queue address bits below its size, and those above 51, do not take part")
    func base() {
        var machine = Machine()
        machine.smmu.registers.eventQueueBase |= 0x7e0 | 1 << 62 | 0xff << 53
        fault(&machine, 1)
        #expect(machine.smmu.memory[Machine.eventQueue] & 0xff == 4)
    }
}

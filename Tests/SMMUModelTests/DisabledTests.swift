import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// An SMMU that is off.
@Suite struct DisabledTests {
    @Test("reg.smmu-off-bypass: off, addresses pass as they are, whatever tables and caches say")
    func bypass() {
        var machine = Machine()
        let stream = machine.addStage1Stream(1)
        machine.map(stream.table, 0x1000, to: 0x8000_0000)
        let translated = machine.pa(1, 0x1008)
        #expect(translated == 0x8000_0008)
        machine.smmu.registers.smmuEnabled = false
        let reads = machine.smmu.memory.reads
        for (stream, address) in [(UInt32(1), UInt64(0x1008)), (1, 0), (7, 0xffff_ffff_fff8), (.max, 0x2000)] {
            let result = machine.translate(stream, address, ssid: 9, write: true)
            #expect(result == .bypassed(pa: address))
        }
        let readsAfter = machine.smmu.memory.reads
        #expect(readsAfter == reads)
        let beyond = machine.translate(1, 1 << 48)
        #expect(beyond == .aborted)
        let events = machine.takeEvents()
        #expect(events.isEmpty)
        machine.smmu.registers.smmuEnabled = true
        let again = machine.pa(1, 0x1008)
        #expect(again == 0x8000_0008)
    }

    @Test("reg.smmu-off-abort: off with GBPA.ABORT, every transaction aborts without an event")
    func abort() {
        var machine = Machine()
        let stream = machine.addStage1Stream(1)
        machine.map(stream.table, 0x1000, to: 0x8000_0000)
        machine.smmu.registers.smmuEnabled = false
        machine.smmu.registers.gbpaAbort = true
        for address in [UInt64(0), 0x1000, .max] {
            let results = [machine.translate(1, address), machine.translate(99, address, ssid: 1, write: true)]
            #expect(results == [.aborted, .aborted])
        }
        let (reads, events) = (machine.smmu.memory.reads, machine.takeEvents())
        #expect(reads == 0 && events.isEmpty)
        // GBPA says nothing while the SMMU is on.
        machine.smmu.registers.smmuEnabled = true
        let pa = machine.pa(1, 0x1000)
        #expect(pa == 0x8000_0000)
    }
}

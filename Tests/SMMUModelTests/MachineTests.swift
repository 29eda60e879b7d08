import ModelMachine
import SMMUModel
import SMMUv3
import Testing

@Suite struct MachineTests {
    @Test("nested.final-ipa: stage 1 gives an IPA, stage 2 the physical address, and a hole in stage 2 is its fault")
    func nestedStream() {
        var machine = Machine()
        let stream = machine.addNestedStream(3)
        machine.map(stream.table, 0x1000, to: 0x8000_0000)
        machine.map(stream.stage2, 0x8000_0000, to: 0x12_3400_0000, level: 2)
        let pa = machine.pa(3, 0x1234)
        #expect(pa == 0x12_3400_0234)
        machine.map(stream.table, 0x2000, to: 0x9000_0000)
        let fault = machine.fault(3, 0x2000, write: true)
        #expect(fault?.id == .translation && fault?.stage2 == true && fault?.ipa == 0x9000_0000)
        let events = machine.takeEvents()
        #expect(events == [fault])
    }
}

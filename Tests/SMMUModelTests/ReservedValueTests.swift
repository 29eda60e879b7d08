import ModelMachine
import SMMUModel
import SMMUv3
import Testing

struct ReservedValueTests {
    /// A stream with four CDs in a linear table, each with a page of its own at 0x1000.
    private func machine(_ change: (inout StreamTableEntry) -> Void) -> Machine {
        var machine = Machine()
        var cds: [ContextDescriptor] = []
        for number in 0..<UInt64(4) {
            let table = machine.stage1Table()
            machine.map(table, 0x1000, to: 0x8000_0000 + number << 12)
            cds.append(machine.cd(table, asid: UInt16(number + 1)))
        }
        var entry = machine.stage1STE(context: machine.place(cds[0], cds[1], cds[2], cds[3]))
        entry.s1CDMax = 2
        change(&entry)
        machine.setSTE(3, entry)
        return machine
    }

    @Test("ste.illegal-s1dss: S1Fmt 3 is a linear table, S1DSS 3 terminates, EATS 3 refuses ATS, as their 0 does")
    func reservedValues() {
        for format in [0, 3] {
            var machine = machine { $0.s1Format = format }
            for number in UInt32(0)..<4 {
                let pa = machine.pa(3, 0x1000, ssid: number)
                #expect(pa == 0x8000_0000 + UInt64(number) << 12, "S1Fmt \(format), SubstreamID \(number)")
            }
        }
        for substream in [StreamTableEntry.DefaultSubstream.terminate, .reserved] {
            var machine = machine { $0.s1DefaultSubstream = substream }
            let fault = machine.fault(3, 0x1000)
            #expect(fault?.id == .streamDisabled, "S1DSS \(substream)")
        }
        for mode in [StreamTableEntry.ATSMode.disabled, .reserved] {
            var machine = machine { $0.atsMode = mode }
            machine.smmu.registers.atsChecked = true
            let refused = machine.fault(3, 0x1000, ssid: 1, kind: .translationRequest)
            #expect(refused?.id == .badATSRequest, "EATS \(mode)")
            let forbidden = machine.fault(3, 0x1000, ssid: 1, kind: .translated)
            #expect(forbidden?.id == .translationForbidden, "EATS \(mode)")
        }
    }
}

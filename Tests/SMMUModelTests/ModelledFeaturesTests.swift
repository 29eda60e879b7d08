import ModelMachine
import SMMUModel
import SMMUv3
import Testing

@Suite struct ModelledFeaturesTests {
    @Test(
        "absent.httu, absent.ds, absent.pri, absent.mpam, absent.btm, absent.atos: an SMMU made with every bit set shows none of what it does not do"
    )
    func narrowed() {
        let every = IDRegisters(idr0: .max, idr1: .max, idr2: 0, idr3: .max, idr4: 0, idr5: .max)
        let machine = Machine(ids: every)
        let shown = machine.smmu.ids
        #expect(shown.hardwareTableUpdate == 0 && !shown.broadcastTLBMaintenance && !shown.priSupported)
        // ATOS, VMW, VATOS of IDR0; MPAM of IDR3.
        #expect(shown.idr0 & (1 << 15 | 1 << 17 | 1 << 20) == 0 && shown.idr3 & 1 << 7 == 0)
        #expect(!shown.smallGranule52Bit && shown.outputAddressSize == 52)
        #expect(shown.stage1Supported && shown.stage2Supported && shown.rangeInvalidation && shown.atsSupported)
        #expect(shown.modelled == shown)
    }

    @Test("stall.term: transactions that wait when SMMUEN is written 0 are aborted with whatever the SMMU does next")
    func disabledByRegister() {
        var machine = Machine()
        let stream = machine.addStage1Stream(2)
        // CD.S
        machine.smmu.memory[stream.context] |= 1 << 44
        let stalled = machine.translate(2, 0x1000)
        guard case .stalled(_, let tag) = stalled else {
            Issue.record("the fault did not stall: \(stalled)")
            return
        }
        machine.smmu.registers.smmuEnabled = false
        let bypassed = machine.pa(2, 0x1000)
        #expect(bypassed == 0x1000)
        let answer = machine.smmu.takeResumption()
        #expect(answer?.tag == tag && answer?.action == .abort)
        let waiting = machine.smmu.stalledCount
        #expect(waiting == 0)
    }
}

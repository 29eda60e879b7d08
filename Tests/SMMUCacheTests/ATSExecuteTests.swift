import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// Translation requests that ask for writing and execution at once, as PCIe's NW and Exe allow.
@Suite struct ATSExecuteTests {
    /// A stream 1 with ATS, whose 0x1000 unprivileged code may read, write and execute.
    private func machine(instructionOverride: Int = 0) -> Machine {
        var machine = Machine()
        let stream = machine.addStage1Stream(1)
        machine.map(stream.table, 0x1000, to: 0x5000_1000)
        var ste = machine.ste(1)
        ste.atsMode = .full
        ste.instructionOverride = instructionOverride
        machine.setSTE(1, ste)
        machine.smmu.registers.atsChecked = true
        return machine
    }

    @Test(
        "ats.request: a request for writing may ask for execution too, or have INSTCFG ask for it or not",
        arguments: [(0, false, false), (0, true, true), (2, true, false), (3, false, true)])
    func writeAndExecute(_ instructionOverride: Int, _ asks: Bool, _ isGranted: Bool) {
        var machine = machine(instructionOverride: instructionOverride)
        let result = machine.translate(1, 0x1000, write: true, instruction: asks, kind: .translationRequest)
        guard case .translated(let answer) = result else {
            Issue.record("\(result)")
            return
        }
        let data: Permissions = [.unprivilegedRead, .unprivilegedWrite]
        #expect(answer.permissions == (isGranted ? data.union(.unprivilegedExecute) : data))
    }
}

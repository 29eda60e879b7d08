import FakeKernel
import IOMMUFD
import KernelBehaviour
import LinuxSystem
import Testing

/// That the fake kernel has the ways of the real one, of which the lab checks the same.
@Suite struct KernelBehaviourTests {
    @Test("the fake kernel behaves as Linux does", arguments: KernelBehaviour.all)
    func fake(_ behaviour: KernelBehaviour) throws {
        let bench = try Bench()
        let machine = KernelMachine(devices: [bench.device(0).path, bench.device(1).path]) {
            FakeKernel(bench.machine)
        }
        #expect(behaviour.differences(on: machine).isEmpty, "\(behaviour.differences(on: machine))")
    }
}

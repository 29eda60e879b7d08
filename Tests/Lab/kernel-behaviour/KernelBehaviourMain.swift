import Glibc
import IOMMUFD
import KernelBehaviour
import LinuxSystem

/// Runs in the lab's virtual machine: the checks of the fake kernel, of the real one. Arguments: PCI addresses of two
/// devices or more, behind one SMMU, that vfio-pci has. One line for each check; status 1 when one failed.
@main
enum KernelBehaviourMain {
    static func main() {
        let addresses = CommandLine.arguments.dropFirst().compactMap(PCIAddress.init)
        var devices: [DevicePath] = []
        for address in addresses {
            do throws(LocationError) { devices.append(try SysfsLocator().locate(address).path) } catch {
                print("FAIL  the kernel's ways: cannot \(error.operation): \(error.advice)")
                exit(1)
            }
        }
        guard devices.count >= 2 else {
            print("Usage: kernel-behaviour ADDRESS ADDRESS...")
            exit(2)
        }
        let machine = KernelMachine(devices: devices) { try LinuxIOMMU() }
        var failed = false
        for behaviour in KernelBehaviour.all {
            let differences = behaviour.differences(on: machine)
            print("\(differences.isEmpty ? "ok    " : "FAIL  ")the kernel's ways: \(behaviour)")
            for difference in differences { print("--    \(difference)") }
            failed = failed || !differences.isEmpty
            // What has been found is told also when the next one ends this program.
            fflush(nil)
        }
        exit(failed ? 1 : 0)
    }
}

package import BrokerCore
package import IOMMUFD
package import LinuxSystem
import SMMUv3
package import Wire

/// The host's devices by their PCI addresses, of those that vfio-pci has.
package final class IOMMUFDDevices: HardwareDevices {
    private let locator: any DeviceLocator

    package init(_ locator: any DeviceLocator) { self.locator = locator }

    package func find(_ name: Name) -> HostDevice? {
        guard let address = PCIAddress(name.description) else { return nil }
        do throws(LocationError) {
            let located = try locator.locate(address)
            guard let smmu = Name(located.smmu) else { return nil }
            // What it can do shows when it is taken.
            return HostDevice(
                name: name, smmu: PhysicalSMMU(name: smmu, registers: IDRegisters()),
                streamID: StreamID(address.requesterID), binding: located.binding)
        } catch { return nil }
    }
}

extension IOMMUFDDevices {
    /// Those of this host.
    package convenience init() { self.init(SysfsLocator()) }
}

extension IOMMUFDBackend {
    /// On this host's kernel.
    package convenience init(descriptors: DescriptorTable) {
        self.init(descriptors: descriptors, locator: SysfsLocator()) { () throws(Errno) in try LinuxIOMMU() }
    }
}

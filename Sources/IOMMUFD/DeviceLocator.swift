/// Finds devices of the host by their PCI addresses, without opening any.
package protocol DeviceLocator: AnyObject, Sendable {
    func locate(_ address: PCIAddress) throws(LocationError) -> LocatedDevice
}

/// What the system says of a device that vfio-pci has.
package struct LocatedDevice: Hashable, Sendable {
    package var address: PCIAddress
    package var path: DevicePath
    /// The system's name of its physical SMMU.
    package var smmu: String
    /// All members of its IOMMU group, which is owned as a whole.
    package var group: [String]
    /// Its transactions may stall.
    package var canStall: Bool
    /// Another one after the device has been unbound from vfio-pci and bound again; 0: not known.
    package var binding: UInt64

    package init(
        address: PCIAddress, path: DevicePath, smmu: String, group: [String], canStall: Bool = false,
        binding: UInt64 = 0
    ) {
        (self.address, self.path, self.smmu, self.group) = (address, path, smmu, group)
        (self.canStall, self.binding) = (canStall, binding)
    }
}

/// Why a device cannot be used.
package enum LocationError: Error, Hashable, Sendable {
    case unknown(PCIAddress)
    /// Another driver has it, or the kernel has no device files.
    case notVFIO(PCIAddress)
    case noSMMU(PCIAddress)

    package var operation: String {
        switch self {
        case .unknown(let address), .notVFIO(let address), .noSMMU(let address): "find the device \(address)"
        }
    }

    package var advice: String {
        switch self {
        case .unknown: "the host has no such PCI device: check its address with lspci -D"
        case .notVFIO(let address):
            "\(address) has no vfio device file: bind it to vfio-pci, on a kernel with CONFIG_VFIO_DEVICE_CDEV"
        case .noSMMU: "it is behind no IOMMU: turn the SMMU on in the firmware"
        }
    }
}

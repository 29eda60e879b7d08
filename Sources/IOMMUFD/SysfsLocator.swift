import LinuxSystem

/// Finds devices in sysfs (Documentation/ABI/testing/sysfs-bus-pci, sysfs-class-iommu, sysfs-devices-vfio-dev).
package final class SysfsLocator: DeviceLocator {
    private let root: String

    /// - Parameter root: Where sysfs is mounted; tests make their own.
    package init(root: String = "/sys") { self.root = root }

    package func locate(_ address: PCIAddress) throws(LocationError) -> LocatedDevice {
        let directory = "\(root)/bus/pci/devices/\(address)"
        guard names(in: directory) != nil else { throw .unknown(address) }
        guard let file = names(in: "\(directory)/vfio-dev")?.first(where: Self.isDeviceFile) else {
            throw .notVFIO(address)
        }
        guard let smmu = smmu(of: address) else { throw .noSMMU(address) }
        return LocatedDevice(
            address: address, path: DevicePath("/dev/vfio/devices/\(file)"), smmu: smmu,
            group: names(in: "\(directory)/iommu_group/devices") ?? [])
    }

    /// Each IOMMU lists its devices; that is also how it says which ones are behind the same.
    private func smmu(of address: PCIAddress) -> String? {
        let name = address.description
        return names(in: "\(root)/class/iommu")?.first { smmu in
            names(in: "\(root)/class/iommu/\(smmu)/devices")?.contains(name) ?? false
        }
    }

    /// `vfio3`.
    private static func isDeviceFile(_ name: String) -> Bool {
        name.hasPrefix("vfio") && name.utf8.count > 4
            && name.utf8.dropFirst(4).allSatisfy { (0x30...0x39).contains($0) }
    }

    private func names(in directory: String) -> [String]? {
        do throws(Errno) { return try DirectoryListing.names(in: directory) } catch { return nil }
    }
}

/// A PCI device as sysfs shows it.
package struct PCIDevice: Hashable, Sendable {
    /// `0000:01:00.0`.
    package let address: String
    package let driver: String?
    /// The number of its IOMMU group.
    package let group: String?
    /// The IOMMU that it is behind: `smmu3.0x9050000`.
    package let iommu: String?
    /// `vfio0`.
    package let vfio: String?
    /// The kernel made a character device for it.
    package let hasCdev: Bool
    /// PCI bridges go with their group and are used by nobody.
    package let isBridge: Bool

    package static let directory = "/sys/bus/pci/devices"

    init(_ address: String, in files: HostFiles) {
        let path = "\(Self.directory)/\(address)"
        self.address = address
        driver = files.linkName("\(path)/driver")
        group = files.linkName("\(path)/iommu_group")
        iommu = files.linkName("\(path)/iommu")
        vfio = files.names("\(path)/vfio-dev")?.first { $0.hasPrefix("vfio") }
        hasCdev = vfio.map { files.exists("\(path)/vfio-dev/\($0)/dev") } ?? false
        isBridge = files.text("\(path)/class")?.hasPrefix("0x0604") ?? false
    }

    package static func all(in files: HostFiles) -> [PCIDevice] {
        (files.names(directory) ?? []).map { PCIDevice($0, in: files) }
    }

    /// Whether its driver is vfio-pci, or one that is made of it.
    package var isForVMs: Bool { vfio != nil || driver?.contains("vfio") == true }
}

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
            group: names(in: "\(directory)/iommu_group/devices") ?? [], canStall: canStall(directory),
            binding: inode(of: "\(directory)/vfio-dev/\(file)"))
    }

    /// What Linux takes for able to stall on an SMMU that leaves the choice: what its devicetree says, and devices of
    /// HiSilicon that are PCI by name alone (drivers/pci/quirks.c, quirk_huawei_pcie_sva).
    private func canStall(_ directory: String) -> Bool {
        if exists("\(directory)/of_node/dma-can-stall") { return true }
        guard number("\(directory)/vendor") == 0x19e5, let device = number("\(directory)/device"),
            let revision = number("\(directory)/revision")
        else { return false }
        return [0xa250, 0xa251, 0xa255, 0xa256, 0xa258, 0xa259].contains(device) && [0x21, 0x30].contains(revision)
    }

    /// `0x19e5` and a line feed.
    private func number(_ path: String) -> UInt64? {
        do throws(Errno) {
            let text = String(decoding: try TextFile.read(path, limit: 64), as: UTF8.self).filter { !$0.isWhitespace }
            return text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : nil
        } catch { return nil }
    }

    private func exists(_ path: String) -> Bool {
        do throws(Errno) {
            _ = try FileStatus(of: path)
            return true
        } catch { return false }
    }

    private func inode(of path: String) -> UInt64 {
        do throws(Errno) { return try FileStatus(of: path).inode } catch { return 0 }
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

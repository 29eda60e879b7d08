import Foundation
import IOMMUFD
import Testing

@Suite struct LocatorTests {
    @Test(
        "addresses are as in sysfs, and nothing else is one",
        arguments: [
            ("0000:01:00.0", 0x100), ("0000:00:1f.7", 0xff), ("10000:ff:00.1", 0xff01), ("0000:01:20.0", nil),
            ("0000:01:00.8", nil), ("000:01:00.0", nil), ("0000:1:00.0", nil), ("0000:01:00", nil),
            ("0000:01:00.0 ", nil), ("../01:00.0", nil), ("0000:0A:00.0", nil), ("disk:0", nil), ("", nil),
        ] as [(String, UInt32?)])
    func addresses(text: String, requester: UInt32?) {
        let address = PCIAddress(text)
        #expect(address?.requesterID == requester)
        if let address { #expect(address.description == text) }
    }

    /// A sysfs with one device of vfio-pci, one of another driver, and one behind no SMMU.
    private func makeTree() throws -> String {
        let root = NSTemporaryDirectory() + "/smmu-broker-sysfs-\(UUID().uuidString)"
        for path in [
            "bus/pci/devices/0000:01:00.0/vfio-dev/vfio3", "bus/pci/devices/0000:01:00.1",
            "bus/pci/devices/0000:02:00.0/vfio-dev/vfio4",
            "bus/pci/devices/0000:01:00.0/iommu_group/devices/0000:01:00.0",
            "bus/pci/devices/0000:01:00.0/iommu_group/devices/0000:01:00.1",
            "class/iommu/smmu3.0x9050000/devices/0000:00:01.0", "class/iommu/smmu3.0x9090000/devices/0000:01:00.0",
        ] { try FileManager.default.createDirectory(atPath: "\(root)/\(path)", withIntermediateDirectories: true) }
        return root
    }

    @Test("sysfs says where a device's file is, behind which SMMU it is and who else is in its group") func sysfs()
        throws
    {
        let root = try makeTree()
        defer { try? FileManager.default.removeItem(atPath: root) }
        let locator = SysfsLocator(root: root)
        func locate(_ text: String) throws -> LocatedDevice { try locator.locate(try #require(PCIAddress(text))) }
        let found = try locate("0000:01:00.0")
        #expect(found.path == DevicePath("/dev/vfio/devices/vfio3") && found.smmu == "smmu3.0x9090000")
        #expect(found.group == ["0000:01:00.0", "0000:01:00.1"])
        for (name, words) in [
            ("0000:01:00.1", "bind it to vfio-pci"), ("0000:02:00.0", "behind no IOMMU"),
            ("0000:03:00.0", "no such PCI device"),
        ] {
            let error = #expect(throws: LocationError.self) { _ = try locate(name) }
            #expect(error?.advice.contains(words) ?? false, "\(name)")
            #expect(error?.operation == "find the device \(name)")
        }
    }
}

import Foundation
import IOMMUFD
import LinuxSystem
import Testing

/// What sysfs says of a device's stalls, and of its being bound.
@Suite struct StallLocatorTests {
    private func locate(_ files: [String: String]) throws -> LocatedDevice {
        let root = FileManager.default.temporaryDirectory.appending(path: "smmu-broker-sysfs-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }
        let device = root.appending(path: "bus/pci/devices/0000:75:00.0")
        for directory in [
            device.appending(path: "vfio-dev/vfio3"), root.appending(path: "class/iommu/smmu0/devices/0000:75:00.0"),
        ] {
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        }
        for (name, text) in files {
            let file = device.appending(path: name)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
        let address = try #require(PCIAddress("0000:75:00.0"))
        return try SysfsLocator(root: root.path(percentEncoded: false)).locate(address)
    }

    @Test(
        "devices that may stall are those of which Linux knows it",
        arguments: [
            ([:], false), (["of_node/dma-can-stall": ""], true),
            (["vendor": "0x19e5\n", "device": "0xa250\n", "revision": "0x21\n"], true),
            (["vendor": "0x19e5\n", "device": "0xa259\n", "revision": "0x30\n"], true),
            (["vendor": "0x19e5\n", "device": "0xa250\n", "revision": "0x20\n"], false),
            (["vendor": "0x19e5\n", "device": "0xa252\n", "revision": "0x21\n"], false),
            (["vendor": "0x8086\n", "device": "0xa250\n", "revision": "0x21\n"], false),
            (["vendor": "19e5\n", "device": "a250\n", "revision": "21\n"], false), (["vendor": "0x19e5\n"], false),
        ] as [([String: String], Bool)])
    func stalls(files: [String: String], canStall: Bool) throws {
        let device = try locate(files)
        #expect(device.canStall == canStall && device.binding != 0)
    }
}

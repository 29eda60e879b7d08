import Foundation
import HostSurvey

/// A made-up host: a directory with the files and links that a kernel would show.
final class HostTree {
    let root: String

    init() throws {
        root = FileManager.default.temporaryDirectory.appendingPathComponent("host-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    var files: HostFiles { HostFiles(root: root) }

    func add(_ path: String, _ text: String = "", mode: Int = 0o644) throws { try add(path, Array(text.utf8), mode) }

    func add(_ path: String, _ bytes: [UInt8], _ mode: Int = 0o644) throws {
        try makeParent(of: path)
        try Data(bytes).write(to: URL(fileURLWithPath: root + path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: root + path)
    }

    func link(_ path: String, to target: String) throws {
        try makeParent(of: path)
        try FileManager.default.createSymbolicLink(atPath: root + path, withDestinationPath: target)
    }

    func directory(_ path: String) throws {
        try FileManager.default.createDirectory(atPath: root + path, withIntermediateDirectories: true)
    }

    private func makeParent(of path: String) throws {
        try directory(path.split(separator: "/").dropLast().map { "/\($0)" }.joined())
    }

    /// A user who owns what this process makes.
    func addUser(uid: UInt32 = getuid(), groups: String = "kvm:x:104:smmu-broker") throws {
        try add("/etc/passwd", "root:x:0:0::/:/bin/sh\nsmmu-broker:x:\(uid):990::/:/usr/sbin/nologin\n")
        try add("/etc/group", "root:x:0:\n\(groups)\n")
    }

    func addDevice(
        _ address: String, driver: String? = "vfio-pci", group: Int, iommu: String? = "smmu3.0x9050000",
        vfio: String? = nil, cdev: Bool = true, bridge: Bool = false
    ) throws {
        let path = "/sys/bus/pci/devices/\(address)"
        try add("\(path)/class", bridge ? "0x060400\n" : "0x020000\n")
        if let driver { try link("\(path)/driver", to: "../../../../bus/pci/drivers/\(driver)") }
        if let iommu { try link("\(path)/iommu", to: "../../../virtual/iommu/\(iommu)") }
        try link("\(path)/iommu_group", to: "../../../kernel/iommu_groups/\(group)")
        try directory("/sys/kernel/iommu_groups/\(group)/devices")
        guard let vfio else { return }
        try directory("\(path)/vfio-dev/\(vfio)")
        if cdev {
            try add("\(path)/vfio-dev/\(vfio)/dev", "511:0\n")
            try add("/dev/vfio/devices/\(vfio)", mode: 0o600)
        }
    }

    /// A host with all that is needed, and one device.
    static func arm() throws -> HostTree {
        let tree = try HostTree()
        try tree.addUser()
        try tree.add("/proc/sys/kernel/arch", "aarch64\n")
        try tree.add("/proc/sys/kernel/osrelease", "6.17.0\n")
        try tree.directory("/sys/class/iommu/smmu3.0x9050000/devices/0000:01:00.0")
        try tree.add("/dev/iommu", mode: 0o600)
        try tree.add("/sys/module/iommufd/parameters/allow_unsafe_interrupts", "N\n")
        try tree.addDevice("0000:01:00.0", group: 5, vfio: "vfio0")
        return tree
    }
}

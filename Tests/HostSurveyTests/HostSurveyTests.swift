import Foundation
import HostSurvey
import LinuxSystem
import Testing

/// What is said of made-up hosts.
@Suite struct HostSurveyTests {
    private func survey(_ tree: HostTree, hardware: Bool = true) -> [Finding] {
        HostSurvey(tree.files, needsHardware: hardware).findings()
    }

    private func finding(_ tree: HostTree, _ check: Finding.Check) throws -> Finding {
        try #require(survey(tree).first { $0.check == check })
    }

    @Test("A host that has everything lacks nothing") func complete() throws {
        let findings = survey(try .arm())
        #expect(findings.map(\.verdict) == [.ok, .ok, .note, .ok, .ok, .ok], "\(findings)")
        #expect(findings.map(\.check) == [.smmu, .iommufd, .kernel, .device, .groups, .msiIsolation])
        #expect(findings[0].text == "smmu3.0x9050000 is an SMMUv3, with 1 device")
        #expect(findings[2].text == "The kernel is Linux 6.17.0")
        #expect(
            findings[3].text.hasPrefix(
                "0000:01:00.0: vfio-pci, group 5, behind smmu3.0x9050000; /dev/vfio/devices/vfio0 may be used"))
    }

    @Test("An empty host lacks everything, and only hardware needs it") func empty() throws {
        let tree = try HostTree()
        let missing = survey(tree).filter { $0.verdict == .missing }
        #expect(missing.map(\.check) == [.smmu, .iommufd, .device, .groups])
        #expect(missing.allSatisfy { $0.isFatal && !$0.advice.isEmpty })
        #expect(survey(tree, hardware: false).allSatisfy { !$0.isFatal })
    }

    @Test(
        "A host of another architecture is told so",
        arguments: [("/proc/sys/kernel/arch", "x86_64\n"), ("/proc/cpuinfo", "processor: 0\nvendor_id : x\n")])
    func otherArchitecture(path: String, text: String) throws {
        let tree = try HostTree()
        try tree.add(path, text)
        try tree.directory("/sys/class/iommu/dmar0")
        let first = try finding(tree, .architecture)
        #expect(first.verdict == .missing)
        #expect(first.text.contains("architecture x86_64"))
        #expect(first.text.contains("dmar0"))
    }

    @Test("An SMMUv2 is refused by its name") func version2() throws {
        let tree = try HostTree()
        try tree.directory("/sys/class/iommu/smmu.0x2b400000")
        let found = try finding(tree, .smmu)
        #expect(found.verdict == .missing)
        #expect(found.text == "smmu.0x2b400000 is an SMMUv2 (arm-smmu)")
    }

    /// An IORT with nodes of these types, each 20 bytes long.
    private func iort(_ types: [UInt8], length: UInt8 = 20, claimed: Int? = nil) -> [UInt8] {
        var table = [UInt8](repeating: 0, count: 48)
        (table[36], table[40]) = (UInt8(claimed ?? types.count), 48)
        for type in types { table += [type, length, 0] + [UInt8](repeating: 0, count: 17) }
        return table
    }

    @Test("The firmware says what nobody drives: ACPI") func acpi() throws {
        let tree = try HostTree()
        try tree.add("/sys/firmware/acpi/tables/IORT", iort([0, 4, 2, 4]))
        #expect(try finding(tree, .smmu).text == "The ACPI table IORT describes 2 SMMUv3s, and none is driven")
        let older = try HostTree()
        try older.add("/sys/firmware/acpi/tables/IORT", iort([0, 3]))
        #expect(try finding(older, .smmu).text.contains("describes an SMMUv2"))
    }

    @Test("A table that is cut off or runs on is harmless") func brokenTables() throws {
        for table in [[], iort([4]).dropLast(19), iort([4, 4], length: 0), iort([4], claimed: 255)].map(Array.init) {
            let tree = try HostTree()
            try tree.add("/sys/firmware/acpi/tables/IORT", table)
            #expect(try finding(tree, .smmu).verdict == .missing)
        }
        let longest = try HostTree()
        try longest.add("/sys/firmware/acpi/tables/IORT", iort([4], claimed: 255))
        #expect(FirmwareSMMUs(longest.files).version3 == 1)
    }

    @Test("The firmware says what nobody drives: device tree") func deviceTree() throws {
        let tree = try HostTree()
        try tree.add("/sys/firmware/devicetree/base/soc/iommu@9050000/compatible", "arm,smmu-v3\0")
        #expect(try finding(tree, .smmu).text == "The device tree describes 1 SMMUv3, and none is driven")
    }

    @Test(
        "/dev/iommu has to be for the daemon's user",
        arguments: [
            (UInt32.max, 0o600, Finding.Verdict.missing), (UInt32.max, 0o606, .ok), (UInt32.max, 0o640, .missing),
            (getuid(), 0o400, .missing), (getuid(), 0o600, .ok),
        ] as [(UInt32, Int, Finding.Verdict)])
    func permissions(uid: UInt32, mode: Int, verdict: Finding.Verdict) throws {
        let tree = try HostTree()
        try tree.addUser(uid: uid == .max ? getuid() + 1 : uid, groups: "others:x:\(getgid() + 1):smmu-broker")
        try tree.add("/dev/iommu", mode: mode)
        let found = try finding(tree, .iommufd)
        #expect(found.verdict == verdict, "\(found)")
        #expect(verdict == .ok || found.advice.contains("KERNEL==\"iommu\", GROUP=\"smmu-broker\""))
    }

    @Test("A group opens /dev/iommu too, and without the user nobody knows") func groupsAndUsers() throws {
        let tree = try HostTree()
        try tree.add("/dev/iommu", mode: 0o660)
        #expect(try finding(tree, .iommufd).verdict == .unknown)
        try tree.addUser(uid: getuid() + 1, groups: "g:x:\(getgid()):a,smmu-broker")
        #expect(try finding(tree, .iommufd).verdict == .ok)
    }

    @Test("A device that no VM can have says why") func devices() throws {
        let wrong: [(String, (HostTree) throws -> Void)] = [
            ("behind no IOMMU", { try $0.addDevice("0000:02:00.0", group: 6, iommu: nil, vfio: "vfio1") }),
            ("smmu.0x1, which is no SMMUv3", { try $0.addDevice("0000:02:00.0", group: 6, iommu: "smmu.0x1") }),
            ("makes no file", { try $0.addDevice("0000:02:00.0", group: 6, vfio: "vfio1", cdev: false) }),
            ("makes no file", { try $0.addDevice("0000:02:00.0", group: 6) }),
        ]
        for (text, change) in wrong {
            let tree = try HostTree.arm()
            try change(tree)
            let devices = survey(tree).filter { $0.check == .device }
            #expect(devices.map(\.verdict) == [.ok, .missing])
            #expect(devices[1].text.hasPrefix("0000:02:00.0: "))
            #expect(devices[1].text.contains(text), "\(devices[1].text)")
        }
    }

    @Test("The devices of one group go to one VM, and the host may use none of them") func sharedGroup() throws {
        let tree = try HostTree.arm()
        try tree.addDevice("0000:00:01.0", driver: "pcieport", group: 5, bridge: true)
        try tree.addDevice("0000:01:00.1", driver: nil, group: 5)
        let note = try finding(tree, .group)
        #expect(note.verdict == .note)
        #expect(note.text == "Group 5 has 0000:00:01.0, 0000:01:00.0, 0000:01:00.1")
        #expect(note.advice.contains("one VM"))
        try tree.addDevice("0000:01:00.2", driver: "nvme", group: 5)
        let missing = try finding(tree, .group)
        #expect(missing.verdict == .missing)
        #expect(missing.text.hasSuffix("and the host uses 0000:01:00.2 (nvme)"))
        #expect(try finding(tree, .groups).text == "1 IOMMU group, 1 with several devices")
    }

    @Test("Interrupts that are not isolated are noted") func isolation() throws {
        let tree = try HostTree.arm()
        try tree.add("/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "Y\n")
        let found = try finding(tree, .msiIsolation)
        #expect(found.verdict == .note)
        #expect(found.text == "vfio_iommu_type1: allow_unsafe_interrupts is on")
    }
}

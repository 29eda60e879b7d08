import Foundation
import Testing

/// CIOMMUFD.h against the kernel's own headers, which Debian 12 does not have: a newer Debian's are fetched, once.
@Suite struct KernelHeaderTests {
    @Test("every number of CIOMMUFD.h is the kernel's") func numbers() throws {
        guard let headers = try Self.kernelHeaders() else { return }
        let own = try OwnHeader()
        #expect(own.constants.count > 40 && own.structures.count > 20, "the header could not be read")
        let program = Self.program(comparing: own)
        let result = try Self.compile(program, with: headers)
        guard let result else { return print("Skipped: there is no C compiler.") }
        #expect(result.status == 0, "\(result.output)")
    }

    @Test("the comparison notices a wrong number") func wrong() throws {
        guard let headers = try Self.kernelHeaders() else { return }
        let own = try OwnHeader()
        let program = Self.program(comparing: own) + "_Static_assert(CIOMMUFD_DESTROY == IOMMU_IOAS_ALLOC, \"no\");\n"
        guard let result = try Self.compile(program, with: headers) else { return }
        #expect(result.status != 0)
    }

    /// Names that do not follow from ours.
    private static let kernelNames = [
        "CIOMMUFD_MAP_FIXED_IOVA": "IOMMU_IOAS_MAP_FIXED_IOVA", "CIOMMUFD_MAP_WRITEABLE": "IOMMU_IOAS_MAP_WRITEABLE",
        "CIOMMUFD_MAP_READABLE": "IOMMU_IOAS_MAP_READABLE",
        "CIOMMUFD_HWPT_NEST_PARENT": "IOMMU_HWPT_ALLOC_NEST_PARENT",
        "CIOMMUFD_INVALIDATE_DATA_ARM_SMMUV3": "IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3",
        "CIOMMUFD_HW_CAPABILITY_PCI_ATS_NOT_SUPPORTED": "IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED",
        "CIOMMUFD_HW_INFO_REPEAT_TLBI_CFGI": "IOMMU_HW_INFO_ARM_SMMUV3_ERRATA_REPEAT_TLBI_CFGI",
        "CIOMMUFD_VEVENT_LOST_EVENTS": "IOMMU_VEVENTQ_FLAG_LOST_EVENTS",
        "CIOMMUFD_OPTION_SET": "IOMMU_OPTION_OP_SET", "CIOMMUFD_OPTION_GET": "IOMMU_OPTION_OP_GET",
        "CIOMMUFD_PGFAULT_PASID_VALID": "IOMMU_PGFAULT_FLAGS_PASID_VALID",
        "CIOMMUFD_PGFAULT_LAST_PAGE": "IOMMU_PGFAULT_FLAGS_LAST_PAGE",
        "CIOMMUFD_PAGE_RESPONSE_SUCCESS": "IOMMUFD_PAGE_RESP_SUCCESS",
        "CIOMMUFD_PAGE_RESPONSE_INVALID": "IOMMUFD_PAGE_RESP_INVALID",
        "CVFIO_FEATURE_GET": "VFIO_DEVICE_FEATURE_GET", "CVFIO_FEATURE_DMA_BUF": "VFIO_DEVICE_FEATURE_DMA_BUF",
        "ciommufd_vevent_header": "iommufd_vevent_header", "cvfio_device_bind_iommufd": "vfio_device_bind_iommufd",
        "ciommufd_hw_info.data_type": "out_data_type",
    ]
    /// Not in the headers: a limit of the driver (drivers/iommu/iommufd/eventq.c).
    private static let unlisted: Set<String> = ["CIOMMUFD_MAXIMUM_VEVENTQ_DEPTH"]

    private static func kernelName(_ name: String) -> String {
        if let other = kernelNames[name] { return other }
        for (ours, theirs) in [
            ("CIOMMUFD_", "IOMMU_"), ("CVFIO_", "VFIO_"), ("ciommufd_", "iommu_"), ("cvfio_", "vfio_"),
        ]
        where name.hasPrefix(ours) { return theirs + name.dropFirst(ours.count) }
        return name
    }

    private static func kernelField(_ field: String, of structure: String) -> String {
        if let other = kernelNames["\(structure).\(field)"] { return other }
        return field.hasPrefix("reserved") ? "__" + field : field
    }

    private static func program(comparing own: OwnHeader) -> String {
        // The system's linux/stddef.h may be older than what the new headers want of it.
        var lines = [
            "#include <CIOMMUFD.h>", "#include <linux/stddef.h>", "#ifndef __counted_by", "#define __counted_by(count)",
            "#endif", "#include <linux/iommufd.h>", "#include <linux/vfio.h>",
        ]
        func require(_ condition: String) { lines.append("_Static_assert(\(condition), \"\(condition)\");") }
        for name in own.constants where !unlisted.contains(name) {
            require("(unsigned long long)\(name) == (unsigned long long)\(kernelName(name))")
        }
        for structure in own.structures {
            let (ours, theirs) = (structure.name, kernelName(structure.name))
            require("sizeof(struct \(ours)) == sizeof(struct \(theirs))")
            for field in structure.fields {
                let other = kernelField(field, of: ours)
                require("offsetof(struct \(ours), \(field)) == offsetof(struct \(theirs), \(other))")
                require("sizeof(((struct \(ours) *)0)->\(field)) == sizeof(((struct \(theirs) *)0)->\(other))")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The directory with `linux/iommufd.h`; nil, and the reason printed, when it cannot be had.
    private static func kernelHeaders() throws -> String? {
        let environment = ProcessInfo.processInfo.environment
        let cache = environment["XDG_CACHE_HOME"] ?? (environment["HOME"] ?? NSTemporaryDirectory()) + "/.cache"
        let directory = cache + "/smmu-broker/kernel-headers"
        // Two tests ask for them at the same time.
        fetching.lock()
        defer { fetching.unlock() }
        let result = try run("\(OwnHeader.project)/Tests/Support/kernel-headers", [directory])
        if result.status == 0 { return directory }
        print("Skipped, no newer linux-libc-dev: \(result.output.split(separator: "\n").last ?? "")")
        #expect(result.status == 3, "\(result.output)")
        return nil
    }

    private static let fetching = NSLock()

    private static func compile(_ program: String, with headers: String) throws -> Result? {
        guard let compiler = ["/usr/bin/cc", "/usr/bin/clang"].first(where: FileManager.default.isExecutableFile) else {
            return nil
        }
        let source = NSTemporaryDirectory() + "/smmu-broker-headers-\(UUID().uuidString).c"
        try Data(program.utf8).write(to: URL(fileURLWithPath: source))
        defer { try? FileManager.default.removeItem(atPath: source) }
        let own = URL(fileURLWithPath: OwnHeader.path).deletingLastPathComponent().path
        return try run(compiler, ["-std=c11", "-fsyntax-only", "-I", own, "-isystem", headers, source])
    }

    private struct Result {
        var status: Int32
        var output: String
    }

    private static func run(_ program: String, _ arguments: [String]) throws -> Result {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        let pipe = Pipe()
        (process.standardOutput, process.standardError) = (pipe, pipe)
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return Result(status: process.terminationStatus, output: String(decoding: output, as: UTF8.self))
    }
}

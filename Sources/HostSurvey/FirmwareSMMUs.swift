import LinuxSystem

/// The SMMUs that firmware describes, whether a driver has them or not.
package struct FirmwareSMMUs: Hashable, Sendable {
    package private(set) var version3 = 0
    /// SMMUv1 and SMMUv2.
    package private(set) var version2 = 0
    /// "ACPI table IORT" or "device tree".
    package private(set) var source = "firmware"
    /// There is a table, and only root may read it.
    package private(set) var isUnreadable = false

    package init(_ files: HostFiles) {
        do throws(Errno) {
            let table = try files.bytes("/sys/firmware/acpi/tables/IORT", limit: 1 << 20)
            source = "ACPI table IORT"
            count(table: table)
        } catch {
            isUnreadable = error != .notFound
        }
        if version2 + version3 == 0 { count(tree: "/sys/firmware/devicetree/base", in: files, depth: 3) }
    }

    /// An IORT (Arm DEN 0049): a header of 36 bytes, the number of nodes, the offset of the first; a node begins with its
    /// type (1 byte) and its length (2 bytes). No bytes make this run on or trap.
    private mutating func count(table: [UInt8]) {
        func number(at offset: Int, bytes: Int) -> Int? {
            guard offset >= 0, offset <= table.count - bytes else { return nil }
            return (0..<bytes).reduce(0) { $0 | Int(table[offset + $1]) << (8 * $1) }
        }
        guard let nodes = number(at: 36, bytes: 4), var offset = number(at: 40, bytes: 4) else { return }
        for _ in 0..<nodes {
            guard let type = number(at: offset, bytes: 1), let length = number(at: offset + 1, bytes: 2), length > 0
            else { return }
            if type == 3 { version2 += 1 }
            if type == 4 { version3 += 1 }
            offset += length
        }
    }

    /// A device tree has a directory for each node, and what a node is in `compatible`: names that end in 0.
    private mutating func count(tree path: String, in files: HostFiles, depth: Int) {
        for name in files.names(path) ?? [] {
            let node = "\(path)/\(name)"
            guard (try? files.status(node))?.kind == .directory else { continue }
            let compatible = name.contains("mmu") ? files.text("\(node)/compatible") ?? "" : ""
            let names = compatible.split(separator: "\0")
            if names.contains("arm,smmu-v3") { version3 += 1 }
            if names.contains(where: { ["arm,mmu-500", "arm,mmu-401", "arm,smmu-v2", "arm,smmu-v1"].contains($0) }) {
                version2 += 1
            }
            if !compatible.isEmpty { source = "device tree" }
            if depth > 1, compatible.isEmpty { count(tree: node, in: files, depth: depth - 1) }
        }
    }
}

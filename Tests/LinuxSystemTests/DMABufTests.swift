import LinuxSystem
import Testing

@Suite struct DMABufTests {
    @Test(
        "the exporter of a dma-buf is what its fdinfo says, whatever name a user has given it",
        arguments: [
            ("pos:\t0\nflags:\t02\nsize:\t65536\ncount:\t1\nexp_name:\tvfio_pci_core\n", "vfio_pci_core"),
            ("exp_name:\tsystem\nname:\tx exp_name:\tvfio_pci_core\n", "system"),
            ("size:\t4096\nname:\tvfio_pci_core\n", nil), ("", nil), ("exp_name:", ""),
        ] as [(String, String?)])
    func exporter(fdinfo: String, expected: String?) {
        #expect(OwnedFD.exporter(in: Array(fdinfo.utf8)) == expected)
    }

    @Test(
        "what a file is, by its mode and its file system: a dma-buf has no type in its mode",
        arguments: [
            (0o600, 0x444d_4142, .dmabuf), (0o100600, 0x444d_4142, .dmabuf), (0o040700, 0x444d_4142, .other),
            (0o100600, 0x0102_1994, .shmem), (0o600, 0x0102_1994, .other), (0o100600, 0x9584_58f6, .hugetlb),
            (0o600, 0x0904_1934, .other), (0o100600, 0xef53, .other), (0o140777, 0x534f_434b, .other),
        ] as [(UInt32, UInt64, MemoryFileInfo.Kind)])
    func kind(mode: UInt32, fileSystem: UInt64, expected: MemoryFileInfo.Kind) {
        #expect(MemoryFileInfo.Kind(mode: mode, fileSystem: fileSystem) == expected)
    }

    @Test("a memfd is none") func memfd() throws {
        let memory = try OwnedFD.memory(named: "no-dmabuf", size: 4096)
        let (kind, exporter) = (try memory.inspectMemory().kind, memory.dmabufExporter())
        #expect(kind == .shmem && exporter == nil)
    }
}

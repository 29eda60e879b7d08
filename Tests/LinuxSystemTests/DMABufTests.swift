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

    @Test("a memfd is none") func memfd() throws {
        let memory = try OwnedFD.memory(named: "no-dmabuf", size: 4096)
        let (kind, exporter) = (try memory.inspectMemory().kind, memory.dmabufExporter())
        #expect(kind == .shmem && exporter == nil)
    }
}

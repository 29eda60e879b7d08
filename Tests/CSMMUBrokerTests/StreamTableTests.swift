import CSMMUBroker
import Testing

@Suite("Stream table")
struct StreamTableTests {
    private static let level2: UInt64 = 0xa000_0000

    /// A two-level table of 2^16 streams whose descriptor at `index` is `descriptor`.
    private func twoLevel(split: UInt32, index: UInt64, descriptor: UInt64) -> FakeVMM {
        let vmm = FakeVMM()
        vmm.tableConfig = 1 << 16 | split << 6 | 16
        vmm.memory[FakeVMM.tableBase + index * 8] = descriptor
        return vmm
    }

    private func putSTE(_ vmm: FakeVMM, at address: UInt64) {
        for word in 0..<8 { vmm.memory[address + UInt64(word) * 8] = 0x1111 * UInt64(word) + 9 }
    }

    private static let whole = (0..<8).map { 0x1111 * UInt64($0) + 9 }
    private static let none = [UInt64](repeating: 0, count: 8)

    @Test("All eight words of a linear table's STE", arguments: [0, 1, 255] as [UInt32])
    func linear(vsid: UInt32) {
        let vmm = FakeVMM()
        putSTE(vmm, at: FakeVMM.tableBase + UInt64(vsid) * 64)
        let found = vmm.lookUp(vsid)
        #expect(found.status == 0 && found.words == Self.whole)
    }

    @Test(
        "A StreamID beyond the table or beyond SIDSIZE has no STE",
        arguments: [(8, 16, 256), (8, 4, 16), (16, 16, 0x1_0000), (0, 16, 1), (63, 32, 0xffff_ffff), (32, 4, 16)]
            as [(UInt32, UInt32, UInt32)])
    func beyond(log2: UInt32, sidSize: UInt32, vsid: UInt32) {
        let vmm = FakeVMM()
        vmm.tableConfig = log2
        vmm.idr1 = 19 << 21 | sidSize
        let found = vmm.lookUp(vsid)
        #expect(found.words == Self.none)
        // With 2^63 entries asked for, the last stream is within; its memory is not.
        #expect(found.status == (log2 == 63 ? -14 : -2))
        #expect(log2 == 63 || vmm.reads.isEmpty)
    }

    @Test("The base is aligned to the table's size, and its hints do not count")
    func alignment() {
        let vmm = FakeVMM()
        putSTE(vmm, at: FakeVMM.tableBase + 3 * 64)
        vmm.tableRegister = FakeVMM.tableBase | 1 << 62 | 0x1fc0
        #expect(vmm.lookUp(3).words == Self.whole)
    }

    @Test("An STE of which a part cannot be read is none")
    func partial() {
        let vmm = FakeVMM()
        putSTE(vmm, at: FakeVMM.tableBase)
        vmm.memory[FakeVMM.tableBase + 56] = nil
        let found = vmm.lookUp(0)
        #expect(found.status == -14 && found.words == Self.none)
    }

    @Test(
        "Each split of a two-level table; reserved ones are 6",
        arguments: [(6, 6), (8, 8), (10, 10), (7, 6), (0, 6), (31, 6)] as [(UInt32, UInt32)])
    func splits(split: UInt32, effective: UInt32) {
        let vsid: UInt32 = 0x1234
        let index = UInt64(vsid >> effective)
        let vmm = twoLevel(split: split, index: index, descriptor: Self.level2 | UInt64(effective + 1))
        putSTE(vmm, at: Self.level2 + UInt64(vsid & ((1 << effective) - 1)) * 64)
        let found = vmm.lookUp(vsid)
        #expect(found.status == 0 && found.words == Self.whole)
    }

    @Test(
        "Span says how far a second level reaches",
        arguments: [(1, 0, 0), (1, 1, -2), (3, 3, 0), (3, 4, -2), (7, 63, 0), (0, 0, -2), (8, 0, -2), (31, 0, -2)]
            as [(UInt64, UInt32, Int32)])
    func span(span: UInt64, index: UInt32, status: Int32) {
        let vmm = twoLevel(split: 6, index: 2, descriptor: Self.level2 | span)
        putSTE(vmm, at: Self.level2 + UInt64(index) * 64)
        let found = vmm.lookUp(2 << 6 | index)
        #expect(found.status == status)
        #expect(found.words == (status == 0 ? Self.whole : Self.none))
    }

    @Test("The second level is aligned to its size")
    func secondLevelAlignment() {
        let vmm = twoLevel(split: 8, index: 0, descriptor: Self.level2 | 0x1000 | 9)
        putSTE(vmm, at: Self.level2 + 5 * 64)
        #expect(vmm.lookUp(5).words == Self.whole)
    }

    @Test("A first-level descriptor that cannot be read has no STE")
    func unreadableDescriptor() {
        let vmm = FakeVMM()
        vmm.tableConfig = 1 << 16 | 8 << 6 | 16
        let found = vmm.lookUp(5)
        #expect(found.status == -14 && found.words == Self.none)
    }

    @Test("Without two-level tables in IDR0 the format does not count")
    func formatUnsupported() {
        let vmm = FakeVMM()
        vmm.idr0 = 0
        vmm.tableConfig = 1 << 16 | 8 << 6 | 8
        putSTE(vmm, at: FakeVMM.tableBase + 5 * 64)
        #expect(vmm.lookUp(5).words == Self.whole)
    }

    @Test("A split that covers the whole table leaves one descriptor")
    func wideSplit() {
        let vmm = FakeVMM()
        vmm.tableConfig = 1 << 16 | 10 << 6 | 4
        vmm.memory[FakeVMM.tableBase] = Self.level2 | 11
        putSTE(vmm, at: Self.level2 + 15 * 64)
        #expect(vmm.lookUp(15).words == Self.whole)
        #expect(vmm.lookUp(16).status == -2)
    }
}

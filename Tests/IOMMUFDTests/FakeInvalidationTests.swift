import FakeKernel
import IOMMUFD
import LinuxSystem
import SMMUv3
import Testing

/// The fake kernel's invalidations, as they were measured on Linux 7.3.4.
@Suite struct FakeInvalidationTests {
    private let good = Command.tlbi(.tlbiNHASID, asid: 5)
    private let bad = Command.make(.sync)

    @Test("EIO at a command drops the block before it, though entry_num counts it: [good, bad, good]")
    func droppedBlock() throws {
        let bench = try Bench()
        let raw = try bench.raw()
        let batch = [good, bad, good]
        #expect(Errno.of { try bench.kernel.invalidate(batch.span, in: raw.viommu) } == .inputOutput)
        #expect(bench.kernel.lastEntryNumber == 1)
        #expect(bench.device(0).smmu.executed.isEmpty)
    }

    @Test("commands are issued 63 at a time: of 200 with the 101st wrong, 63 take effect and 100 are counted")
    func blocks() throws {
        let bench = try Bench()
        let raw = try bench.raw()
        var batch = [Command](repeating: good, count: 200)
        try bench.kernel.invalidate(batch.span, in: raw.viommu)
        #expect(bench.kernel.lastEntryNumber == 200 && bench.device(0).smmu.executed.count == 200)
        batch[100] = bad
        #expect(Errno.of { try bench.kernel.invalidate(batch.span, in: raw.viommu) } == .inputOutput)
        #expect(bench.kernel.lastEntryNumber == 100 && bench.device(0).smmu.executed.count == 263)
    }

    @Test("an ATC_INV that is not answered drops its block alone") func timeout() throws {
        let bench = try Bench()
        let raw = try bench.raw()
        _ = try bench.kernel.allocateVDevice(StreamID(7), for: raw.device, in: raw.viommu)
        bench.device(0).isUnresponsive = true
        var batch = [Command](repeating: good, count: 63)
        batch += [good, .atcInv(StreamID(7))]
        #expect(Errno.of { try bench.kernel.invalidate(batch.span, in: raw.viommu) } == .timedOut)
        #expect(bench.device(0).smmu.executed.count == 63)
    }

    @Test("without memory for the copy entry_num stays what it was, and nothing is done") func noMemory() throws {
        let bench = try Bench()
        let raw = try bench.raw()
        bench.kernel.fail(.invalidate, .noMemory)
        let batch = [good, good]
        #expect(Errno.of { try bench.kernel.invalidate(batch.span, in: raw.viommu) } == .noMemory)
        #expect(bench.kernel.lastEntryNumber == 2 && bench.device(0).smmu.executed.isEmpty)
    }

    @Test("a guest's VMID and StreamIDs are replaced; a stream that has no vDevice is EIO") func numbers() throws {
        let bench = try Bench()
        let raw = try bench.raw()
        let named = [Command.cfgiCDAll(StreamID(7))]
        #expect(Errno.of { try bench.kernel.invalidate(named.span, in: raw.viommu) } == .inputOutput)
        _ = try bench.kernel.allocateVDevice(StreamID(7), for: raw.device, in: raw.viommu)
        let batch = [named[0], .tlbi(.tlbiNHASID, vmid: 0x55, asid: 3), .make(.tlbiNSNHAll)]
        try bench.kernel.invalidate(batch.span, in: raw.viommu)
        let executed = bench.device(0).smmu.executed
        let vmid = UInt16(raw.viommu)
        #expect(
            executed == [
                .cfgiCDAll(StreamID(0x100)), .tlbi(.tlbiNHASID, vmid: vmid, asid: 3), .tlbi(.tlbiNHAll, vmid: vmid),
            ])
    }
}

import FakeKernel
import IOMMUFD
import LinuxSystem
import SMMUv3
import Testing

/// The ways of the fake kernel that the lab cannot check of the real one, because they show in hardware only, or take
/// hardware that the lab has not: of drivers/iommu/iommufd and arm-smmu-v3-iommufd.c.
@Suite struct FakeKernelTests {
    @Test("the vSID is that of the attachment; to attach the same again does nothing") func latch() throws {
        let bench = try Bench()
        let (kernel, raw) = (bench.kernel, try bench.raw())
        let twins = try (0..<2).map { _ in
            try kernel.allocateNested(for: raw.device, in: raw.viommu, word0: Word.bypass, word1: 0, faultQueue: nil)
        }
        try kernel.attach(raw: raw.descriptor.raw, to: twins[0])
        _ = try kernel.allocateVDevice(StreamID(7), for: raw.device, in: raw.viommu)
        try kernel.attach(raw: raw.descriptor.raw, to: twins[0])
        #expect(bench.device(0).latched == nil)
        try kernel.attach(raw: raw.descriptor.raw, to: twins[1])
        #expect(bench.device(0).latched == StreamID(7))
        // Of equal words the hardware hears nothing.
        #expect(bench.device(0).history.count == 2)
    }

    @Test("what is behind another SMMU is EINVAL") func otherSMMU() throws {
        let bench = try Bench()
        let (kernel, raw) = (bench.kernel, try bench.raw())
        let other = try kernel.bind(bench.device(2).path)
        let otherID = other.id
        #expect(Errno.of { _ = try kernel.allocateVIOMMU(for: otherID, over: raw.parent) } == .invalid)
        #expect(Errno.of { _ = try kernel.allocateVDevice(StreamID(1), for: otherID, in: raw.viommu) } == .invalid)
    }

    @Test("a device has one owner; when its last descriptor is closed, its vDevice's number is gone for good")
    func closing() throws {
        let bench = try Bench()
        let (kernel, raw) = (bench.kernel, try bench.raw())
        let stranger = FakeKernel(bench.machine)
        let vdevice = try kernel.allocateVDevice(StreamID(7), for: raw.device, in: raw.viommu)
        let nested = try kernel.allocateNested(
            for: raw.device, in: raw.viommu, word0: Word.translate, word1: 0, faultQueue: nil)
        try kernel.attach(raw: raw.descriptor.raw, to: nested)
        let copy = try raw.descriptor.duplicate()
        raw.descriptor.close()
        #expect(Errno.of { _ = try stranger.bind(bench.device(0).path) } == .invalid)
        #expect(bench.device(0).installed.translates)
        copy.close()
        #expect(Errno.of { try kernel.destroy(vdevice) } == .notFound)
        #expect(bench.device(0).installed == .blocked)
        #expect(kernel.liveObjects == ["IOAS", "nest parent", "nested HWPT", "vIOMMU"])
        let again = try stranger.bind(bench.device(0).path)
        #expect(again.id > 0)
        // Its number is not given to anything else.
        let ids = try (0..<8).map { _ in try kernel.allocateIOAS() }
        #expect(!ids.contains(vdevice) && ids.contains(raw.device))
    }

    @Test("memory is pinned with the first stage 2, and what is too much is ENOMEM then") func pinning() throws {
        let bench = try Bench()
        let kernel = bench.kernel
        let handle = try kernel.bind(bench.device(0).path)
        let device = handle.id
        let ioas = try kernel.allocateIOAS()
        kernel.lockLimit = 0x4000
        try kernel.mapFile(bench.map(0x10_0000, 0x5000), into: ioas)
        #expect(Errno.of { _ = try kernel.allocateNestParent(for: device, over: ioas) } == .noMemory)
        try kernel.unmap(iova: 0x10_0000, length: 0x5000, from: ioas)
        try kernel.mapFile(bench.map(0x10_0000, 0x3000), into: ioas)
        _ = try kernel.allocateNestParent(for: device, over: ioas)
        #expect(Errno.of { try kernel.mapFile(bench.map(0x20_0000, 0x2000), into: ioas) } == .noMemory)
        try kernel.mapFile(bench.map(0x20_0000, 0x1000), into: ioas)
    }
}

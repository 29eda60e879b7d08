import FakeKernel
import IOMMUFD
import LinuxSystem
import SMMUv3
import Testing

/// That the fake kernel has the kernel's ways: of drivers/iommu/iommufd and arm-smmu-v3-iommufd.c, and as measured on
/// Linux 7.3.4 where that is said.
@Suite struct FakeKernelTests {
    @Test("an object that something refers to is EBUSY; numbers are used again, the lowest first") func graph() throws {
        let bench = try Bench()
        let (kernel, raw) = (bench.kernel, try bench.raw())
        let nested = try kernel.allocateNested(
            for: raw.device, in: raw.viommu, word0: Word.abort, word1: 0, faultQueue: nil)
        let vdevice = try kernel.allocateVDevice(StreamID(7), for: raw.device, in: raw.viommu)
        try kernel.attach(raw: raw.descriptor.raw, to: nested)
        for id in [raw.ioas, raw.parent, raw.viommu, nested, raw.device] {
            #expect(Errno.of { try kernel.destroy(id) } == .busy, "\(id)")
        }
        try kernel.detach(raw: raw.descriptor.raw)
        for id in [nested, vdevice, raw.viommu, raw.parent, raw.ioas] { try kernel.destroy(id) }
        #expect(Errno.of { try kernel.destroy(nested) } == .notFound)
        #expect(kernel.liveObjects == ["device"])
        let next = try kernel.allocateIOAS()
        #expect(next == raw.ioas)
    }

    @Test("a stage 1 wants a vDevice first, ABORT and bypass do not") func vdeviceFirst() throws {
        let bench = try Bench()
        let (kernel, raw) = (bench.kernel, try bench.raw())
        let hwpts = try [Word.translate, Word.abort, Word.bypass].map {
            try kernel.allocateNested(for: raw.device, in: raw.viommu, word0: $0, word1: 0, faultQueue: nil)
        }
        let errors = hwpts.map { hwpt in Errno.of { try kernel.attach(raw: raw.descriptor.raw, to: hwpt) } }
        #expect(errors == [.notFound, nil, nil])
        _ = try kernel.allocateVDevice(StreamID(7), for: raw.device, in: raw.viommu)
        try kernel.attach(raw: raw.descriptor.raw, to: hwpts[0])
        #expect(bench.device(0).installed.translates)
    }

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

    @Test(
        "STEs with other bits than a nested one may have are EIO",
        arguments: [
            (Word.translate, 0, nil), (Word.translate, 0x3800_00ff & ~(1 << 29), nil),
            (Word.translate, 2 << 28, .inputOutput),
            (Word.translate | 1 << 52, 0, .inputOutput), (Word.translate, 1 << 44, .inputOutput),
            (1 | 6 << 1, 0, .inputOutput), (1 | 7 << 1, 0, .inputOutput), (1 | 1 << 1, 0, .inputOutput),
            (Word.abort, 2 << 28, .inputOutput), (~1, .max, nil),
        ] as [(UInt64, UInt64, Errno?)])
    func entries(word0: UInt64, word1: UInt64, expected: Errno?) throws {
        let bench = try Bench()
        let raw = try bench.raw()
        let error = Errno.of {
            _ = try bench.kernel.allocateNested(
                for: raw.device, in: raw.viommu, word0: word0, word1: word1, faultQueue: nil)
        }
        #expect(error == expected)
    }

    @Test("objects of other kinds and unknown ones have the kernel's errors") func kinds() throws {
        let bench = try Bench()
        let (kernel, raw) = (bench.kernel, try bench.raw())
        let other = try kernel.bind(bench.device(2).path)
        let otherID = other.id
        let flush: [Command] = [.make(.tlbiNHAll)]
        let nested = try kernel.allocateNested(for: raw.device, in: raw.viommu, word0: 1, word1: 0, faultQueue: nil)
        let errors = [
            Errno.of { _ = try kernel.allocateNestParent(for: 99, over: raw.ioas) },
            Errno.of { _ = try kernel.allocateNestParent(for: raw.device, over: 99) },
            Errno.of { _ = try kernel.allocateVIOMMU(for: raw.device, over: 99) },
            Errno.of { _ = try kernel.allocateVIOMMU(for: otherID, over: raw.parent) },
            Errno.of { _ = try kernel.allocateNested(for: raw.device, in: 99, word0: 1, word1: 0, faultQueue: nil) },
            Errno.of { _ = try kernel.allocateVDevice(StreamID(1), for: otherID, in: raw.viommu) },
            Errno.of { try kernel.invalidate(flush.span, in: nested) },
            Errno.of { try kernel.invalidate(flush.span, in: raw.parent) },
            Errno.of { try kernel.invalidate(flush.span, in: 99) },
            Errno.of { try kernel.invalidate([Command]().span, in: raw.viommu) },
            Errno.of { try kernel.attach(raw: raw.descriptor.raw, to: raw.viommu) },
            Errno.of { try kernel.attach(raw: raw.descriptor.raw, to: 99) },
        ]
        #expect(
            errors == [
                .notFound, .invalid, .notFound, .invalid, .invalid, .invalid, .notSupported, .invalid, .notFound,
                .invalid,
                .invalid, .notFound,
            ])
    }

    @Test("a vSID and a device have one vDevice each") func oneVDevice() throws {
        let bench = try Bench()
        let (kernel, raw) = (bench.kernel, try bench.raw())
        let second = try kernel.bind(bench.device(1).path)
        let secondID = second.id
        _ = try kernel.allocateVDevice(StreamID(7), for: raw.device, in: raw.viommu)
        #expect(Errno.of { _ = try kernel.allocateVDevice(StreamID(8), for: raw.device, in: raw.viommu) } == .exists)
        #expect(Errno.of { _ = try kernel.allocateVDevice(StreamID(7), for: secondID, in: raw.viommu) } == .exists)
        _ = try kernel.allocateVDevice(StreamID(8), for: secondID, in: raw.viommu)
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

    @Test("what is not mapped, or only a part of a map, cannot be unmapped; nothing is mapped twice") func maps() throws
    {
        let bench = try Bench()
        let kernel = bench.kernel
        let ioas = try kernel.allocateIOAS()
        try kernel.mapFile(bench.map(0x10_0000, 0x4000), into: ioas)
        try kernel.mapFile(bench.map(0x10_4000, 0x4000), into: ioas)
        #expect(Errno.of { try kernel.mapFile(bench.map(0x10_3000), into: ioas) } == .exists)
        #expect(Errno.of { try kernel.mapFile(bench.map(0x20_0001), into: ioas) } == .invalid)
        #expect(Errno.of { try kernel.unmap(iova: 0x10_0000, length: 0x1000, from: ioas) } == .notFound)
        #expect(Errno.of { try kernel.unmap(iova: 0x20_0000, length: 0x1000, from: ioas) } == .notFound)
        #expect(Errno.of { try kernel.unmap(iova: 0x10_0000, length: 0, from: ioas) } == .invalid)
        // The first map has gone before the second one stops it.
        #expect(Errno.of { try kernel.unmap(iova: 0x10_0000, length: 0x5000, from: ioas) } == .notFound)
        #expect(kernel.areas.map(\.iova) == [0x10_4000])
        try kernel.unmap(iova: 0, length: .max, from: ioas)
        try kernel.unmap(iova: 0, length: .max, from: ioas)
        #expect(kernel.areas.isEmpty)
    }

    @Test("the MSI window is out of reach as soon as a device is attached, and keeps it out before") func window()
        throws
    {
        let bench = try Bench()
        let (kernel, raw) = (bench.kernel, try bench.raw())
        try kernel.mapFile(bench.map(0x080f_f000), into: raw.ioas)
        #expect(Errno.of { try kernel.attach(raw: raw.descriptor.raw, to: raw.parent) } == .inUse)
        try kernel.unmap(iova: 0x080f_f000, length: 4096, from: raw.ioas)
        try kernel.attach(raw: raw.descriptor.raw, to: raw.parent)
        #expect(Errno.of { try kernel.mapFile(bench.map(0x0800_0000), into: raw.ioas) } == .invalid)
        try kernel.mapFile(bench.map(0x0810_0000), into: raw.ioas)
        try kernel.mapFile(bench.map(0x07ff_f000), into: raw.ioas)
        #expect(Errno.of { try kernel.allowIOVAs([0...0x0fff_ffff], of: raw.ioas) } == .inUse)
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

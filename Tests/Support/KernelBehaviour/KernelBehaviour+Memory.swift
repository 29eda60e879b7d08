import IOMMUFD
import LinuxSystem
import SMMUv3

extension KernelBehaviour {
    static let memory: [KernelBehaviour] = [
        KernelBehaviour("nothing is mapped twice, and whole maps are unmapped") { subject in
            let kernel = try subject.machine.open()
            let (ioas, file) = (try kernel.allocateIOAS(), try MappedFile())
            func map(_ iova: UInt64, _ length: UInt64 = 0x1000) throws {
                try kernel.mapFile(file.mapping(iova, length), into: ioas)
            }
            func unmap(_ iova: UInt64, _ length: UInt64) throws {
                try kernel.unmap(iova: iova, length: length, from: ioas)
            }
            try map(0x10_0000, 0x4000)
            try map(0x10_4000, 0x4000)
            subject.expect(.exists, "mapping over a map") { try map(0x10_3000) }
            subject.expect(.notFound, "unmapping a part") { try unmap(0x10_0000, 0x1000) }
            subject.expect(.notFound, "unmapping what is not mapped") { try unmap(0x20_0000, 0x1000) }
            subject.expect(.invalid, "unmapping 0 bytes") { try unmap(0x10_0000, 0) }
            subject.expect(.notFound, "unmapping one map and a part of the next") { try unmap(0x10_0000, 0x5000) }
            subject.expect(.exists, "mapping over that one") { try map(0x10_4000) }
            subject.expect(nil, "mapping where the first was: it has gone") { try map(0x10_0000, 0x4000) }
            for _ in 0..<2 { subject.expect(nil, "unmapping everything, if there is something") { try unmap(0, .max) } }
        },
        KernelBehaviour("addresses are multiples of the page size once there is a stage 2, and not before") { subject in
            let setup = try subject.setUp()
            let (kernel, file) = (setup.kernel, try MappedFile())
            subject.expect(.invalid, "an odd address under a nest parent") {
                try kernel.mapFile(file.mapping(0x20_0001, 0x1000), into: setup.ioas)
            }
            subject.expect(.invalid, "an odd length under a nest parent") {
                try kernel.mapFile(file.mapping(0x20_0000, 0x1001), into: setup.ioas)
            }
            let other = try kernel.allocateIOAS()
            subject.expect(nil, "an odd address without") {
                try kernel.mapFile(file.mapping(0x20_0001, 0x1000), into: other)
            }
            subject.expect(.inUse, "a nest parent over it") {
                _ = try kernel.allocateNestParent(for: setup.device, over: other)
            }
        },
        KernelBehaviour("a read-only descriptor, a hole and an offset are mapped as any") { subject in
            let kernel = try subject.machine.open()
            let (ioas, file) = (try kernel.allocateIOAS(), try MappedFile())
            subject.expect(nil, "a part of the file, for reading") {
                try kernel.mapFile(file.mapping(0x10_0000, 0x2000, offset: 0x3000, writable: false), into: ioas)
            }
            subject.expect(.invalid, "neither for reading nor for writing") {
                var mapping = file.mapping(0x20_0000, 0x1000, writable: false)
                mapping.readable = false
                try kernel.mapFile(mapping, into: ioas)
            }
        },
        KernelBehaviour("the MSI window is left out once a device is attached, and what is there keeps it from that") {
            subject in
            let setup = try subject.setUp()
            let (kernel, file) = (setup.kernel, try MappedFile())
            func map(_ iova: UInt64) throws { try kernel.mapFile(file.mapping(iova, 0x1000), into: setup.ioas) }
            try map(0x080f_f000)
            subject.expect(.inUse, "attaching with memory in the window") { try setup.attach(setup.parent) }
            try kernel.unmap(iova: 0x080f_f000, length: 0x1000, from: setup.ioas)
            subject.expect(nil, "attaching without") { try setup.attach(setup.parent) }
            subject.expect(.invalid, "mapping into the window") { try map(0x0800_0000) }
            for iova: UInt64 in [0x07ff_f000, 0x0810_0000] {
                subject.expect(nil, "mapping beside it, at \(String(iova, radix: 16))") { try map(iova) }
            }
            subject.expect(.inUse, "allowing it") { try kernel.allowIOVAs([0...0x0fff_ffff], of: setup.ioas) }
            let ranges = try kernel.iovaRanges(of: setup.ioas)
            subject.expect(!ranges.contains { $0.contains(0x0800_0000) }, "the window is in no range of IOVAs")
        },
    ]

    static let events: [KernelBehaviour] = [
        KernelBehaviour("a vIOMMU has one vEVENTQ, of a depth from 1 to 2^19") { subject in
            let setup = try subject.setUp()
            let kernel = setup.kernel
            func allocate(_ depth: UInt32, in object: UInt32) throws {
                _ = try kernel.allocateEventQueue(in: object, depth: depth)
            }
            subject.expect(.invalid, "depth 0") { try allocate(0, in: setup.viommu) }
            subject.expect(.invalid, "depth 2^19 + 1") { try allocate(524_289, in: setup.viommu) }
            subject.expect(.notFound, "of an IOAS") { try allocate(4, in: setup.ioas) }
            let queue = try kernel.allocateEventQueue(in: setup.viommu, depth: 4)
            subject.expect(queue.id > 0, "it has a number")
            subject.expect(.exists, "a second one") { try allocate(4, in: setup.viommu) }
        },
        KernelBehaviour("an empty vEVENTQ reads as 0 bytes at once, and open it cannot be destroyed") { subject in
            let setup = try subject.setUp()
            let handle = try setup.kernel.allocateEventQueue(in: setup.viommu, depth: 4)
            let queue = handle.id
            let descriptor = HeldDescriptor(try handle.descriptor.duplicate())
            _ = consume handle
            for size in [40, 4096] {
                var bytes = [UInt8](repeating: 0, count: size)
                let count = try setup.kernel.readEvents(raw: descriptor.raw, into: &bytes)
                subject.expect(count == 0, "reading \(size) bytes gives none")
            }
            subject.expect(.busy, "destroying it while it is open") { try setup.kernel.destroy(queue) }
            subject.expect(.busy, "destroying its vIOMMU") { try setup.kernel.destroy(setup.viommu) }
            descriptor.close()
            subject.expect(nil, "destroying it") { try setup.kernel.destroy(queue) }
            subject.expect(nil, "destroying its vIOMMU then") { try setup.kernel.destroy(setup.viommu) }
        },
    ]
}

/// A file of memory, all of it a hole.
final class MappedFile {
    private let file: OwnedFD

    init() throws { file = try OwnedFD.memory(named: "kernel-behaviour", size: 1 << 20) }

    func mapping(
        _ iova: UInt64, _ length: UInt64, offset: UInt64 = 0, writable: Bool = true
    ) -> FileMapping {
        FileMapping(
            descriptor: file.raw, offset: offset, length: length, iova: iova, readable: true, writable: writable)
    }
}

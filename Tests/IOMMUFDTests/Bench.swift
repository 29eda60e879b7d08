import FakeKernel
import IOMMUFD
import LinuxSystem
import SMMUv3

/// A fake kernel on a machine of two SMMUs: devices 0 and 1 are behind the first, 2 is behind the second.
final class Bench {
    let machine: FakeMachine
    let kernel: FakeKernel
    let memory: OwnedFD

    init() throws {
        let first = FakeSMMU("smmu3.0x9050000", .physical)
        let second = FakeSMMU("smmu3.0x9090000", .physical)
        machine = FakeMachine([
            FakeDevice("0000:01:00.0", on: first, StreamID(0x100), hasATS: true),
            FakeDevice("0000:01:00.1", on: first, StreamID(0x101)),
            FakeDevice("0000:02:00.0", on: second, StreamID(0x200)),
        ])
        kernel = FakeKernel(machine)
        memory = try OwnedFD.memory(named: "bench", size: 1 << 20)
    }

    func device(_ number: Int) -> FakeDevice { machine.devices[number] }

    func map(_ iova: UInt64, _ length: UInt64 = 4096, offset: UInt64 = 0) -> FileMapping {
        FileMapping(
            descriptor: memory.raw, offset: offset, length: length, iova: iova, readable: true, writable: true)
    }

    /// A device of the machine, bound.
    func bind(_ number: Int) throws -> BoundDevice {
        try BoundDevice(device(number).name, at: device(number).path, of: kernel)
    }

    /// As the numbers of the kernel: for tests of what it does itself.
    struct Raw {
        let device: UInt32
        let descriptor: SharedDescriptor
        let ioas: UInt32
        let parent: UInt32
        let viommu: UInt32
    }

    func raw(_ number: Int = 0) throws -> Raw {
        let handle = try kernel.bind(device(number).path)
        let id = handle.id
        let descriptor = SharedDescriptor(try handle.descriptor.duplicate())
        let ioas = try kernel.allocateIOAS()
        let parent = try kernel.allocateNestParent(for: id, over: ioas)
        let viommu = try kernel.allocateVIOMMU(for: id, over: parent)
        return Raw(device: id, descriptor: descriptor, ioas: ioas, parent: parent, viommu: viommu)
    }
}

/// A descriptor that several can refer to.
final class SharedDescriptor {
    private var fd: OwnedFD?
    init(_ fd: consuming OwnedFD) { self.fd = Optional(fd) }
    var raw: Int32 { fd?.raw ?? -1 }
    func duplicate() throws -> SharedDescriptor {
        guard let copy = try fd?.duplicate() else { throw Errno.badDescriptor }
        return SharedDescriptor(copy)
    }
    func close() { fd = nil }
}

extension IDRegisters {
    /// Both stages, ATS, SubstreamIDs, ranges, 16-bit ASIDs.
    static let physical = IDRegisters(
        idr0: 3 | 2 << 2 | 1 << 4 | 1 << 10 | 1 << 12 | 1 << 19 | 2 << 21 | 1 << 24 | 1 << 27,
        idr1: 8 | 8 << 6 | 10 << 16 | 10 << 21, idr3: 1 << 10, idr5: 4 | 7 << 4 | 4 << 16, aidr: 2)
}

/// Word 0 of STEs.
enum Word {
    static let abort: UInt64 = 1
    static let bypass: UInt64 = 9
    static let translate: UInt64 = 0xb | 0x4000_0000
}

extension Errno {
    /// What a call fails with; nil when it does not.
    static func of(_ work: () throws -> Void) -> Errno? {
        do {
            try work()
            return nil
        } catch let error as Errno { return error } catch { return nil }
    }
}

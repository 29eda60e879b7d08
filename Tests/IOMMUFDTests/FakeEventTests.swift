import FakeKernel
import IOMMUFD
import LinuxSystem
import SMMUv3
import Testing

/// The fake kernel's event queues (drivers/iommu/iommufd/eventq.c), as they were measured on Linux 7.3.4.
@Suite struct FakeEventTests {
    private struct Setup {
        let bench: Bench
        let raw: Bench.Raw
        let queue: UInt32
        let descriptor: SharedDescriptor
    }

    /// A device that is attached as vSID 7.
    private func setup(depth: UInt32 = 4) throws -> Setup {
        let bench = try Bench()
        let raw = try bench.raw()
        let handle = try bench.kernel.allocateEventQueue(in: raw.viommu, depth: depth)
        let (id, descriptor) = (handle.id, SharedDescriptor(try handle.descriptor.duplicate()))
        _ = try bench.kernel.allocateVDevice(StreamID(7), for: raw.device, in: raw.viommu)
        let nested = try bench.kernel.allocateNested(
            for: raw.device, in: raw.viommu, word0: Word.translate, word1: 0, faultQueue: nil)
        try bench.kernel.attach(raw: raw.descriptor.raw, to: nested)
        return Setup(bench: bench, raw: raw, queue: id, descriptor: descriptor)
    }

    private func read(_ setup: Setup, _ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = try setup.bench.kernel.readEvents(raw: setup.descriptor.raw, into: &bytes)
        return Array(bytes[..<got])
    }

    private func raise(_ setup: Setup, _ count: Int) {
        for number in 0..<count {
            setup.bench.kernel.raise(EventRecord(0x10, 0, UInt64(number) << 12, 0), by: setup.bench.device(0))
        }
    }

    @Test("an empty queue reads as 0 bytes at once; buffers that are too short are EINVAL") func buffers() throws {
        let setup = try setup()
        #expect(try read(setup, 4096).isEmpty)
        #expect(Errno.of { _ = try read(setup, 7) } == .invalid)
        raise(setup, 2)
        #expect(Errno.of { _ = try read(setup, 39) } == .invalid)
        // Whole records only.
        #expect(try read(setup, 79).count == 40)
        let rest = try read(setup, 4096)
        #expect(rest.count == 40 && rest[0] == 0 && rest[4] == 1 && rest[8] == 0x10 && rest[12] == 7)
        #expect(try read(setup, 4096).isEmpty)
    }

    @Test("7 events of which 4 have room: 4 records, and a marker with the number of the last that was lost")
    func overflow() throws {
        let setup = try setup()
        raise(setup, 7)
        let bytes = try read(setup, 4096)
        #expect(bytes.count == 4 * 40 + 8 && bytes[160] == 1 && bytes[164] == 6)
        raise(setup, 1)
        #expect(try read(setup, 4096).dropFirst(4).first == 7)
    }

    @Test("when a record follows, the marker is gone and the numbers have a gap") func gap() throws {
        let setup = try setup()
        raise(setup, 6)
        _ = try read(setup, 40)
        raise(setup, 1)
        let bytes = try read(setup, 4096)
        #expect(bytes.count == 160 && [bytes[4], bytes[44], bytes[84], bytes[124]] == [1, 2, 3, 6])
    }

    @Test("the descriptor is readable while there is something; open, it keeps the queue") func descriptor() throws {
        let setup = try setup()
        func isReadable() throws -> Bool {
            let epoll = try Epoll()
            try epoll.add(setup.descriptor.raw, .readable, data: 1)
            var batch = Epoll.emptyBatch
            return try epoll.wait(&batch, milliseconds: 0) > 0
        }
        #expect(try !isReadable())
        raise(setup, 6)
        #expect(try isReadable())
        _ = try read(setup, 80)
        #expect(try isReadable())
        _ = try read(setup, 4096)
        #expect(try !isReadable())
        let copy = try setup.descriptor.duplicate()
        setup.descriptor.close()
        #expect(Errno.of { try setup.bench.kernel.destroy(setup.queue) } == .busy)
        copy.close()
        try setup.bench.kernel.destroy(setup.queue)
    }

    @Test("one queue for each vIOMMU, of a depth the kernel allows") func allocation() throws {
        let setup = try setup()
        let (kernel, viommu) = (setup.bench.kernel, setup.raw.viommu)
        #expect(Errno.of { _ = try kernel.allocateEventQueue(in: viommu, depth: 4) } == .exists)
        #expect(Errno.of { _ = try kernel.allocateEventQueue(in: viommu, depth: 0) } == .invalid)
        #expect(Errno.of { _ = try kernel.allocateEventQueue(in: viommu, depth: 524_289) } == .invalid)
        #expect(Errno.of { _ = try kernel.allocateEventQueue(in: setup.raw.ioas, depth: 4) } == .notFound)
    }

    @Test(
        "faults of stage 2 and other kinds stay in the kernel's log",
        arguments: [
            (0x10, 0, true), (0x13, 0, true), (0x04, 0, true), (0x0a, 0, true), (0x10, 1 << 39, false),
            (0x10, 1 << 31, false), (0x02, 0, false), (0x03, 0, false), (0x24, 0, false),
        ] as [(UInt64, UInt64, Bool)])
    func forwarding(kind: UInt64, word1: UInt64, forwarded: Bool) throws {
        let setup = try setup()
        let told = setup.bench.kernel.raise(EventRecord(kind, word1, 0, 0), by: setup.bench.device(0))
        #expect(told == forwarded)
        #expect(try read(setup, 4096).isEmpty == !forwarded)
    }
}

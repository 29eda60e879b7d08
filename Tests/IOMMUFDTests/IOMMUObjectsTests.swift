import FakeKernel
import IOMMUFD
import LinuxSystem
import SMMUv3
import Testing

/// That nothing is destroyed before what refers to it, whoever lets go first.
@Suite struct IOMMUObjectsTests {
    /// Everything that a device under a vSMMU consists of.
    private struct Everything {
        var ioas: IOAS?
        var device: BoundDevice?
        var parent: NestParent?
        var viommu: VIOMMU?
        var queue: EventQueue?
        var nested: NestedHWPT?
        var vdevice: VDevice?

        mutating func drop(_ number: Int) {
            switch number {
            case 0: ioas = nil
            case 1: device = nil
            case 2: parent = nil
            case 3: viommu = nil
            case 4: queue = nil
            case 5: nested = nil
            default: vdevice = nil
            }
        }
    }

    private func everything(_ bench: Bench, attached: Bool) throws -> Everything {
        let device = try bench.bind(0)
        let ioas = try IOAS(bench.kernel)
        try ioas.map(bench.map(0x4000_0000, 0x4000))
        let parent = try NestParent(for: device, over: ioas)
        let viommu = try VIOMMU(for: device, over: parent)
        let queue = try EventQueue(in: viommu, depth: 16)
        let vdevice = try VDevice(StreamID(7), for: device, in: viommu)
        let nested = try NestedHWPT(for: device, in: viommu, word0: Word.translate, word1: 0)
        if attached { try device.attach(nested) }
        return Everything(
            ioas: ioas, device: device, parent: parent, viommu: viommu, queue: queue, nested: nested, vdevice: vdevice)
    }

    @Test("in whatever order the parts are let go, all is destroyed and nothing is refused", arguments: 0..<64)
    func orders(seed: Int) throws {
        let bench = try Bench()
        var all = try everything(bench, attached: seed % 4 != 0)
        var order = Array(0..<7)
        var state = UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 | 1
        for index in order.indices.reversed() {
            state = state &* 6_364_136_223_846_793_005 &+ 1
            order.swapAt(index, Int(state >> 33) % (index + 1))
        }
        for number in order { all.drop(number) }
        #expect(bench.kernel.liveObjects == [], "\(order)")
        #expect(!bench.device(0).isBound && bench.device(0).installed == .blocked)
        // Each was destroyed the first time, and none by the kernel itself.
        #expect(bench.kernel.count(of: .destroy) == 6, "\(order)")
    }

    @Test("a copy of the device's descriptor keeps what somebody else has attached, until it is closed")
    func strangersAttachment() throws {
        let bench = try Bench()
        var all: Everything? = try everything(bench, attached: true)
        let copy = try Self.copy(of: try #require(all?.device))
        let parent = try #require(all?.parent?.id)
        try bench.kernel.attach(raw: copy.raw, to: parent)
        #expect(bench.device(0).installed == .stage2Only)
        all = nil
        // The device was detached first, so that nothing was in the way.
        #expect(bench.device(0).installed == .blocked && bench.device(0).isBound)
        #expect(bench.kernel.liveObjects == ["device"])
        copy.close()
        #expect(bench.kernel.liveObjects == [] && !bench.device(0).isBound)
    }

    private static func copy(of device: BoundDevice) throws -> SharedDescriptor {
        SharedDescriptor(try device.duplicate())
    }

    @Test("memory is mapped in areas of at most 1 GiB, all or nothing", arguments: 0..<4)
    func areas(failing: Int) throws {
        let bench = try Bench()
        let ioas = try IOAS(bench.kernel)
        let size = 2 * IOAS.maximumArea + 0x2000
        if failing < 3 { bench.kernel.fail(.mapFile, .noMemory, after: failing) }
        do {
            try ioas.map(bench.map(0x4000_0000, size))
            #expect(failing == 3)
            #expect(bench.kernel.areas.map(\.length) == [1 << 30, 1 << 30, 0x2000] && ioas.mappedBytes == size)
            // Interrupted after one area, the rest goes with the next attempt.
            bench.kernel.fail(.unmap, .busy, after: 1)
            #expect(throws: IOMMUError.self) { try ioas.unmap(iova: 0x4000_0000, length: size) }
            try ioas.unmap(iova: 0x4000_0000, length: size)
        } catch {
            #expect(failing < 3 && error.cause == .memory(size))
        }
        #expect(bench.kernel.areas.isEmpty && ioas.mappedBytes == 0)
    }

    @Test("an object that could not be made leaves nothing")
    func failures() throws {
        let bench = try Bench()
        for call in [FakeKernel.Call.bind, .nestParent, .viommu, .eventQueue, .vdevice, .nested, .attach] {
            bench.kernel.fail(call, .noMemory)
            #expect(throws: IOMMUError.self) { _ = try everything(bench, attached: true) }
            #expect(bench.kernel.liveObjects == [], "\(call)")
        }
        _ = try everything(bench, attached: true)
        #expect(bench.kernel.liveObjects == [])
    }
}

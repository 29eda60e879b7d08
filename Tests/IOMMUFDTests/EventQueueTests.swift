import FakeKernel
import IOMMUFD
import LinuxSystem
import SMMUv3
import Testing

@Suite struct EventQueueTests {
    @Test("lost records are counted exactly, also where the numbers wrap") func sequence() {
        var sequence = EventQueueSequence()
        #expect(sequence.record(0) == 0 && sequence.record(1) == 0)
        // 2, 3 and 4 are missing; then 6 and 7, of which a marker tells, and 8.
        #expect(sequence.record(5) == 3 && sequence.marker(7) == 2 && sequence.record(9) == 1)
        #expect(sequence.marker(9) == 0)
        var wrapping = EventQueueSequence()
        #expect(wrapping.record(0x7fff_fffe) == 0x7fff_fffe)
        #expect(wrapping.record(0x7fff_ffff) == 0 && wrapping.record(0) == 0)
        #expect(wrapping.marker(2) == 2)
        var beforeWrap = EventQueueSequence()
        _ = beforeWrap.record(0x7fff_fffd)
        #expect(beforeWrap.record(1) == 3)
        var fresh = EventQueueSequence()
        #expect(fresh.marker(2) == 3, "a marker before any record")
    }

    private struct Setup {
        let bench: Bench
        let device: BoundDevice
        let queue: EventQueue
        let vdevice: VDevice

        init(depth: UInt32) throws {
            bench = try Bench()
            device = try bench.bind(0)
            let viommu = try VIOMMU(for: device, over: try NestParent(for: device, over: try IOAS(bench.kernel)))
            queue = try EventQueue(in: viommu, depth: depth)
            vdevice = try VDevice(StreamID(7), for: device, in: viommu)
            try device.attach(try NestedHWPT(for: device, in: viommu, word0: Word.translate, word1: 0))
        }

        func raise(_ addresses: Range<Int>) {
            for address in addresses {
                bench.kernel.raise(EventRecord(0x10, 0, UInt64(address), 0), by: bench.device(0))
            }
        }

        func read(_ count: Int) throws -> (addresses: [UInt64], lost: UInt64) {
            var slots = [EventRecord](repeating: EventRecord(), count: count)
            var span = slots.mutableSpan
            let reading = try queue.read(into: &span)
            return (slots[..<reading.count].map(\.inputAddress), reading.lost)
        }
    }

    @Test("records come in order with the guest's number, as many as there is room for") func order() throws {
        let setup = try Setup(depth: 100)
        setup.raise(0..<10)
        let first = try setup.read(4)
        #expect(first.addresses == [0, 1, 2, 3] && first.lost == 0)
        #expect(setup.queue.hasRemainder, "the rest has left the kernel")
        let rest = try setup.read(16)
        #expect(rest.addresses == [4, 5, 6, 7, 8, 9] && rest.lost == 0 && !setup.queue.hasRemainder)
        let none = try setup.read(16)
        #expect(none.addresses.isEmpty && none.lost == 0)
    }

    @Test("a loss is told where it is: with the next record, or alone when nothing has followed") func losses() throws {
        let setup = try Setup(depth: 3)
        setup.raise(0..<5)
        let first = try setup.read(16)
        #expect(first.addresses == [0, 1, 2] && first.lost == 0)
        let marker = try setup.read(16)
        #expect(marker.addresses.isEmpty && marker.lost == 2)
        setup.raise(5..<9)
        _ = try setup.read(1)
        setup.raise(9..<10)
        let after = try [setup.read(16), setup.read(16), setup.read(16)]
        #expect(after.map(\.addresses) == [[6, 7], [9], []] && after.map(\.lost) == [0, 1, 0])
    }

    @Test("the kernel's numbers wrap below 2^31, and nothing is counted as lost") func wrap() throws {
        let setup = try Setup(depth: 100)
        let viommu = try #require(setup.bench.kernel.viommus.first)
        setup.raise(0..<1)
        _ = try setup.read(4)
        setup.bench.kernel.numberNextEvent(0x7fff_fffe, in: viommu)
        setup.raise(1..<5)
        let jump = try setup.read(16)
        #expect(jump.addresses == [1, 2, 3, 4] && jump.lost == 0x7fff_fffd)
    }
}

import SMMUv3
import Scenarios
import Testing

struct QueueTests {
    @Test("queue.entry-sizes: a command is 16 bytes, an event 32, a page request 16")
    func sizes() {
        #expect(QueuePointers.commandBytes == 16 && Command.byteCount == 16)
        #expect(QueuePointers.eventBytes == 32 && EventRecord.byteCount == 32)
        #expect(QueuePointers.pageRequestBytes == 16 && PageRequest.byteCount == 16)
    }

    @Test("queue.index: a pointer is an index and a wrap bit above it; other bits do not count", arguments: 0...19)
    func index(log2Size: Int) {
        let queue = QueuePointers(log2Size: log2Size)
        let size = (0..<log2Size).reduce(1) { product, _ in product * 2 }
        for seed in seeds {
            var random = SplitMix64(seed: seed)
            let pointer = UInt32(random.bits(32))
            #expect(queue.index(pointer) == Int(pointer) % size, "seed \(seed)")
            let junk = UInt32(random.bits(32)) & ~UInt32(2 * size - 1)
            #expect(queue.index(pointer ^ junk) == queue.index(pointer), "seed \(seed)")
            #expect(queue.isEmpty(prod: pointer ^ junk, cons: pointer), "seed \(seed)")
            #expect(queue.count(prod: pointer ^ junk, cons: pointer) == 0, "seed \(seed)")
        }
        #expect(queue.indexMask == UInt32(size - 1) && queue.pointerMask == UInt32(2 * size - 1))
    }

    @Test("A queue has at most 2^19 entries")
    func limit() {
        #expect(QueuePointers(log2Size: 31).log2Size == 19)
        #expect(QueuePointers(log2Size: -1).log2Size == 0)
    }

    @Test("queue.empty-full: equal indices are empty with equal wrap bits, full with unequal ones", arguments: 0...5)
    func emptyAndFull(log2Size: Int) {
        let queue = QueuePointers(log2Size: log2Size)
        let size = 1 << UInt32(log2Size)
        for cons in 0..<UInt32(2 * size) {
            for count in 0...size {
                let prod = (cons + UInt32(count)) % UInt32(2 * size)
                #expect(queue.isEmpty(prod: prod, cons: cons) == (count == 0), "CONS \(cons), \(count) entries")
                #expect(queue.isFull(prod: prod, cons: cons) == (count == size), "CONS \(cons), \(count) entries")
                #expect(queue.count(prod: prod, cons: cons) == count, "CONS \(cons), \(count) entries")
            }
        }
    }

    @Test("queue.wrap: behind the last entry comes entry 0 with the wrap bit turned", arguments: 0...19)
    func wrap(log2Size: Int) {
        let queue = QueuePointers(log2Size: log2Size)
        let size = UInt32(1) << UInt32(log2Size)
        // Bits above the wrap bit are others' (ERR, OVFLG) and stay.
        for others in [0, ~(2 * size - 1)] {
            #expect(queue.advance(others | (size - 1)) == others | size)
            #expect(queue.advance(others | (2 * size - 1)) == others)
        }
        var (pointer, indices) = (UInt32(0), Set<Int>())
        for _ in 0..<min(size, 64) {
            indices.insert(queue.index(pointer))
            pointer = queue.advance(pointer)
        }
        #expect(indices.count == Int(min(size, 64)))
    }

    @Test("queue.pri-record: every field of a page request is read and written in its own bits", arguments: seeds)
    func pageRequest(seed: UInt64) {
        let first = "StreamID[31:0] SubstreamID[51:32] Priv[58] X[59] R[60] W[61] Last[62] SSV[63]"
        #expect(Layout.entries(of: PageRequest.fields, word: 0) == Set(Layout(first).entries))
        let second = "PRGIndex[8:0] Address[63:12]"
        #expect(Layout.entries(of: PageRequest.fields, word: 1) == Set(Layout(second).entries))

        var random = SplitMix64(seed: seed)
        let before = PageRequest(d0: random.next(), d1: random.next())
        let value = random.next()
        func expect(_ d0: UInt64, _ d1: UInt64, _ bits: UInt64, _ change: (inout PageRequest) -> Void) {
            var after = before
            change(&after)
            let expected = PageRequest(
                d0: before.d0 & ~d0 | (d0 == 0 ? 0 : bits), d1: before.d1 & ~d1 | (d1 == 0 ? 0 : bits))
            #expect(after == expected, "masks \(d0.hex) \(d1.hex), seed \(seed)")
        }
        expect(0xffff_ffff, 0, value & 0xffff_ffff) { $0.streamID = StreamID(UInt32(value & 0xffff_ffff)) }
        expect(0x800f_ffff_0000_0000, 0, 1 << 63 | (value & 0xfffff) << 32) {
            $0.substreamID = SubstreamID(UInt32(value & 0xfffff))
        }
        expect(0x800f_ffff_0000_0000, 0, 0) { $0.substreamID = nil }
        for set in [false, true] {
            expect(1 << 58, 0, set ? 1 << 58 : 0) { $0.privileged = set }
            expect(1 << 59, 0, set ? 1 << 59 : 0) { $0.execute = set }
            expect(1 << 60, 0, set ? 1 << 60 : 0) { $0.read = set }
            expect(1 << 61, 0, set ? 1 << 61 : 0) { $0.write = set }
            expect(1 << 62, 0, set ? 1 << 62 : 0) { $0.last = set }
        }
        expect(0, 0x1ff, value & 0x1ff) { $0.groupIndex = Int(value & 0x1ff) }
        expect(0, ~0xfff, value & ~0xfff) { $0.address = value }

        #expect(before.streamID.rawValue == UInt32(truncatingIfNeeded: before.d0), "seed \(seed)")
        let substream = before.d0 >> 63 == 1 ? SubstreamID(UInt32(before.d0 >> 32 & 0xfffff)) : nil
        #expect(before.substreamID == substream, "seed \(seed)")
        let flags = [before.privileged, before.execute, before.read, before.write, before.last]
        #expect(flags == (58...62).map { before.d0.bit($0) }, "seed \(seed)")
        #expect(before.groupIndex == Int(before.d1 & 0x1ff) && before.address == before.d1 & ~0xfff)
        #expect(PageRequest(littleEndianBytes: before.littleEndianBytes) == before)
        #expect(before.describe().contains { $0.name == "SubstreamID" } == (substream != nil), "seed \(seed)")
    }
}

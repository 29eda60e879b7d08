import Captures
import LinuxSystem
import SMMUv3
import Testing

@testable import Replay

@Suite("A captured guest's memory and stream table")
struct GuestMemoryTests {
    private func guest(
        _ words: [UInt64: UInt64], zeroPages: [UInt64] = [], added: Set<UInt64> = [], maximumRanges: Int = 16
    ) throws -> GuestMemory {
        let addresses = Set(words.keys.map { $0 & ~0xfff }).union(zeroPages).sorted()
        var pages = CapturePages(zeroPagesAt: addresses)
        for (address, word) in words { pages.store(word: word, at: address) }
        return try GuestMemory(pages, adding: added, below: 1 << 44, maximumRanges: maximumRanges)
    }

    @Test("The file is memory that cannot shrink, and holds the pages where the layout says")
    func file() throws {
        let guest = try guest([0x4000_1008: 7, 0x8000_0000: 9])
        let info = try guest.file.inspectMemory()
        #expect(info.kind == .shmem)
        #expect(info.seals.isSuperset(of: [.shrink]))
        let mapping = try Mapping(guest.file, count: Int(info.size), writable: false)
        for (address, word) in [(UInt64(0x4000_1008), UInt64(7)), (0x8000_0000, 9)] {
            let offset = try #require(guest.layout.offset(of: address))
            let there = mapping.loadWord(at: offset)
            #expect(there == word)
            #expect(guest.word(at: address) == word)
        }
    }

    @Test("A hole within a range is no memory to the VMM")
    func holes() throws {
        let guest = try guest([0x1000: 1, 0x5000: 5], added: [0x9000], maximumRanges: 1)
        #expect(guest.layout.ranges.count == 1)
        #expect(guest.word(at: 0x3000) == nil)
        #expect(guest.word(at: 0x9000) == 0)
        #expect(guest.word(at: 0xa000) == nil)
        #expect(guest.word(at: 0x1004) == nil)
        #expect(guest.word(at: .max) == nil)
        #expect(!guest.store(1, at: 0x3000))
    }

    @Test("Bytes can be stored anywhere, across pages, but not beyond what is there")
    func bytes() throws {
        let guest = try guest([:], zeroPages: [0x1000, 0x2000])
        let stored = guest.store(bytes: [1, 2, 3, 4], at: 0x1ffe)
        #expect(stored)
        #expect(guest.word(at: 0x1ff8) == 0x0201_0000_0000_0000)
        #expect(guest.word(at: 0x2000) == 0x0403)
        let beyond = guest.store(bytes: [1, 2], at: 0x2fff)
        #expect(!beyond)
        #expect(guest.word(at: 0x2ff8) == 0)
        let wrapped = guest.store(bytes: [1, 2], at: .max)
        #expect(!wrapped)
    }

    @Test("The command queue's page is apart from the guest's RAM")
    func queue() throws {
        let guest = try guest([0x1000: 1])
        #expect(guest.layout.offset(of: guest.queue) == nil)
        let stored = guest.store(0xabc, at: guest.queue + 8)
        #expect(stored)
        #expect(guest.word(at: guest.queue + 8) == 0xabc)
        #expect(guest.word(at: 0x1000) == 1)
    }

    private static let ids = IDRegisters(idr0: 1 << 27, idr1: 16)

    @Test("STEs of a linear table: there, absent, unreadable; those that let something through are found")
    func linear() throws {
        let guest = try guest([
            0x10_0000 + 5 * 64: 0x0b, 0x10_0000 + 5 * 64 + 8: 0xd4, 0x10_3000 + 3 * 64: 9, 0x10_3000 + 5 * 64: 1,
        ])
        let table = StreamTable(base: 0x10_0000, baseConfig: 8, ids: Self.ids)
        #expect(table.entry(of: 5, in: guest) == .words(StreamTableEntry(0x0b, 0xd4)))
        #expect(table.entry(of: 6, in: guest) == .words(StreamTableEntry()))
        #expect(table.entry(of: 64, in: guest) == .unreadable)
        #expect(table.entry(of: 256, in: guest) == .absent)
        #expect(table.activeStreams(in: guest, limit: 10) == [5, 195])
        #expect(table.activeStreams(in: guest, limit: 1) == [5])
    }

    @Test("A two-level table: by the span of each descriptor, across those that are invalid")
    func twoLevel() throws {
        let guest = try guest([
            0x20_0000 + 1 * 8: 0x30_0000 | 9, 0x30_0000 + 7 * 64: 9, 0x30_1000: 0xb,
            0x20_0000 + 4 * 8: 0x40_0000 | 3, 0x40_0000 + 3 * 64: 0xf, 0x40_0000 + 4 * 64: 9,
        ])
        let table = StreamTable(base: 0x20_0000, baseConfig: 1 << 16 | 8 << 6 | 16, ids: Self.ids)
        #expect(table.entry(of: 0, in: guest) == .absent)
        #expect(table.entry(of: 1024 + 4, in: guest) == .absent)
        // The span of the second descriptor covers 4 STEs; the fifth is beyond it.
        let expected: [UInt32] = [263, 320, 1027]
        #expect(table.activeStreams(in: guest, limit: 10) == expected)
    }

    @Test("A table that is not there has no streams, and looking for them ends")
    func nothing() throws {
        let guest = try guest([0x1000: 2])
        let ids = IDRegisters(idr0: 1 << 27, idr1: 32)
        for config: UInt32 in [32, 0x1_0220, 0x3f] {
            let table = StreamTable(base: 0xffff_ffff_ffff_ffc0, baseConfig: config, ids: ids)
            #expect(table.activeStreams(in: guest, limit: 10).isEmpty)
        }
    }
}

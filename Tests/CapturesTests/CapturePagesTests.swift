import CaptureFixtures
import Captures
import Testing

@Suite struct CapturePagesTests {
    /// Two neighbours, one alone, and the very last page of the address space.
    static let pages = CapturePages(zeroPagesAt: [0x1000, 0x2000, 0x8_0000_0000, 0xffff_ffff_ffff_f000])

    @Test(arguments: [0, 0xff8, 0x3000, 0x7_ffff_fff8, 0x8_0000_1000, 0xffff_ffff_ffff_eff8] as [UInt64])
    func absentPagesHaveNoWords(pa: UInt64) {
        var pages = CapturePagesTests.pages
        #expect(pages.word(at: pa) == nil)
        #expect(!pages.contains(pa))
        let storedWord = pages.store(word: 1, at: pa)
        #expect(!storedWord)
        let storedBytes = pages.store(bytes: [1], at: pa)
        #expect(!storedBytes)
    }

    @Test(arguments: [0x1000, 0x1ff8, 0x2000, 0x8_0000_0ff8, 0xffff_ffff_ffff_fff8] as [UInt64])
    func storedWordsAreReadBack(pa: UInt64) {
        var pages = CapturePagesTests.pages
        #expect(pages.word(at: pa) == 0)
        let stored = pages.store(word: 0x0123_4567_89ab_cdef, at: pa)
        #expect(stored)
        #expect(pages.word(at: pa) == 0x0123_4567_89ab_cdef)
        #expect(pages.bytes(at: pa, count: 8) == [0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01])
        #expect(CapturePagesTests.pages.word(at: pa) == 0, "the copy must not write through")
        #expect(pages.word(at: pa + 4) == nil, "a word has an aligned address")
    }

    @Test func bytesCrossWordsAndPages() {
        var pages = CapturePagesTests.pages
        let bytes = Array(UInt8(1)...20)
        let stored = pages.store(bytes: bytes, at: 0x1ff3)
        #expect(stored)
        #expect(pages.bytes(at: 0x1ff3, count: 20) == bytes)
        #expect(pages.word(at: 0x1ff0) == 0x0504_0302_0100_0000)
        #expect(pages.word(at: 0x2000) == 0x0014_1312_1110_0f0e)
        let storedNothing = pages.store(bytes: [], at: 0)
        #expect(storedNothing)
    }

    @Test(arguments: [(0x2ffc, 8), (0xffc, 8), (0xffff_ffff_ffff_fffc, 8)] as [(UInt64, Int)])
    func aStoreThatLeavesTheMemoryChangesNothing(pa: UInt64, count: Int) {
        var pages = CapturePagesTests.pages
        let stored = pages.store(bytes: Array(repeating: 0xff, count: count), at: pa)
        #expect(!stored)
        #expect(pages.bytes(at: pa, count: count) == nil)
        for page in pages.addresses { #expect(pages.bytes(at: page, count: 4096) == Array(repeating: 0, count: 4096)) }
    }

    @Test func hugeRangesAreAbsent() {
        #expect(CapturePagesTests.pages.bytes(at: 0, count: .max) == nil)
        #expect(CapturePagesTests.pages.bytes(at: 0x1000, count: .max) == nil)
        #expect(CapturePagesTests.pages.bytes(at: 0x1000, count: -1) == nil)
        #expect(CapturePages(zeroPagesAt: []).word(at: 0) == nil)
    }

    /// Every page of a real capture is found, none of the pages between them is.
    @Test(arguments: CaptureFixtures.names)
    func exactlyTheListedPagesAreThere(name: String) throws {
        let pages = try Capture(directory: try CaptureFixtures.directory(named: name)).pages
        let listed = Set(pages.addresses)
        for address in pages.addresses {
            #expect(pages.word(at: address) != nil)
            #expect(pages.word(at: address + 4088) != nil)
            #expect(pages.contains(address + 4096) == listed.contains(address + 4096))
            #expect(pages.contains(address - 4096) == listed.contains(address - 4096))
        }
    }
}

import Testing

@testable import Replay

@Suite("Guest layout")
struct GuestLayoutTests {
    private func ranges(_ pages: [UInt64], _ maximum: Int) -> [[UInt64]] {
        GuestLayout(pages: pages.map { $0 << 12 }, maximumRanges: maximum).ranges.map {
            [$0.ipa >> 12, $0.size >> 12, $0.offset >> 12]
        }
    }

    @Test("Pages next to each other are one range, and ranges lie one behind the other in the file")
    func runs() {
        #expect(ranges([1, 2, 3, 7, 8, 20], 16) == [[1, 3, 0], [7, 2, 3], [20, 1, 5]])
    }

    @Test("The smallest gaps are closed when there may be no more ranges", arguments: [(3, 3), (2, 2), (1, 1), (0, 1)])
    func limit(maximum: Int, expected: Int) {
        let ranges = ranges([1, 3, 10, 30], maximum)
        #expect(ranges.count == expected)
        if expected == 3 { #expect(ranges == [[1, 3, 0], [10, 1, 3], [30, 1, 4]]) }
        if expected == 2 { #expect(ranges == [[1, 10, 0], [30, 1, 10]]) }
        if expected == 1 { #expect(ranges == [[1, 30, 0]]) }
    }

    @Test("No pages, no ranges")
    func empty() {
        let layout = GuestLayout(pages: [], maximumRanges: 16)
        #expect(layout.ranges.isEmpty)
        #expect(layout.size == 0)
        #expect(layout.offset(of: 0) == nil)
    }

    @Test("The last page of the address space is like any other")
    func top() {
        let top = UInt64.max >> 12
        #expect(ranges([0, top], 2) == [[0, 1, 0], [top, 1, 1]])
    }

    @Test("Every page is in exactly one range, whatever the pages and the limit are")
    func covers() {
        var generator = SplitMix(state: 0x5eed_1a70)
        for _ in 0..<200 {
            let count = Int.random(in: 1...60, using: &generator)
            let pages = Set((0..<count).map { _ in UInt64.random(in: 0..<200, using: &generator) }).sorted()
            let maximum = Int.random(in: 1...20, using: &generator)
            let layout = GuestLayout(pages: pages.map { $0 << 12 }, maximumRanges: maximum)
            #expect(layout.ranges.count <= maximum, "seed 0x5eed1a70")
            #expect(layout.size == layout.ranges.reduce(0) { $0 + $1.size })
            var offsets: Set<UInt64> = []
            for page in pages {
                let matching = layout.ranges.filter { $0.ipa <= page << 12 && page << 12 - $0.ipa < $0.size }
                #expect(matching.count == 1)
                let offset = layout.offset(of: page << 12)
                #expect(offset == matching.first.map { $0.offset + (page << 12 - $0.ipa) })
                offsets.insert(offset ?? 0)
            }
            #expect(offsets.count == pages.count)
        }
    }
}

/// A small generator with a seed.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}

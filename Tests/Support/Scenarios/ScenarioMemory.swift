/// Sparse physical memory: pages of 512 words. What has no page is an external abort.
package struct ScenarioMemory: Sendable {
    package private(set) var pages: [UInt64: [UInt64]] = [:]
    private var nextLow: UInt64
    private var nextHigh: UInt64

    /// All pages begin as this one and share its storage until they are written.
    private static let blank = [UInt64](repeating: 0, count: 512)

    /// Structures go to 1 GiB and up, or on request to the upper half of what `outputBits` can address.
    init(outputBits: Int, random: inout SplitMix64) {
        nextLow = 0x4000_0000 &+ (random.bits(12) &<< 12)
        nextHigh = 1 &<< UInt64(outputBits - 1)
    }

    package func read(_ pa: UInt64) -> UInt64? {
        pages[pa >> 12]?[Int(pa >> 3) & 511]
    }

    /// Writes one aligned word. Where no page is, nothing happens.
    package mutating func write(_ pa: UInt64, _ value: UInt64) {
        pages[pa >> 12]?[Int(pa >> 3) & 511] = value
    }

    /// Takes an address range that nothing else has, without backing it.
    mutating func reserve(bytes: UInt64, alignment: UInt64, high: Bool) -> UInt64 {
        let start = (high ? nextHigh : nextLow).alignedUp(to: alignment)
        if high { nextHigh = start &+ bytes } else { nextLow = start &+ bytes }
        return start
    }

    /// Puts zeroed pages under a range, where there are none yet.
    mutating func back(_ start: UInt64, bytes: UInt64) {
        var page = start >> 12
        while page <= (start &+ bytes &- 1) >> 12 {
            if pages[page] == nil { pages[page] = ScenarioMemory.blank }
            page += 1
        }
    }

    /// Takes the page away, so that reading it is an external abort.
    mutating func remove(pageOf pa: UInt64) {
        pages[pa >> 12] = nil
    }
}

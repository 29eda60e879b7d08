/// Where a guest's pages are: ranges of IPAs, one behind the other in one file.
///
/// A range is one MEMORY_MAP. It begins and ends with a page that is there; holes between pages are in it when otherwise
/// there would be more ranges than a session may map.
struct GuestLayout: Hashable, Sendable {
    struct Range: Hashable, Sendable {
        let ipa: UInt64
        /// Bytes.
        let size: UInt64
        /// In the file.
        let offset: UInt64
    }

    static let pageSize: UInt64 = 4096

    /// By ascending IPA.
    let ranges: [Range]
    /// Bytes of all ranges.
    let size: UInt64

    /// Covers these pages, which ascend, in at most `maximumRanges`, with as few holes as that allows.
    init(pages: [UInt64], maximumRanges: Int) {
        // As many gaps stay open as there may be ranges: the largest.
        let gaps = zip(pages, pages.dropFirst()).enumerated().filter { $0.element.1 - $0.element.0 > Self.pageSize }
        let widest = gaps.sorted { a, b in
            let (first, second) = (a.element.1 - a.element.0, b.element.1 - b.element.0)
            return first != second ? first > second : a.offset < b.offset
        }
        let ends = widest.prefix(max(1, maximumRanges) - 1).map(\.offset).sorted() + [pages.count - 1]
        var ranges: [Range] = []
        var (start, offset) = (0, UInt64(0))
        for end in ends where end >= start {
            let size = pages[end] - pages[start] + Self.pageSize
            ranges.append(Range(ipa: pages[start], size: size, offset: offset))
            offset += size
            start = end + 1
        }
        self.ranges = ranges
        size = offset
    }

    /// Where in the file the byte at an IPA is; nil outside of all ranges.
    func offset(of ipa: UInt64) -> UInt64? {
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].ipa <= ipa { low = middle + 1 } else { high = middle }
        }
        guard low > 0, ipa - ranges[low - 1].ipa < ranges[low - 1].size else { return nil }
        return ranges[low - 1].offset + (ipa - ranges[low - 1].ipa)
    }
}

/// The memory of a capture: some pages of 4096 bytes in a 64-bit physical address space.
///
/// Shape: each page is 512 little-endian words in `words`; an open-addressing hash table leads from page number to page.
/// A value type: a copy shares the memory until one of the two is stored to, and then costs a copy of all of it.
/// No address makes any of the functions trap.
package struct CapturePages: Sendable {
    package static let pageSize: UInt64 = 4096
    @usableFromInline static let wordsPerPage = 512

    /// The addresses of the pages, ascending.
    package private(set) var addresses: [UInt64]

    @usableFromInline private(set) var words: [UInt64]
    @usableFromInline private(set) var table: PageTable

    /// Makes memory of these pages, all zero. The addresses must be ascending multiples of the page size.
    package init(zeroPagesAt addresses: [UInt64]) {
        self.init(addresses: addresses, order: Array(addresses.indices), words: [])
    }

    /// Page `addresses[i]` is the `order[i]`th in `words`; pages beyond the end of `words` are zero.
    init(addresses: [UInt64], order: [Int], words: [UInt64]) {
        self.addresses = addresses
        self.words = words
        self.words += repeatElement(0, count: max(0, addresses.count * CapturePages.wordsPerPage - words.count))
        table = PageTable(pages: zip(addresses, order).map { ($0 >> 12, $1) }, count: addresses.count)
    }

    /// The 64-bit word at a physical address; nil if its page is absent or the address is no multiple of 8.
    /// Cost: one multiplication and, nearly always, one probe; no allocation.
    @inlinable package func word(at pa: UInt64) -> UInt64? {
        wordIndex(pa).map { words[$0] }
    }

    /// Whether the page that holds this byte is there.
    @inlinable package func contains(_ pa: UInt64) -> Bool { table.page(pa >> 12) != nil }

    /// The `count` bytes from `pa` on, in memory order; nil if a page among them is absent or the end of the address
    /// space lies between them.
    package func bytes(at pa: UInt64, count: Int) -> [UInt8]? {
        guard isPresent(pa, count: count) else { return nil }
        return (0..<UInt64(count)).map { offset in
            let address = pa + offset
            return UInt8(truncatingIfNeeded: (word(at: address & ~7) ?? 0) >> ((address & 7) * 8))
        }
    }

    /// Stores a word; false, and nothing is stored, if its page is absent or the address is no multiple of 8.
    @discardableResult
    package mutating func store(word: UInt64, at pa: UInt64) -> Bool {
        guard let index = wordIndex(pa) else { return false }
        words[index] = word
        return true
    }

    /// Stores bytes in memory order at any address, across pages if need be; false, and nothing is stored, if a page
    /// among them is absent or the end of the address space lies between them.
    package mutating func store(bytes: [UInt8], at pa: UInt64) -> Bool {
        guard isPresent(pa, count: bytes.count) else { return false }
        for (offset, byte) in bytes.enumerated() {
            let address = pa + UInt64(offset)
            guard let index = wordIndex(address & ~7) else { return false }
            let shift = (address & 7) * 8
            words[index] = words[index] & ~(0xff << shift) | UInt64(byte) << shift
        }
        return true
    }

    /// Stores bytes as ``store(bytes:at:)`` does, into pages that are made, all zero, where they are absent; false, and
    /// nothing is stored, if the end of the address space lies between the bytes. Making a page costs a look at all.
    package mutating func storeAddingPages(bytes: [UInt8], at pa: UInt64) -> Bool {
        guard !bytes.isEmpty else { return true }
        let (last, overflow) = pa.addingReportingOverflow(UInt64(bytes.count) - 1)
        guard !overflow else { return false }
        for number in pa >> 12...last >> 12 where table.page(number) == nil { addPage(number) }
        return store(bytes: bytes, at: pa)
    }

    private mutating func addPage(_ number: UInt64) {
        var pages = addresses.compactMap { address in table.page(address >> 12).map { (address >> 12, $0) } }
        pages.append((number, words.count / CapturePages.wordsPerPage))
        words += repeatElement(0, count: CapturePages.wordsPerPage)
        addresses = pages.map { $0.0 << 12 }.sorted()
        table = PageTable(pages: pages, count: pages.count)
    }

    @inlinable func wordIndex(_ pa: UInt64) -> Int? {
        guard pa & 7 == 0, let page = table.page(pa >> 12) else { return nil }
        return page &* CapturePages.wordsPerPage &+ Int(truncatingIfNeeded: pa >> 3 & 511)
    }

    /// Whether all bytes of the range are in pages that are there.
    private func isPresent(_ pa: UInt64, count: Int) -> Bool {
        guard count > 0 else { return count == 0 }
        let (last, overflow) = pa.addingReportingOverflow(UInt64(count) - 1)
        guard !overflow else { return false }
        // Ends at the first absent page, so that a huge range costs no more than the pages that exist.
        return (pa >> 12...last >> 12).allSatisfy { table.page($0) != nil }
    }
}

/// A hash table from page number to the page's place, with linear probing and at most half of its slots in use.
@usableFromInline
struct PageTable: Sendable {
    /// Marks a free slot; page numbers have 52 bits.
    @usableFromInline static let free = UInt64.max

    @usableFromInline private(set) var keys: [UInt64]
    @usableFromInline private(set) var places: [Int]
    /// By how much a 64-bit hash is shifted right to give a slot.
    @usableFromInline let shift: UInt64

    init(pages: [(number: UInt64, place: Int)], count: Int) {
        // A power of two and at least twice the pages, so that every probe meets a free slot and ends.
        let bits = max(1, Int.bitWidth - (2 * count).leadingZeroBitCount)
        shift = UInt64(64 - bits)
        keys = Array(repeating: PageTable.free, count: 1 << bits)
        places = Array(repeating: 0, count: 1 << bits)
        for (number, place) in pages {
            let slot = self.slot(number)
            keys[slot] = number
            places[slot] = place
        }
    }

    /// The page's place; nil if it is not in the table.
    @inlinable func page(_ number: UInt64) -> Int? {
        let slot = slot(number)
        return keys[slot] == number ? places[slot] : nil
    }

    /// The slot that holds this page, or the free one where it would be.
    @inlinable func slot(_ number: UInt64) -> Int {
        // Fibonacci hashing: 2^64 divided by the golden ratio spreads the runs of neighbouring pages that tables occupy.
        var slot = Int(truncatingIfNeeded: (number &* 0x9e37_79b9_7f4a_7c15) >> shift)
        while keys[slot] != number && keys[slot] != PageTable.free { slot = (slot + 1) & (keys.count - 1) }
        return slot
    }
}

extension CapturePages {
    /// Reads `pages.idx` and `pages.bin`.
    init(in directory: CaptureDirectory) throws(CaptureError) {
        let index = littleEndianWords(try directory.units("pages.idx", of: 8, isRequired: true))
        let addresses = index.map { $0 & ~(CapturePages.pageSize - 1) }
        guard index.allSatisfy({ $0 & 0xffe == 0 }) else {
            throw directory.error("pages.idx", "Bits 11 to 1 of an entry must be zero.")
        }
        guard zip(addresses, addresses.dropFirst()).allSatisfy({ $0 < $1 }) else {
            throw directory.error("pages.idx", "The page addresses must be ascending.")
        }
        // The pages with bytes come first in memory, in the order of the file; those that are all zero follow.
        let stored = index.count { $0 & 1 == 0 }
        let content = try directory.requiredContents("pages.bin")
        guard content.count == stored * Int(CapturePages.pageSize) else {
            throw directory.error(
                "pages.bin", "It has \(content.count) bytes, but pages.idx lists \(stored) pages of 4096 bytes.")
        }
        var nextStored = 0
        var nextZero = stored
        let order = index.map { entry in
            let isZero = entry & 1 == 1
            defer { if isZero { nextZero += 1 } else { nextStored += 1 } }
            return isZero ? nextZero : nextStored
        }
        self.init(addresses: addresses, order: order, words: littleEndianWords(content))
    }
}

/// Physical memory that belongs to a software SMMU alone: pages that read as 0 and take room once something else has been
/// stored in them.
struct PrivateMemory {
    static let pageSize: UInt64 = 4096
    private static let wordsPerPage = 512

    /// The first address; the region ends with the SMMU's physical address space.
    let base: UInt64
    private let pageLimit: Int
    /// For each page that has been handed out, where its words are; -1 while it has none.
    private var slots: [Int32]
    private var words: [UInt64] = []
    /// Words of each slot that are not 0.
    private var used: [Int32] = []
    private var free: [UInt64] = []

    /// `reserved` bytes from `base` on are handed out from the start.
    init(base: UInt64, size: UInt64, reserved: UInt64) {
        self.base = base
        pageLimit = Int(size / Self.pageSize)
        slots = [Int32](repeating: -1, count: Int(reserved / Self.pageSize))
    }

    /// Pages that take room.
    var residentPages: Int { used.count }

    /// A page of zeroes; nil when the region is full.
    mutating func allocatePage() -> UInt64? {
        if let page = free.popLast() { return page }
        guard slots.count < pageLimit else { return nil }
        slots.append(-1)
        return base + UInt64(slots.count - 1) * Self.pageSize
    }

    /// Takes a page back that holds nothing but zeroes.
    mutating func release(_ page: UInt64) { free.append(page) }

    /// Whether all of the page at `address` is 0.
    func isEmpty(pageAt address: UInt64) -> Bool {
        guard let page = page(of: address), slots[page] >= 0 else { return true }
        return used[Int(slots[page])] == 0
    }

    func loadWord(at address: UInt64) -> UInt64? {
        guard let page = page(of: address) else { return nil }
        let slot = slots[page]
        return slot < 0 ? 0 : words[Self.word(of: address, in: slot)]
    }

    mutating func storeWord(_ value: UInt64, at address: UInt64) -> Bool {
        guard let page = page(of: address) else { return false }
        if slots[page] < 0 {
            if value == 0 { return true }
            slots[page] = Int32(truncatingIfNeeded: used.count)
            used.append(0)
            words.append(contentsOf: repeatElement(0, count: Self.wordsPerPage))
        }
        let slot = slots[page]
        let index = Self.word(of: address, in: slot)
        let before = words[index]
        if before == value { return true }
        words[index] = value
        if before == 0 || value == 0 { used[Int(slot)] += value == 0 ? -1 : 1 }
        return true
    }

    private func page(of address: UInt64) -> Int? {
        guard address >= base, address & 7 == 0 else { return nil }
        let page = (address &- base) / Self.pageSize
        return page < UInt64(slots.count) ? Int(page) : nil
    }

    private static func word(of address: UInt64, in slot: Int32) -> Int {
        Int(slot) * wordsPerPage + Int(address / 8 % 512)
    }
}

import SMMUv3

/// The translation regime an entry belongs to; TLBI commands name one (IHI 0070, 4.4).
enum Regime: UInt8 {
    /// Non-secure EL1&0: stage 1 of a VMID, stage 2, or both.
    case nsEL1 = 0
    case el2 = 1
    /// EL2 with the Virtualization Host Extensions: two ranges and ASIDs.
    case el2E2H = 2
}

/// Whose translations are asked for: the part of a TLB entry's identity that does not depend on the address.
struct TLBSpace {
    var regime: Regime
    /// The translation is by stage 2 alone; such entries have IPAs for addresses and no ASID.
    var stage2Only: Bool
    var vmid: UInt16
    var asid: UInt16
}

/// A cached translation of one page or block.
struct TLBEntry {
    /// Physical address of the first byte that the entry covers.
    var pa: UInt64
    /// IPA of that byte; the input address when only one stage translates.
    var ipa: UInt64
    var stage1: Permissions
    var stage2: Permissions
    var stages: Translation.Stages
    /// Level of the leaf that gave the address: of stage 1 if it takes part.
    var level: UInt8
    /// Its granule.
    var granule: Granule
    /// log2 of the bytes that this leaf covers. Smaller leaves of stage 2 make several entries of one of stage 1,
    /// and so does a leaf that ends beyond the output size.
    var leafSizeLog2: Int
    /// nG = 0: the tables say that it holds for every ASID of the VMID.
    var global: Bool
}

/// The TLB: translations tagged by regime, VMID and ASID, that stay until a TLBI covers them or a newer one needs the
/// room (IHI 0070, 3.17).
///
/// An entry covers a power of two of bytes. Look-ups try the sizes that are present, so their number and not that of
/// the entries bounds the time.
///
/// A global translation (nG = 0) is kept for the ASID that it was made with: an SMMU may use it for others, but need
/// not, and tables that contradict each other show up sooner when it does not. Invalidations by address treat it as
/// what it is, a translation of every ASID.
struct TLB {
    private var cache: BoundedCache<TLBEntry>
    /// Entries by log2 of the bytes they cover.
    private var counts: InlineArray<64, Int32> = InlineArray(repeating: 0)
    /// The sizes of which there is an entry, a bit each.
    private var sizes: UInt64 = 0
    /// False when certainly no global entry is cached.
    private(set) var mayHoldGlobalEntries = false
    /// False when certainly every entry covers all of its leaf.
    private(set) var mayHoldFragments = false

    init(capacity: Int) { cache = BoundedCache(capacity: capacity) }

    var count: Int { cache.count }

    /// A translation found for an address, and log2 of the bytes its entry covers.
    struct Hit {
        var entry: TLBEntry
        var sizeLog2: Int
    }

    /// `address` is canonical: bits 63:56 repeat bit 55.
    @inline(__always)
    func find(_ space: TLBSpace, _ address: UInt64) -> Hit? {
        var remaining = sizes
        while remaining != 0 {
            let size = remaining.trailingZeroBitCount
            remaining &= remaining &- 1
            if let slot = cache.slot(of: TLB.key(space, address, size)) {
                return Hit(entry: cache.values[slot], sizeLog2: size)
            }
        }
        return nil
    }

    /// Caches `entry` for the 2^`sizeLog2` bytes around `address`.
    mutating func insert(_ space: TLBSpace, _ address: UInt64, sizeLog2: Int, _ entry: TLBEntry) {
        let before = cache.count
        let evicted = cache.insert(TLB.key(space, address, sizeLog2), entry).evicted
        if entry.global { mayHoldGlobalEntries = true }
        if entry.leafSizeLog2 > sizeLog2 { mayHoldFragments = true }
        if let evicted { note(TLBTag(word: evicted.tag).sizeLog2, -1) }
        if evicted != nil || cache.count != before { note(sizeLog2, 1) }
    }

    mutating func removeAll() {
        cache.removeAll()
        counts = InlineArray(repeating: 0)
        sizes = 0
        mayHoldGlobalEntries = false
        mayHoldFragments = false
    }

    @inline(__always)
    mutating func removeAll(where matches: (TLBTag, _ page: UInt64, TLBEntry) -> Bool) {
        let before = cache.count
        var counts = counts
        cache.removeAll(
            where: { matches(TLBTag(word: $0.tag), $0.page, $1) },
            removed: { counts[TLBTag(word: $0.tag).sizeLog2 & 63] &-= 1 })
        if cache.count == before { return }
        self.counts = counts
        for size in 0..<64 where counts[size] <= 0 { sizes &= ~(1 &<< UInt64(size)) }
        if cache.count == 0 { (mayHoldGlobalEntries, mayHoldFragments) = (false, false) }
    }

    /// Removes what is cached for exactly this space and address, in each size, if `accept` agrees.
    mutating func remove(_ space: TLBSpace, _ address: UInt64, where accept: (TLBEntry) -> Bool) {
        var remaining = sizes
        while remaining != 0 {
            let size = remaining.trailingZeroBitCount
            remaining &= remaining &- 1
            let key = TLB.key(space, address, size)
            if let slot = cache.slot(of: key), accept(cache.values[slot]) {
                cache.remove(key)
                note(size, -1)
            }
        }
    }

    private static func key(_ space: TLBSpace, _ address: UInt64, _ size: Int) -> CacheKey {
        CacheKey(page: address &>> UInt64(size), tag: TLBTag(space, sizeLog2: size).word)
    }

    private mutating func note(_ sizeLog2: Int, _ change: Int32) {
        counts[sizeLog2 & 63] &+= change
        let bit: UInt64 = 1 &<< UInt64(sizeLog2)
        sizes = counts[sizeLog2 & 63] > 0 ? sizes | bit : sizes & ~bit
    }
}

/// The address-independent identity of a TLB entry, in one word.
struct TLBTag {
    var word: UInt64

    @inline(__always)
    init(word: UInt64) { self.word = word }

    @inline(__always)
    init(_ space: TLBSpace, sizeLog2: Int) {
        word = UInt64(space.vmid) | UInt64(space.asid) &<< 16 | UInt64(sizeLog2) &<< 32
        word |= UInt64(space.regime.rawValue) &<< 40 | (space.stage2Only ? 1 &<< 48 : 0)
    }

    var vmid: UInt16 { UInt16(truncatingIfNeeded: word) }
    var asid: UInt16 { UInt16(truncatingIfNeeded: word &>> 16) }
    var sizeLog2: Int { Int(word.bits(39, 32)) }
    var regime: UInt8 { UInt8(truncatingIfNeeded: word &>> 40) }
    var stage2Only: Bool { word.bit(48) }
    /// The space alone, as the tag of size 0 has it.
    var anySize: UInt64 { word & ~(0xff &<< 32) }
    /// The space without its ASID.
    var anySizeAndASID: UInt64 { word & ~(0xff_ffff &<< 16) }
}

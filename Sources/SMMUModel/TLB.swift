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
}

/// The TLB: translations tagged by regime, VMID and ASID, that stay until a TLBI covers them or a newer one needs the
/// room (IHI 0070, 3.17).
///
/// An entry covers a power of two of bytes. Look-ups try the sizes that are present, so their number and not that of
/// the entries bounds the time.
struct TLB {
    private var cache: BoundedCache<TLBEntry>
    /// Entries by log2 of the bytes they cover: first those of one ASID, then the global ones.
    private var counts: InlineArray<128, Int32> = InlineArray(repeating: 0)
    private var sizes: UInt64 = 0
    private var globalSizes: UInt64 = 0

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
        find(space, address, global: false, sizes)
            ?? (globalSizes == 0 ? nil : find(space, address, global: true, globalSizes))
    }

    @inline(__always)
    private func find(_ space: TLBSpace, _ address: UInt64, global: Bool, _ present: UInt64) -> Hit? {
        var remaining = present
        while remaining != 0 {
            let size = remaining.trailingZeroBitCount
            remaining &= remaining &- 1
            if let slot = cache.slot(of: TLB.key(space, address, size, global: global)) {
                return Hit(entry: cache.values[slot], sizeLog2: size)
            }
        }
        return nil
    }

    /// Caches `entry` for the 2^`sizeLog2` bytes around `address`.
    mutating func insert(_ space: TLBSpace, _ address: UInt64, sizeLog2: Int, global: Bool, _ entry: TLBEntry) {
        let key = TLB.key(space, address, sizeLog2, global: global)
        let before = cache.count
        if let evicted = cache.insert(key, entry) {
            note(evicted, -1)
            note(key, 1)
        } else if cache.count != before {
            note(key, 1)
        }
    }

    mutating func removeAll() {
        cache.removeAll()
        counts = InlineArray(repeating: 0)
        (sizes, globalSizes) = (0, 0)
    }

    mutating func removeAll(where matches: (TLBTag, _ page: UInt64, TLBEntry) -> Bool) {
        var counts = counts
        cache.removeAll(
            where: { matches(TLBTag(word: $0.tag), $0.page, $1) },
            removed: { counts[TLBTag(word: $0.tag).countIndex] &-= 1 })
        self.counts = counts
        refreshSizes()
    }

    /// Removes what is cached for exactly this space, address and each size, if `accept` agrees.
    mutating func remove(_ space: TLBSpace, _ address: UInt64, global: Bool, where accept: (TLBEntry) -> Bool) {
        var remaining = global ? globalSizes : sizes
        while remaining != 0 {
            let size = remaining.trailingZeroBitCount
            remaining &= remaining &- 1
            let key = TLB.key(space, address, size, global: global)
            if let slot = cache.slot(of: key), accept(cache.values[slot]) {
                cache.remove(key)
                note(key, -1)
            }
        }
    }

    private static func key(_ space: TLBSpace, _ address: UInt64, _ size: Int, global: Bool) -> CacheKey {
        CacheKey(page: address &>> UInt64(size), tag: TLBTag(space, sizeLog2: size, global: global).word)
    }

    private mutating func note(_ key: CacheKey, _ change: Int32) {
        counts[TLBTag(word: key.tag).countIndex] &+= change
        refreshSizes(TLBTag(word: key.tag))
    }

    private mutating func refreshSizes(_ tag: TLBTag) {
        let present: UInt64 = counts[tag.countIndex] > 0 ? 1 : 0
        if tag.global {
            globalSizes.setBits(tag.sizeLog2, tag.sizeLog2, present)
        } else {
            sizes.setBits(tag.sizeLog2, tag.sizeLog2, present)
        }
    }

    private mutating func refreshSizes() {
        (sizes, globalSizes) = (0, 0)
        for size in 0..<64 {
            if counts[size] > 0 { sizes |= 1 &<< UInt64(size) }
            if counts[64 &+ size] > 0 { globalSizes |= 1 &<< UInt64(size) }
        }
    }
}

/// The address-independent identity of a TLB entry, in one word.
struct TLBTag {
    var word: UInt64

    @inline(__always)
    init(word: UInt64) { self.word = word }

    @inline(__always)
    init(_ space: TLBSpace, sizeLog2: Int, global: Bool) {
        word = UInt64(space.vmid) | UInt64(global ? 0 : space.asid) &<< 16 | UInt64(sizeLog2) &<< 32
        word |= UInt64(space.regime.rawValue) &<< 40 | (space.stage2Only ? 1 &<< 48 : 0) | (global ? 1 &<< 49 : 0)
    }

    var vmid: UInt16 { UInt16(truncatingIfNeeded: word) }
    var asid: UInt16 { UInt16(truncatingIfNeeded: word &>> 16) }
    var sizeLog2: Int { Int(word.bits(39, 32)) }
    var regime: UInt8 { UInt8(truncatingIfNeeded: word &>> 40) }
    var stage2Only: Bool { word.bit(48) }
    var global: Bool { word.bit(49) }
    var countIndex: Int { (sizeLog2 & 63) &+ (global ? 64 : 0) }
}

import SMMUv3

/// Stage 2 of one software SMMU: tables of 4 KiB granules in its own memory that give every mapped IPA itself as its
/// physical address (Arm ARM, VMSAv8-64 stage 2).
struct Stage2Tables {
    let layout: ModelLayout
    let bigEndian: Bool

    private static let granule = Granule.k4

    /// Level 0 where the address size allows it, else several tables of level 1 side by side.
    var startLevel: Int { layout.addressBits >= 44 ? 0 : 1 }

    /// The fields of an STE that describe it. `id`: the VMID.
    func describe(vmid: UInt16, stalls: Bool, in ste: inout StreamTableEntry) {
        ste.s2VMID = vmid
        ste.s2T0SZ = 64 - layout.addressBits
        ste.s2SL0 = 2 - startLevel
        // Inner and outer write-back, inner shareable, as the tables of a host would be.
        ste.words[2].setBits(41, 40, 1)
        ste.words[2].setBits(43, 42, 1)
        ste.words[2].setBits(45, 44, 3)
        ste.s2TG = 0
        ste.s2PS = (0...5).first { AddressSize.bits(code: $0) == layout.addressBits } ?? 5
        ste.s2AArch64 = true
        ste.s2BigEndian = bigEndian
        ste.s2Stall = stalls
        ste.s2Record = true
        ste.s2TableBase = layout.stage2Root
    }

    /// What a leaf allows.
    struct Access {
        var read: Bool
        var write: Bool
        /// AF, inner shareable, S2AP, normal write-back memory.
        fileprivate var bits: UInt64 { 1 << 10 | 3 << 8 | (write ? 1 << 7 : 0) | (read ? 1 << 6 : 0) | 0xf << 2 }
    }

    /// Maps `bounds` onto itself by the largest blocks that fit. False when there is no room for another table; what has
    /// been mapped until then stays.
    func map(_ bounds: Range<UInt64>, _ access: Access, in memory: inout PrivateMemory) -> Bool {
        var address = bounds.lowerBound
        while address < bounds.upperBound {
            let level = Self.leafLevel(at: address, before: bounds.upperBound)
            guard let entry = makeEntry(for: address, level: level, in: &memory) else { return false }
            store(address | access.bits | (level == 3 ? 3 : 1), at: entry, in: &memory)
            address += 1 << UInt64(Self.granule.levelShift(level))
        }
        return true
    }

    /// Takes `bounds`, which one ``map(_:_:in:)`` was given, out of the tables, and gives back tables that are empty then.
    func unmap(_ bounds: Range<UInt64>, in memory: inout PrivateMemory) {
        var address = bounds.lowerBound
        while address < bounds.upperBound {
            let level = Self.leafLevel(at: address, before: bounds.upperBound)
            remove(address, level: level, in: &memory)
            address += 1 << UInt64(Self.granule.levelShift(level))
        }
    }

    /// 1 GiB, 2 MiB or 4 KiB at `address`.
    private static func leafLevel(at address: UInt64, before end: UInt64) -> Int {
        for level in 1...2 {
            let size: UInt64 = 1 << UInt64(granule.levelShift(level))
            if address & (size - 1) == 0, end - address >= size { return level }
        }
        return 3
    }

    /// The start level's index takes all bits that are left.
    private func entry(_ table: UInt64, _ address: UInt64, level: Int) -> UInt64 {
        let index = address >> UInt64(Self.granule.levelShift(level))
        return table + (level == startLevel ? index : index & 511) * 8
    }

    /// Where the descriptor of `address` at `level` is; makes the tables above it.
    private func makeEntry(for address: UInt64, level: Int, in memory: inout PrivateMemory) -> UInt64? {
        var table = layout.stage2Root
        for current in startLevel..<level {
            let above = entry(table, address, level: current)
            let word = load(at: above, in: memory)
            if word & 3 == 3 {
                table = word & Self.addressMask
            } else {
                guard let page = memory.allocatePage() else { return nil }
                store(page | 3, at: above, in: &memory)
                table = page
            }
        }
        return entry(table, address, level: level)
    }

    private func remove(_ address: UInt64, level: Int, in memory: inout PrivateMemory) {
        var tables = InlineArray<4, UInt64>(repeating: layout.stage2Root)
        var reached = startLevel
        while reached < level {
            let word = load(at: entry(tables[reached], address, level: reached), in: memory)
            guard word & 3 == 3 else { break }
            reached += 1
            tables[reached] = word & Self.addressMask
        }
        if reached == level { store(0, at: entry(tables[level], address, level: level), in: &memory) }
        for current in stride(from: reached, to: startLevel, by: -1) where memory.isEmpty(pageAt: tables[current]) {
            store(0, at: entry(tables[current - 1], address, level: current - 1), in: &memory)
            memory.release(tables[current])
        }
    }

    private static let addressMask: UInt64 = 0x0000_ffff_ffff_f000

    private func load(at address: UInt64, in memory: PrivateMemory) -> UInt64 {
        let word = memory.loadWord(at: address) ?? 0
        return bigEndian ? word.byteSwapped : word
    }

    private func store(_ word: UInt64, at address: UInt64, in memory: inout PrivateMemory) {
        _ = memory.storeWord(bigEndian ? word.byteSwapped : word, at: address)
    }
}

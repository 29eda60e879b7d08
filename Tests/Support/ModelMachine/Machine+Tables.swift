import SMMUModel
package import SMMUv3

/// A translation table that a test builds: of stage 1 or of stage 2, any granule.
package struct TestTable {
    package var base: UInt64
    package var granule: Granule
    package var inputBits: Int
    package var startLevel: Int
    package var stage2: Bool
    package var bigEndian = false
}

/// Descriptor bits for ``Machine/map(_:_:to:level:attributes:)``.
package enum LeafBits {
    /// Stage 1: AF, nG, AP[1] = 1: unprivileged and privileged read and write.
    package static let stage1: UInt64 = 1 << 10 | 1 << 11 | 1 << 6
    /// Stage 2: AF, S2AP read and write, Normal write-back memory.
    package static let stage2: UInt64 = 1 << 10 | 3 << 6 | 0xf << 2
}

extension Machine {
    /// A stage 1 table with nothing mapped.
    package mutating func stage1Table(_ granule: Granule = .k4, inputBits: Int = 48) -> TestTable {
        let level = granule.stage1StartLevel(inputBits: inputBits)
        let entries = UInt64(1) << UInt64(max(inputBits - granule.levelShift(level), 3))
        return TestTable(
            base: allocate(entries * 8), granule: granule, inputBits: inputBits, startLevel: level, stage2: false)
    }

    /// A stage 2 table, its start level's tables side by side, with nothing mapped.
    package mutating func stage2Table(_ granule: Granule = .k4, inputBits: Int = 40, startLevel: Int = 1) -> TestTable {
        let entries = UInt64(1) << UInt64(max(inputBits - granule.levelShift(startLevel), 3))
        return TestTable(
            base: allocate(entries * 8), granule: granule, inputBits: inputBits, startLevel: startLevel, stage2: true)
    }

    /// Maps the page or block of `level` around `input`; returns where its descriptor stands.
    ///
    /// Tables on the way are made as they are needed, at physical addresses that are also their IPAs.
    @discardableResult
    package mutating func map(
        _ table: TestTable, _ input: UInt64, to output: UInt64, level: Int = 3, attributes: UInt64? = nil
    ) -> UInt64 {
        let at = descriptorAddress(table, input, level: level)
        let shift = table.granule.levelShift(level)
        let bits = attributes ?? (table.stage2 ? LeafBits.stage2 : LeafBits.stage1)
        var address = output & ~UInt64.ones(shift)
        // 52-bit addresses of 64 KB granules have bits 51:48 in bits 15:12.
        address = address & 0xffff_ffff_ffff | (table.granule == .k64 ? address.bits(51, 48) << 12 : 0)
        store(table, address | bits | (level == 3 ? 3 : 1), at: at)
        return at
    }

    /// Where the descriptor of `input` at `level` stands; makes the tables above it.
    package mutating func descriptorAddress(_ table: TestTable, _ input: UInt64, level: Int) -> UInt64 {
        let granule = table.granule
        var base = table.base
        var current = table.startLevel
        while true {
            var index = (input & UInt64.ones(table.inputBits)) >> UInt64(granule.levelShift(current))
            if current != table.startLevel { index &= UInt64.ones(granule.stride) }
            let at = base + index * 8
            if current == level { return at }
            let raw = smmu.memory[at]
            let word = table.bigEndian ? raw.byteSwapped : raw
            if word & 3 == 3 {
                base = word & 0x0000_ffff_ffff_ffff & ~UInt64.ones(granule.shift)
            } else {
                base = allocate(1 << UInt64(granule.shift))
                store(table, base | 3, at: at)
            }
            current += 1
        }
    }

    private mutating func store(_ table: TestTable, _ word: UInt64, at address: UInt64) {
        smmu.memory[address] = table.bigEndian ? word.byteSwapped : word
    }

    // MARK: Configurations

    /// A CD that uses `table` for TT0 and has TT1 off: recorded faults, abort.
    package func cd(_ table: TestTable, asid: UInt16 = 1, ips: UInt64 = 5) -> ContextDescriptor {
        var words = SIMD8<UInt64>.zero
        let tg: UInt64 = table.granule == .k4 ? 0 : (table.granule == .k64 ? 1 : 2)
        words[0] = UInt64(64 - table.inputBits) | tg << 6 | 1 << 30 | 1 << 31 | ips << 32 | 1 << 41 | 1 << 45 | 1 << 46
        words[0] |= UInt64(asid) << 48 | (table.bigEndian ? 1 << 15 : 0)
        words[1] = table.base
        words[3] = 0xff
        return ContextDescriptor(words: words)
    }

    /// Puts a CD, or an array of them, into memory; returns its address.
    package mutating func place(_ cds: ContextDescriptor...) -> UInt64 {
        var count = 1
        while count < cds.count { count *= 2 }
        let at = allocate(UInt64(max(count * 64, 64)))
        for (index, cd) in cds.enumerated() { smmu.memory.store(cd.words, at: at + UInt64(index * 64)) }
        return at
    }

    /// A stage 1 STE with one CD at `context`.
    package func stage1STE(context: UInt64, vmid: UInt16 = 0) -> StreamTableEntry {
        var ste = StreamTableEntry()
        ste.valid = true
        ste.config = .stage1
        ste.s1ContextPointer = context
        ste.s2VMID = vmid
        return ste
    }

    /// A stage 2 STE for `table`, which records its faults.
    package func stage2STE(_ table: TestTable, vmid: UInt16 = 1, ps: Int = 5) -> StreamTableEntry {
        var ste = StreamTableEntry()
        ste.valid = true
        ste.config = .stage2
        ste.s2VMID = vmid
        ste.s2T0SZ = 64 - table.inputBits
        ste.s2SL0 = table.granule == .k4 ? (table.startLevel == 3 ? 3 : 2 - table.startLevel) : 3 - table.startLevel
        ste.s2TG = table.granule == .k4 ? 0 : (table.granule == .k64 ? 1 : 2)
        ste.s2PS = ps
        ste.s2AArch64 = true
        ste.s2BigEndian = table.bigEndian
        ste.s2Record = true
        ste.s2TableBase = table.base
        return ste
    }

    /// A nested STE: stage 1 with one CD at the IPA `context`, stage 2 by `table`.
    package func nestedSTE(context: UInt64, _ table: TestTable, vmid: UInt16 = 1) -> StreamTableEntry {
        var ste = stage2STE(table, vmid: vmid)
        ste.config = .nested
        ste.s1ContextPointer = context
        return ste
    }

    /// A stream with stage 1 only: one CD, TT0. Returns its table and where the CD is.
    @discardableResult
    package mutating func addStage1Stream(
        _ stream: UInt32, asid: UInt16 = 1, vmid: UInt16 = 0, granule: Granule = .k4, inputBits: Int = 48
    ) -> (table: TestTable, context: UInt64) {
        let table = stage1Table(granule, inputBits: inputBits)
        let context = place(cd(table, asid: asid))
        setSTE(stream, stage1STE(context: context, vmid: vmid))
        return (table, context)
    }

    /// A nested stream whose stage 2 maps the first GB, where ``allocate(_:)`` puts tables, onto itself.
    @discardableResult
    package mutating func addNestedStream(
        _ stream: UInt32, asid: UInt16 = 1, vmid: UInt16 = 1, granule: Granule = .k4
    ) -> (table: TestTable, context: UInt64, stage2: TestTable) {
        let stage2 = stage2Table()
        map(stage2, 0, to: 0, level: 1)
        let table = stage1Table(granule)
        let context = place(cd(table, asid: asid))
        setSTE(stream, nestedSTE(context: context, stage2, vmid: vmid))
        return (table, context, stage2)
    }
}

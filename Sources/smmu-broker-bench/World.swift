import CBenchReference
import Glibc
import SMMUModel
import SMMUv3

/// The tables that every case uses, in one buffer, and the SMMUs that read them: the Swift model and the C reference.
///
/// A two-level stream table, as Linux makes it. Stream 0 has stage 1 alone, stream 1 is nested, streams 256…767 have
/// stage 1, a CD and an ASID each. All use one 4 KB stage 1 table of four levels; stage 2 has four levels as well and
/// maps all of the memory by pages.
@safe final class World {
    static let bytes: UInt64 = 64 << 20
    static let stage1Stream: UInt32 = 0
    static let nestedStream: UInt32 = 1
    static let streams: UInt32 = 256
    static let streamCount: UInt32 = 512
    static let virtualBase: UInt64 = 0x5500_1234_0000
    static let unmappedBase: UInt64 = virtualBase + 1 << 30
    /// Pages mapped from ``virtualBase`` on: twice as many as the TLB holds.
    static let pages: UInt64 = 8192
    static let asid: UInt16 = 1
    static let vmid: UInt16 = 7

    private static let streamTable: UInt64 = 0x10_0000
    private static let eventQueue: UInt64 = 0x20_0000
    private static let contexts: UInt64 = 0x30_0000
    private static let output: UInt64 = 32 << 20

    let words: UnsafeMutablePointer<UInt64>
    private var free: UInt64 = 0x100_0000

    /// - Parameter global: the leaves hold for every ASID (nG = 0).
    init(global: Bool = false) {
        // Zeroes from the kernel: writing them takes callgrind longer than all the rest before the first operation.
        guard let zeroes = unsafe calloc(Int(Self.bytes / 8), 8) else { preconditionFailure("no memory for tables") }
        unsafe words = zeroes.bindMemory(to: UInt64.self, capacity: Int(Self.bytes / 8))
        let stage2 = stage2Table()
        let stage1 = stage1Table(global: global)
        for index in 0..<3 {
            let entries = Self.streamTable + 0x1_0000 + UInt64(index) * 0x4000
            store(entries | 9, at: Self.streamTable + UInt64(index) * 8)
        }
        addStream(Self.stage1Stream, asid: Self.asid, table: stage1, stage2: nil)
        addStream(Self.nestedStream, asid: Self.asid, table: stage1, stage2: stage2)
        for stream in Self.streams..<Self.streams + Self.streamCount {
            addStream(stream, asid: UInt16(stream), table: stage1, stage2: nil)
        }
    }

    deinit { unsafe Glibc.free(words) }

    // MARK: SMMUs

    static let capacity = SMMUCapacity()

    /// Both stages, all granules, 48 bits, two-level tables, ATS, EL2, ranges: what the tests' SMMU has.
    static let ids: IDRegisters = {
        let idr0: UInt32 =
            0b11 | 2 << 2 | 1 << 4 | 1 << 9 | 1 << 10 | 1 << 12 | 1 << 13 | 1 << 18 | 1 << 19 | 1 << 27
        let idr1: UInt32 = 16 | 16 << 6 | 19 << 16 | 19 << 21 | 1 << 26
        let idr3: UInt32 = 1 << 2 | 1 << 4 | 1 << 8 | 1 << 10 | 1 << 13
        return IDRegisters(idr0: idr0, idr1: idr1, idr3: idr3, idr5: 5 | 7 << 4 | 1 << 10 | 8 << 16, aidr: 2)
    }()

    static let idrs = [ids.idr0, ids.idr1, ids.idr2, ids.idr3, ids.idr4, ids.idr5]

    func swiftSMMU() -> SoftwareSMMU<FlatMemory> {
        var smmu = SoftwareSMMU(
            memory: unsafe FlatMemory(words, bytes: Self.bytes), ids: Self.ids, capacity: Self.capacity)
        smmu.registers.streamTableBase = Self.streamTable
        smmu.registers.streamTableBaseConfig = Self.streamTableConfig
        smmu.registers.eventQueueBase = Self.eventQueue | 10
        smmu.registers.smmuEnabled = true
        smmu.registers.eventQueueEnabled = true
        smmu.registers.irqControl = 5
        return smmu
    }

    func referenceSMMU() -> OpaquePointer? {
        var setup = unsafe ref_setup()
        unsafe setup.memory = unsafe words
        unsafe setup.memory_bytes = Self.bytes
        unsafe setup.idr = (
            Self.ids.idr0, Self.ids.idr1, Self.ids.idr2, Self.ids.idr3, Self.ids.idr4, Self.ids.idr5
        )
        unsafe setup.stream_table_base = Self.streamTable
        unsafe setup.stream_table_config = Self.streamTableConfig
        unsafe setup.event_queue_base = Self.eventQueue | 10
        unsafe setup.tlb_capacity = UInt32(Self.capacity.tlb)
        unsafe setup.config_capacity = UInt32(Self.capacity.streamTableEntries)
        return unsafe ref_create(&setup)
    }

    /// 2^16 streams, two levels, 8 bits in the second.
    private static let streamTableConfig: UInt32 = 16 | 8 << 6 | 1 << 16

    // MARK: Tables

    private func store(_ word: UInt64, at address: UInt64) { unsafe words[Int(address / 8)] = word }

    private func allocatePage() -> UInt64 {
        free += 0x1000
        return free - 0x1000
    }

    private func stage1Table(global: Bool) -> UInt64 {
        let table = allocatePage()
        let attributes: UInt64 = 1 << 10 | (global ? 0 : 1 << 11) | 1 << 6
        for page in 0..<Self.pages {
            map(table, Self.virtualBase + page << 12, to: Self.output + page << 12, attributes)
        }
        return table
    }

    private func stage2Table() -> UInt64 {
        let table = allocatePage()
        for page in 0..<Self.bytes >> 12 { map(table, page << 12, to: page << 12, 1 << 10 | 3 << 6 | 0xf << 2) }
        return table
    }

    private func map(_ table: UInt64, _ input: UInt64, to output: UInt64, _ attributes: UInt64) {
        var table = table
        for level in 0..<3 {
            let at = table + input.bits(47 - level * 9, 39 - level * 9) * 8
            var word = unsafe words[Int(at / 8)]
            if word == 0 {
                word = allocatePage() | 3
                store(word, at: at)
            }
            table = word & ~3
        }
        store(output | attributes | 3, at: table + input.bits(20, 12) * 8)
    }

    private func addStream(_ stream: UInt32, asid: UInt16, table: UInt64, stage2: UInt64?) {
        let context = Self.contexts + UInt64(stream) * 64
        store(16 | 1 << 30 | 1 << 31 | 5 << 32 | 1 << 41 | 3 << 45 | UInt64(asid) << 48, at: context)
        store(table, at: context + 8)
        var ste = StreamTableEntry()
        ste.valid = true
        ste.config = stage2 == nil ? .stage1 : .nested
        ste.s1ContextPointer = context
        ste.s2VMID = Self.vmid
        if let stage2 {
            (ste.s2T0SZ, ste.s2SL0, ste.s2PS) = (16, 2, 5)
            (ste.s2AArch64, ste.s2Record, ste.s2TableBase) = (true, true, stage2)
        }
        for index in 0..<8 {
            store(ste.words[index], at: Self.streamTable + 0x1_0000 + UInt64(stream) * 64 + UInt64(index) * 8)
        }
    }
}

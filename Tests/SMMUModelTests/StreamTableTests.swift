import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// Where the STE of a StreamID is. Streams bypass here, with an STE that only the right address gives.
@Suite struct StreamTableTests {
    private static let bypass: StreamTableEntry = {
        var ste = StreamTableEntry()
        ste.valid = true
        ste.config = .bypass
        return ste
    }()

    @Test("strtab.linear: the STE of StreamID n is the 64 bytes at base + 64 n", arguments: [0, 1, 7, 200, 255])
    func linear(stream: UInt32) {
        var machine = Machine()
        machine.smmu.memory.store(Self.bypass.words, at: 0x10_0000 + UInt64(stream) * 64)
        let trace = machine.trace(stream, 0x1234)
        #expect(trace.pa == 0x1234)
        for other in [stream ^ 1, stream ^ 4] {
            let fault = machine.fault(other, 0x1234)
            #expect(fault?.id == .badSTE)
        }
    }

    @Test("reg.strtab-base: the base's bits below the size of the table, and RA, are ignored")
    func baseAlignment() {
        var machine = Machine()
        machine.setSTE(5, Self.bypass)
        // 256 STEs are 16 KB: bits 13:6 do not count in a linear table.
        machine.smmu.registers.streamTableBase = Machine.streamTable | 0x3fc0 | 1 << 62
        let linear = machine.pa(5, 0x1000)
        #expect(linear == 0x1000)
        // 2^10 level-1 descriptors are 8 KB: bits 12:6 do not count.
        let table = machine.useTwoLevelStreamTable(log2Size: 16, split: 6)
        let leaf = machine.addLeaf(table, 0x1234, span: 7)
        machine.smmu.memory.store(Self.bypass.words, at: leaf + 0x34 * 64)
        machine.smmu.registers.streamTableBase |= 0x1fc0 | 1 << 62
        let twoLevel = machine.trace(0x1234, 0x1000)
        #expect(twoLevel.pa == 0x1000)
    }

    @Test("reg.strtab-base: every address bit from the table's size up to 51 counts")
    func baseBits() {
        for bit in UInt64(14)...51 {
            var machine = Machine(ids: .with(oas: 6), capacity: .small)
            machine.smmu.registers.streamTableBase = 1 << bit
            machine.smmu.memory.store(Self.bypass.words, at: 1 << bit + 64)
            let pa = machine.pa(1, 0x1000)
            #expect(pa == 0x1000, "bit \(bit)")
        }
    }

    @Test(
        "strtab.two-level, strtab.split: SPLIT parts the StreamID into descriptor and STE of its leaf",
        arguments: [6, 8, 10], [UInt32(0), 0x3f, 0x40, 0xff, 0x100, 0x3ff, 0x400, 0x9a5c, 0xffff])
    func twoLevel(split: Int, stream: UInt32) {
        var machine = Machine()
        let table = machine.useTwoLevelStreamTable(log2Size: 16, split: split)
        let leaf = machine.addLeaf(table, stream, span: split + 1)
        let descriptor = table.base + UInt64(stream) / (1 << UInt64(split)) * 8
        let filled = machine.smmu.memory[descriptor]
        #expect(filled == leaf | UInt64(split + 1))
        machine.smmu.memory.store(Self.bypass.words, at: leaf + UInt64(stream) % (1 << UInt64(split)) * 64)
        let trace = machine.trace(stream, 0x1234)
        #expect(trace.pa == 0x1234)
        guard case .streamTableL1(_, let level1)? = trace.steps.first else {
            Issue.record("no level-1 descriptor was read")
            return
        }
        #expect(level1 == descriptor)
        let neighbour = machine.fault(stream ^ 1, 0x1234)
        #expect(neighbour?.id == .badSTE)
    }

    @Test("strtab.split: a reserved SPLIT counts as 6", arguments: [0, 5, 7, 9, 11, 31])
    func reservedSplit(split: UInt32) {
        var machine = Machine()
        let table = machine.useTwoLevelStreamTable(log2Size: 16, split: 6)
        let leaf = machine.addLeaf(table, 0x1ff, span: 7)
        machine.smmu.memory.store(Self.bypass.words, at: leaf + 0x3f * 64)
        machine.smmu.registers.streamTableBaseConfig = 16 | split << 6 | 1 << 16
        let pa = machine.pa(0x1ff, 0x1234)
        #expect(pa == 0x1234)
    }

    @Test("strtab.span, strtab.span-short: Span n holds 2^(n-1) STEs and not one more", arguments: 1...11)
    func span(span: Int) {
        var machine = Machine()
        let table = machine.useTwoLevelStreamTable(log2Size: 16, split: 10)
        let leaf = machine.addLeaf(table, 0x800, span: span)
        let count = UInt32(1) << UInt32(span - 1)
        for stream in [0, count - 1] { machine.smmu.memory.store(Self.bypass.words, at: leaf + UInt64(stream) * 64) }
        let first = machine.pa(0x800, 0x1000)
        let last = machine.pa(0x800 + count - 1, 0x1000)
        #expect(first == 0x1000 && last == 0x1000)
        guard count < 1024 else { return }
        // What lies behind the leaf would be a good STE.
        machine.smmu.memory.store(Self.bypass.words, at: leaf + UInt64(count) * 64)
        for stream in [count, 1023] {
            let fault = machine.fault(0x800 + stream, 0x1000)
            #expect(fault?.id == .badStreamID)
        }
    }

    @Test("strtab.span: L2Ptr is bits 51:6, aligned to the leaf's size; the other bits say nothing")
    func leafPointer() {
        for bit in UInt64(6)...51 {
            var machine = Machine(ids: .with(oas: 6), capacity: .small)
            // So that no table starts at a power of two, where the leaf is put.
            _ = machine.allocate(1 << 12)
            let table = machine.useTwoLevelStreamTable(log2Size: 12, split: 6)
            machine.smmu.memory[machine.level1Address(table, 0)] = 1 << bit | 1 | 1 << 5 | 0xfff << 52
            machine.smmu.memory.store(Self.bypass.words, at: 1 << bit)
            let pa = machine.pa(0, 0x1000)
            #expect(pa == 0x1000, "bit \(bit)")
        }
        var machine = Machine()
        let table = machine.useTwoLevelStreamTable(log2Size: 16, split: 6)
        let leaf = machine.addLeaf(table, 0, span: 3)
        machine.smmu.memory.store(Self.bypass.words, at: leaf + 128)
        machine.smmu.memory[machine.level1Address(table, 0)] |= 0xc0
        let pa = machine.pa(2, 0x1000)
        #expect(pa == 0x1000)
    }

    @Test(
        "strtab.span-zero, strtab.span-reserved: Span 0, one too large for SPLIT and one of 12 or more have no STE",
        arguments: [6, 8, 10])
    func spanWithoutSTEs(split: Int) {
        for span in [0] + Array(split + 2...31) {
            var machine = Machine(ids: .with(oas: 6), capacity: .small)
            let table = machine.useTwoLevelStreamTable(log2Size: 16, split: split)
            // With one STE of room the pointer's alignment says nothing about the Span.
            let leaf = machine.allocate(1 << 30)
            machine.smmu.memory.store(Self.bypass.words, at: leaf)
            machine.smmu.memory[machine.level1Address(table, 0x400)] = leaf | UInt64(span)
            let fault = machine.fault(0x400, 0x1000)
            #expect(fault?.id == .badStreamID, "Span \(span)")
            let events = machine.takeEvents()
            #expect(events == [fault])
        }
    }

    @Test(
        "strtab.sid-range, order.streamid-first: a StreamID beyond the table is C_BAD_STREAMID, and nothing is read",
        arguments: [false, true], [UInt32(1 << 12), 1 << 12 | 3, 1 << 16, .max])
    func streamOutOfRange(twoLevel: Bool, stream: UInt32) {
        var machine = Machine(streamsLog2: 12)
        if twoLevel { _ = machine.useTwoLevelStreamTable(log2Size: 12, split: 8) }
        // Nothing answers anywhere near the table: a read of it would be F_STE_FETCH.
        machine.smmu.memory.holes = Set((0..<0x2000).map { UInt64($0) })
        machine.smmu.registers.eventQueueEnabled = false
        let fault = machine.fault(stream, 0x1000, ssid: 3)
        #expect(fault?.id == .badStreamID)
        let reads = machine.smmu.memory.reads
        #expect(reads == 0)
        let last = machine.fault((1 << 12) - 1, 0x1000)
        #expect(last?.id == .steFetch)
    }

    @Test("strtab.recinvsid: without RECINVSID an invalid StreamID aborts silently", arguments: [false, true])
    func recordInvalid(record: Bool) {
        var machine = Machine()
        machine.smmu.registers.recordInvalidStreamIDs = record
        let termination = machine.termination(256, 0x1000)
        #expect(termination?.record.id == .badStreamID)
        #expect(termination?.recorded == record && termination?.response == .abort)
        let events = machine.takeEvents()
        #expect(events.count == (record ? 1 : 0))
    }

    @Test("strtab.fetch-abort, evt.f-ste-fetch: a read of the stream table that aborts is F_STE_FETCH at its address")
    func fetchAbort() {
        var machine = Machine()
        let table = machine.useTwoLevelStreamTable(log2Size: 16, split: 8)
        machine.smmu.memory.holes = [table.base >> 12]
        let level1 = machine.termination(0x1234, 0xdead_0000, ssid: 5, write: true)
        #expect(level1?.response == .abort && level1?.recorded == true)
        let word0 = UInt64(0x1234) << 32 | 5 << 12 | 1 << 11 | 0x03
        #expect(level1?.record == EventRecord(word0, 0, 0, table.base + 0x12 * 8))
        machine.smmu.memory.holes = []
        let leaf = machine.addLeaf(table, 0x1234, span: 9)
        machine.smmu.memory.holes = [(leaf + 0x34 * 64) >> 12]
        let entry = machine.termination(0x1234, 0xdead_0000, write: true)
        #expect(entry?.record == EventRecord(UInt64(0x1234) << 32 | 0x03, 0, 0, leaf + 0x34 * 64))
        let events = machine.takeEvents()
        #expect(events.count == 2)
    }
}

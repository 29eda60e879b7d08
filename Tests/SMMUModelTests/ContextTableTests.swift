import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// A stream 1 whose CDs stand in a table of `format`, stage 1 only or with an identity stage 2.
private struct Substreams: ~Copyable {
    var machine: Machine
    let table: TestContextTable

    init(_ format: ContextTableFormat, log2Size: Int, nested: Bool, default substream: DefaultSubstream = .bypass) {
        machine = Machine(ids: .with(ssidSize: 20))
        table = machine.contextTable(format, log2Size: log2Size)
        var ste = machine.stage1STE(context: 0)
        if nested {
            let stage2 = machine.stage2Table()
            machine.map(stage2, 0, to: 0, level: 1)
            // Where the substreams' pages are: see add(_:).
            for gigabyte in UInt64(0)..<4 {
                let page = Self.page(0) + gigabyte << 30
                machine.map(stage2, page, to: page, level: 1)
            }
            ste = machine.nestedSTE(context: 0, stage2)
        }
        machine.setSTE(1, ste.using(table, default: substream))
    }

    typealias DefaultSubstream = StreamTableEntry.DefaultSubstream

    /// Gives `substream` an address space in which 0x5000 is a page of its own; returns where its CD is.
    @discardableResult
    mutating func add(_ substream: UInt32) -> UInt64 {
        let space = machine.stage1Table()
        machine.map(space, 0x5000, to: Self.page(substream))
        return machine.setCD(table, substream, machine.cd(space, asid: UInt16(truncatingIfNeeded: substream + 1)))
    }

    static func page(_ substream: UInt32) -> UInt64 { 0x10_0000_0000 + UInt64(substream) << 12 }
}

/// Where the CD of a SubstreamID is. No recording has SubstreamIDs: what is proved here is proved nowhere else.
@Suite struct ContextTableTests {
    private static let substreams: [UInt32] = [
        0, 1, 2, 0x3f, 0x40, 0x41, 0x7f, 0x3ff, 0x400, 0x401, 0xfff, 0x1000, 0x7fff, 0x1_2345, 0xf_fffe, 0xf_ffff,
    ]

    private static let formats: [(ContextTableFormat, Bool)] = ContextTableFormat.allCases.flatMap {
        [($0, false), ($0, true)]
    }

    @Test(
        "cd.linear, cd.two-level-4k, cd.two-level-64k, ste.s1fmt: each SubstreamID has the CD of its own place",
        arguments: formats)
    func everySubstreamItsOwn(layout: (format: ContextTableFormat, nested: Bool)) {
        var stream = Substreams(layout.format, log2Size: 20, nested: layout.nested)
        let places = Self.substreams.map { stream.add($0) }
        #expect(Set(places).count == places.count)
        for (substream, place) in zip(Self.substreams, places) {
            let trace = stream.machine.trace(1, 0x5008, ssid: substream)
            #expect(trace.pa == Substreams.page(substream) + 8)
            let found = Self.contextAddresses(trace)
            let base = stream.table.base
            switch layout.format {
            case .linear:
                #expect(found.level1.isEmpty)
                #expect(place == base + UInt64(substream) * 64)
            case .leaves4K:
                #expect(found.level1 == [base + UInt64(substream) / 64 * 8])
                let leaf = stream.machine.smmu.memory[base + UInt64(substream) / 64 * 8] - 1
                #expect(place == leaf + UInt64(substream) % 64 * 64)
            case .leaves64K:
                #expect(found.level1 == [base + UInt64(substream) / 1024 * 8])
                let leaf = stream.machine.smmu.memory[base + UInt64(substream) / 1024 * 8] - 1
                #expect(place == leaf + UInt64(substream) % 1024 * 64)
            }
            #expect(found.entries == [place])
        }
    }

    private static func contextAddresses(_ trace: Trace) -> (level1: [UInt64], entries: [UInt64]) {
        var (level1, entries): ([UInt64], [UInt64]) = ([], [])
        for step in trace.steps {
            switch step {
            case .contextTableL1(_, let ipa, _): level1.append(ipa)
            case .contextDescriptor(_, let ipa, _): entries.append(ipa)
            default: break
            }
        }
        return (level1, entries)
    }

    @Test("cd.two-level-4k, cd.two-level-64k: neighbours in one leaf, and the first of the next, do not mix")
    func neighbours() {
        for (format, bits) in [(ContextTableFormat.leaves4K, UInt32(6)), (.leaves64K, 10)] {
            var stream = Substreams(format, log2Size: 16, nested: false)
            let edge = UInt32(5) << bits
            for substream in [edge - 1, edge, edge + 1] { stream.add(substream) }
            // Warm: every substream asked twice, in turns.
            for _ in 0..<2 {
                for substream in [edge - 1, edge, edge + 1] {
                    let pa = stream.machine.pa(1, 0x5000, ssid: substream)
                    #expect(pa == Substreams.page(substream))
                }
            }
            // Its leaf is there, its CD is not.
            let missing = stream.machine.fault(1, 0x5000, ssid: edge + 2)
            #expect(missing?.id == .badCD && missing?.substreamID == SubstreamID(edge + 2))
        }
    }

    @Test("cd.single: with S1CDMax 0 the one CD is at S1ContextPtr, whatever S1Fmt and S1DSS say", arguments: 0..<4)
    func single(format: Int) {
        for defaultSubstream in UInt8(0)...3 {
            var machine = Machine()
            let (table, context) = machine.addStage1Stream(1)
            machine.map(table, 0x1000, to: 0x8000_0000)
            var ste = machine.ste(1)
            ste.s1Format = format
            ste.words[1].setBits(1, 0, UInt64(defaultSubstream))
            machine.setSTE(1, ste)
            let trace = machine.trace(1, 0x1000)
            #expect(trace.pa == 0x8000_0000)
            let found = Self.contextAddresses(trace)
            #expect(found.level1.isEmpty && found.entries == [context])
        }
    }

    @Test("ste.s1fmt: S1Fmt 3 counts as 0, a linear table")
    func reservedFormat() {
        var stream = Substreams(.linear, log2Size: 8, nested: false)
        stream.add(77)
        var ste = stream.machine.ste(1)
        ste.s1Format = 3
        stream.machine.setSTE(1, ste)
        let pa = stream.machine.pa(1, 0x5000, ssid: 77)
        #expect(pa == Substreams.page(77))
    }

    @Test(
        "cd.l1, evt.c-bad-substreamid: a level-1 descriptor with V=0 is C_BAD_SUBSTREAMID, with the number and no more",
        arguments: [ContextTableFormat.leaves4K, .leaves64K], [false, true])
    func invalidLevel1(format: ContextTableFormat, nested: Bool) {
        var stream = Substreams(format, log2Size: 20, nested: nested)
        stream.add(0x1_2345)
        let level1 = stream.machine.level1Address(stream.table, 0x1_2345)
        stream.machine.smmu.memory[level1] &= ~1
        let fault = stream.machine.termination(1, 0xdead_0000, ssid: 0x1_2345, write: true)
        #expect(fault?.record == EventRecord(1 << 32 | 0x1_2345 << 12 | 0x08, 0, 0, 0))
        #expect(fault?.recorded == true && fault?.response == .abort)
        // V is bit 0; bits 11:1 and 63:52 say nothing.
        stream.machine.smmu.memory[level1] |= 0xfff0_0000_0000_0fff
        let pa = stream.machine.pa(1, 0x5000, ssid: 0x1_2345)
        #expect(pa == Substreams.page(0x1_2345))
    }

    @Test("cd.l1, order.s1dss: a transaction without SubstreamID finds CD 0 by the first level-1 descriptor")
    func level1OfTheDefault() {
        var stream = Substreams(.leaves64K, log2Size: 12, nested: false, default: .substream0)
        let none = stream.machine.fault(1, 0x5000)
        // The record has the SubstreamID without SSV: 0 for a transaction without one.
        #expect(none == EventRecord(1 << 32 | 0x08, 0, 0, 0))
        stream.add(0)
        let pa = stream.machine.pa(1, 0x5000)
        #expect(pa == Substreams.page(0))
    }

    @Test("cd.l1: L2Ptr is bits 51:12", arguments: UInt64(12)...51)
    func leafPointer(bit: UInt64) {
        var machine = Machine(ids: .with(oas: 6), capacity: .small)
        // So that no table starts at a power of two, where the leaf is put.
        _ = machine.allocate(1 << 12)
        let table = machine.contextTable(.leaves4K, log2Size: 10)
        let space = machine.stage1Table()
        machine.map(space, 0x5000, to: 0x8000_0000)
        machine.smmu.memory[table.base + 2 * 8] = 1 << bit | 1
        machine.smmu.memory.store(machine.cd(space).words, at: 1 << bit + 3 * 64)
        machine.setSTE(1, machine.stage1STE(context: 0).using(table, default: .terminate))
        let pa = machine.pa(1, 0x5000, ssid: 2 * 64 + 3)
        #expect(pa == 0x8000_0000)
    }

    @Test(
        "cd.l2ptr-range: with stage 1 alone, an L2Ptr at or above 2^OAS is C_BAD_SUBSTREAMID", arguments: [0, 2, 4, 5])
    func leafPointerBeyondOAS(oas: UInt32) {
        let bits = UInt64([32, 36, 40, 42, 44, 48][Int(oas)])
        for bit in bits...51 {
            var machine = Machine(ids: .with(oas: oas), capacity: .small)
            let table = machine.contextTable(.leaves64K, log2Size: 12)
            machine.setSTE(1, machine.stage1STE(context: 0).using(table, default: .substream0))
            machine.smmu.memory[table.base + 8] = 1 << bit | 1
            machine.smmu.memory[table.base] = 1 << bit | 1
            let reads = machine.smmu.memory.reads
            let fault = machine.fault(1, 0x5000, ssid: 0x401)
            #expect(fault == EventRecord(1 << 32 | 0x401 << 12 | 0x08, 0, 0, 0))
            let none = machine.fault(1, 0x5000)
            #expect(none == EventRecord(1 << 32 | 0x08, 0, 0, 0))
            // An STE, and each time a level-1 descriptor: nothing was read at the address that is too large.
            let readsAfter = machine.smmu.memory.reads
            #expect(readsAfter - reads == 8 + 2)
            machine.smmu.memory[table.base + 8] = (1 << bits) - 0x1_0000 | 1
            let inside = machine.fault(1, 0x5000, ssid: 0x401)
            #expect(inside?.id == .badCD)
        }
    }

    @Test("cd.l2ptr-range, nested.cd-fault: with stage 2 such an L2Ptr is an IPA, and stage 2's fault")
    func leafPointerBeyondIPAs() {
        var stream = Substreams(.leaves4K, log2Size: 12, nested: true)
        stream.machine.smmu.memory[stream.table.base + 8] = 1 << 50 | 1
        let fault = stream.machine.fault(1, 0x5678, ssid: 0x47)
        #expect(fault?.id == .translation && fault?.stage2 == true && fault?.eventClass == .contextDescriptor)
        #expect(fault?.ipa == 1 << 50 && fault?.inputAddress == 0x5678)
        #expect(fault?.substreamID == SubstreamID(0x47))
    }

    @Test("cd.fetch-abort, evt.f-cd-fetch: a CD or level-1 descriptor that cannot be read is F_CD_FETCH at its address")
    func fetchAbort() {
        var stream = Substreams(.leaves64K, log2Size: 12, nested: false)
        let place = stream.add(0x456)
        let level1 = stream.machine.level1Address(stream.table, 0x456)
        let word0 = UInt64(1) << 32 | 0x456 << 12 | 1 << 11 | 0x09
        for (hole, fetch) in [(level1, level1), (place, place)] {
            stream.machine.smmu.memory.holes = [hole >> 12]
            let fault = stream.machine.termination(1, 0xdead_0000, ssid: 0x456, write: true)
            #expect(fault?.record == EventRecord(word0, 0, 0, fetch))
            #expect(fault?.recorded == true && fault?.response == .abort)
        }
        stream.machine.smmu.memory.holes = []
        let pa = stream.machine.pa(1, 0x5000, ssid: 0x456)
        #expect(pa == Substreams.page(0x456))
    }
}

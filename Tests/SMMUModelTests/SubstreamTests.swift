import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// Which SubstreamIDs a stream accepts, and what it does without one.
@Suite struct SubstreamTests {
    /// A stream 1 with 2^`log2Size` CDs, of which `present` have an address space with a page at 0x5000.
    private static func machine(
        log2Size: Int, default substream: StreamTableEntry.DefaultSubstream, nested: Bool = false,
        present: [UInt32] = [0, 1]
    ) -> Machine {
        var machine = Machine(ids: .with(ssidSize: 20))
        let table = machine.contextTable(.leaves64K, log2Size: log2Size)
        for number in present {
            let space = machine.stage1Table()
            machine.map(space, 0x5000, to: 0x1000_0000 + UInt64(number) << 12)
            machine.setCD(table, number, machine.cd(space, asid: UInt16(truncatingIfNeeded: number)))
        }
        var ste = machine.stage1STE(context: 0)
        if nested {
            let stage2 = machine.stage2Table()
            machine.map(stage2, 0, to: 0, level: 1)
            machine.map(stage2, 0x7000_5000, to: 0x99_0000_5000)
            ste = machine.nestedSTE(context: 0, stage2)
        }
        machine.setSTE(1, ste.using(table, default: substream))
        return machine
    }

    private static func badSubstream(_ number: UInt32) -> EventRecord {
        EventRecord(1 << 32 | UInt64(number) << 12 | 0x08, 0, 0, 0)
    }

    @Test(
        "order.ssid-range, evt.c-bad-substreamid: SubstreamIDs from 2^S1CDMax on are C_BAD_SUBSTREAMID",
        arguments: 1...19)
    func range(log2Size: Int) {
        let count = UInt32(1) << UInt32(log2Size)
        var machine = Self.machine(log2Size: log2Size, default: .terminate, present: [0, count - 1])
        let last = machine.pa(1, 0x5000, ssid: count - 1)
        let first = machine.pa(1, 0x5000, ssid: 0)
        #expect(last == (0x1000_0000 + UInt64(count - 1) << 12) && first == 0x1000_0000)
        for beyond in [count, count + 1, 0xf_ffff] {
            let reads = machine.smmu.memory.reads
            let fault = machine.fault(1, 0x5000, ssid: beyond, write: true)
            #expect(fault == Self.badSubstream(beyond))
            let readsAfter = machine.smmu.memory.reads
            #expect(readsAfter == reads)
        }
    }

    @Test("order.ssid-range: with S1CDMax 0 no SubstreamID is accepted, not even 0", arguments: [0, 1, 0x45, 0xf_ffff])
    func none(substream: UInt32) {
        var machine = Machine()
        let stream = machine.addStage1Stream(1)
        machine.map(stream.table, 0x5000, to: 0x8000_0000)
        for code in UInt64(0)...3 {
            var ste = machine.ste(1)
            ste.words[1].setBits(1, 0, code)
            machine.setSTE(1, ste)
            let fault = machine.trace(1, 0x5000, ssid: substream).fault
            #expect(fault == Self.badSubstream(substream))
        }
    }

    @Test("order.ssid-range: without SSIDSIZE no SubstreamID is accepted, whatever S1CDMax says")
    func noSubstreams() {
        var machine = Machine(ids: .with(ssidSize: 0))
        let stream = machine.addStage1Stream(1)
        machine.map(stream.table, 0x5000, to: 0x8000_0000)
        var ste = machine.ste(1)
        ste.s1CDMax = 5
        ste.s1Format = 2
        machine.setSTE(1, ste)
        let fault = machine.fault(1, 0x5000, ssid: 1)
        #expect(fault == Self.badSubstream(1))
        let pa = machine.pa(1, 0x5000)
        #expect(pa == 0x8000_0000)
    }

    @Test(
        "order.ssid-no-stage1: a SubstreamID without stage 1 is C_BAD_SUBSTREAMID",
        arguments: [StreamTableEntry.Config.bypass, .stage2], [UInt32(0), 1, 0xf_ffff])
    func withoutStage1(config: StreamTableEntry.Config, substream: UInt32) {
        var machine = Self.machine(log2Size: 4, default: .substream0, nested: true)
        var ste = machine.ste(1)
        ste.config = config
        machine.setSTE(1, ste)
        let pa = machine.pa(1, 0x7000_5000)
        #expect(pa == (config == .bypass ? 0x7000_5000 : 0x99_0000_5000))
        for address in [UInt64(0x7000_5000), .max] {
            let fault = machine.termination(1, address, ssid: substream, write: true)
            #expect(fault?.record == Self.badSubstream(substream))
            #expect(fault?.response == .abort && fault?.recorded == true)
        }
    }

    @Test("order.s1dss, evt.f-stream-disabled: S1DSS 0 and 3 disable what has no SubstreamID", arguments: [0, 3])
    func terminate(code: UInt64) {
        var machine = Self.machine(log2Size: 4, default: .terminate)
        var ste = machine.ste(1)
        ste.words[1].setBits(1, 0, code)
        machine.setSTE(1, ste)
        for write in [false, true] {
            let fault = machine.termination(1, 0x5678, write: write)
            #expect(fault?.record == EventRecord(1 << 32 | 0x06, 0, 0, 0))
            #expect(fault?.recorded == true && fault?.response == .abort)
        }
        let (zero, one) = (machine.pa(1, 0x5000, ssid: 0), machine.pa(1, 0x5000, ssid: 1))
        #expect(zero == 0x1000_0000 && one == 0x1000_1000)
    }

    @Test("order.s1dss: S1DSS 1 bypasses stage 1 for what has no SubstreamID", arguments: [false, true])
    func bypass(nested: Bool) {
        var machine = Self.machine(log2Size: 4, default: .bypass, nested: nested)
        let result = machine.translate(1, 0x7000_5000, write: true)
        if nested {
            guard case .translated(let translation) = result else {
                Issue.record("\(result)")
                return
            }
            #expect(translation.pa == 0x99_0000_5000 && translation.stages == .stage2)
        } else {
            #expect(result == .bypassed(pa: 0x7000_5000))
        }
        let (zero, one) = (machine.pa(1, 0x5000, ssid: 0), machine.pa(1, 0x5000, ssid: 1))
        #expect(zero == 0x1000_0000 && one == 0x1000_1000)
    }

    @Test(
        "order.s1dss, order.ssid-zero, evt.f-stream-disabled: S1DSS 2 gives CD 0 to what has no SubstreamID alone",
        arguments: [false, true])
    func substream0(nested: Bool) {
        var machine = Self.machine(log2Size: 4, default: .substream0, nested: nested)
        let (none, one) = (machine.pa(1, 0x5000), machine.pa(1, 0x5000, ssid: 1))
        #expect(none == 0x1000_0000 && one == 0x1000_1000)
        // Even now that CD 0 is cached.
        let zero = machine.termination(1, 0x5000, ssid: 0, write: true)
        #expect(zero?.record == EventRecord(1 << 32 | 0x06, 0, 0, 0))
        #expect(zero?.recorded == true && zero?.response == .abort)
        // A fault of a transaction without SubstreamID has none in its event, although CD 0 was used.
        let missing = machine.fault(1, 0x6000)
        #expect(missing == EventRecord(1 << 32 | 0x10, 1 << 35 | 2 << 40, 0x6000, 0))
    }

    @Test("evt.c-bad-cd: C_BAD_CD has the SubstreamID of the transaction, and nothing in words 1 to 3")
    func badContext() {
        var machine = Self.machine(log2Size: 4, default: .substream0, present: [1])
        let none = machine.termination(1, 0xdead_0000, write: true)
        #expect(none?.record == EventRecord(1 << 32 | 0x0a, 0, 0, 0))
        let third = machine.termination(1, 0xdead_0000, ssid: 3)
        #expect(third?.record == EventRecord(1 << 32 | 3 << 12 | 1 << 11 | 0x0a, 0, 0, 0))
        #expect(third?.recorded == true && third?.response == .abort)
    }

    @Test(
        "Substreams of one stream with ASIDs of their own share neither translations nor CDs"
    )
    func separateSpaces() {
        var machine = Self.machine(log2Size: 8, default: .substream0, present: Array(0..<32))
        for _ in 0..<2 {
            for number in UInt32(1)..<32 {
                let pa = machine.pa(1, 0x5abc, ssid: number)
                #expect(pa == 0x1000_0abc + UInt64(number) << 12)
            }
        }
        let counts = machine.smmu.cachedCounts
        #expect(counts.contexts == 31 && counts.tlb == 31 && counts.streams == 1)
    }
}

import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// What every CFGI drops and keeps of the STE and CD caches.
@Suite struct ConfigurationCacheTests {
    @Test("ste-cache.stale, cd-cache.stale: without an invalidation each STE and CD that changed stays in use")
    func stale() {
        var universe = ConfigurationUniverse()
        let before = universe.dropped()
        #expect(before.isEmpty)
        universe.machine.smmu.invalidateEverything()
        let after = universe.dropped()
        #expect(after == universe.names(["*"]))
    }

    static let steCases: [ConfigurationCase] = [
        ConfigurationCase("first", .cfgiSTE(StreamID(0)), "ste0"),
        ConfigurationCase("inner", .cfgiSTE(StreamID(4)), "ste4"),
        ConfigurationCase("inner, Leaf", .cfgiSTE(StreamID(4), leaf: true), "ste4"),
        ConfigurationCase("none", .cfgiSTE(StreamID(99)), "-"),
        ConfigurationCase("upper bits count", .cfgiSTE(StreamID(0x1_0004)), "-"),
        ConfigurationCase("with CDs", .cfgiSTE(StreamID(17)), "cd17.*"),
        ConfigurationCase("with CDs, Leaf", .cfgiSTE(StreamID(17), leaf: true), "cd17.*"),
    ]

    @Test(
        "ste-cache.cfgi-ste, ste-cache.others-kept, ste-cache.drops-cds: CFGI_STE drops one STE and the CDs behind it",
        arguments: steCases)
    func ste(_ test: ConfigurationCase) { test.check() }

    static let rangeCases: [ConfigurationCase] = [
        ConfigurationCase("two", .cfgiSTERange(StreamID(4), range: 0), "ste4", "ste5"),
        ConfigurationCase("two, aligned", .cfgiSTERange(StreamID(5), range: 0), "ste4", "ste5"),
        ConfigurationCase("four", .cfgiSTERange(StreamID(6), range: 1), "ste4", "ste5", "ste6", "ste7"),
        ConfigurationCase(
            "eight", .cfgiSTERange(StreamID(0), range: 2), "ste0", "ste1", "ste2", "ste3", "ste4", "ste5", "ste6",
            "ste7"),
        ConfigurationCase("with CDs", .cfgiSTERange(StreamID(16), range: 0), "cd16.*", "cd17.*"),
        ConfigurationCase("with CDs beyond", .cfgiSTERange(StreamID(18), range: 0), "cd18.*"),
        ConfigurationCase("elsewhere", .cfgiSTERange(StreamID(64), range: 4), "-"),
        ConfigurationCase("32", .cfgiSTERange(StreamID(31), range: 4), "*"),
        ConfigurationCase("2^31, upper half", .cfgiSTERange(StreamID(1 << 31), range: 30), "-"),
    ]

    @Test(
        "ste-cache.cfgi-ste-range, ste-cache.others-kept, ste-cache.drops-cds: CFGI_STE_RANGE drops an aligned range",
        arguments: rangeCases)
    func range(_ test: ConfigurationCase) { test.check() }

    @Test(
        "ste-cache.cfgi-all, ste-cache.drops-cds: CFGI_ALL drops everything, whatever its StreamID",
        arguments: [0, 7, UInt32.max])
    func all(_ stream: UInt32) {
        ConfigurationCase("all", .cfgiSTERange(StreamID(stream), range: 31), "*").check()
        ConfigurationCase("all", .cfgiAll, "*").check()
    }

    static let cdCases: [ConfigurationCase] =
        [UInt32(0), 1, 3].flatMap { substream in
            [false, true].map { leaf in
                ConfigurationCase(
                    "CD \(substream), Leaf \(leaf)", .cfgiCD(StreamID(17), SubstreamID(substream), leaf: leaf),
                    "cd17.\(substream)")
            }
        } + [
            ConfigurationCase("no such CD", .cfgiCD(StreamID(17), SubstreamID(9)), "-"),
            ConfigurationCase("no such stream", .cfgiCD(StreamID(19), SubstreamID(1)), "-"),
            ConfigurationCase("a stream without CDs", .cfgiCD(StreamID(1), SubstreamID(0)), "-"),
            ConfigurationCase("all of a stream", .cfgiCDAll(StreamID(17)), "cd17.*"),
            ConfigurationCase("all of another", .cfgiCDAll(StreamID(18)), "cd18.*"),
            ConfigurationCase("all of none", .cfgiCDAll(StreamID(4)), "-"),
        ]

    @Test(
        "cd-cache.cfgi-cd, cd-cache.cfgi-cd-all, cd-cache.others-kept: one CD goes, or all of a stream, and no STE",
        arguments: cdCases)
    func cd(_ test: ConfigurationCase) { test.check() }

    static let otherCases: [ConfigurationCase] = [
        ConfigurationCase("NSNH_ALL", .tlbi(.tlbiNSNHAll), "-"),
        ConfigurationCase("NH_ALL", .tlbi(.tlbiNHAll), "-"),
        ConfigurationCase("NH_ASID", .tlbi(.tlbiNHASID, asid: 128), "-"),
        ConfigurationCase("NH_VAA", .tlbi(.tlbiNHVAA, address: ConfigurationUniverse.page), "-"),
        ConfigurationCase("S12_VMALL", .tlbi(.tlbiS12VMAll), "-"),
        ConfigurationCase("EL2_ALL", .tlbi(.tlbiEL2All), "-"),
        ConfigurationCase("ATC_INV", .atcInv(StreamID(17)), "-"),
        ConfigurationCase("PREFETCH_CONFIG", .prefetchConfig(StreamID(17), SubstreamID(1)), "-"),
        ConfigurationCase("SYNC", .sync(), "-"),
    ]

    @Test("tlb.configuration-apart: no TLBI drops an STE or a CD", arguments: otherCases)
    func others(_ test: ConfigurationCase) { test.check() }

    @Test(
        "ste-cache.illegal-kept-out: an STE that was V=0 or ILLEGAL serves the next transaction after CFGI_STE",
        arguments: [true, false])
    func illegal(_ valid: Bool) {
        var machine = Machine()
        var ste = StreamTableEntry()
        ste.valid = valid
        ste.config = .stage2
        machine.setSTE(1, ste)
        let first = machine.fault(1, 0x1000)
        ste.valid = true
        ste.config = .bypass
        machine.setSTE(1, ste)
        machine.run(.cfgiSTE(StreamID(1)))
        let pa = machine.pa(1, 0x1000)
        #expect(first?.id == .badSTE && pa == 0x1000)
    }

    @Test("ste-cache.l1-leaf: CFGI_STE with Leaf=0 makes a changed level-1 descriptor be read again")
    func streamTableLevel1() {
        var machine = Machine()
        let level1 = machine.allocate(4096)
        let arrays = [machine.allocate(4096), machine.allocate(4096)]
        machine.smmu.registers.streamTableBase = level1
        machine.smmu.registers.streamTableBaseConfig = 1 << 16 | 6 << 6 | 8
        var ste = StreamTableEntry()
        ste.valid = true
        ste.config = .bypass
        machine.smmu.memory.store(ste.words, at: arrays[0] + 3 * 64)
        ste.config = .abort
        machine.smmu.memory.store(ste.words, at: arrays[1] + 3 * 64)
        machine.smmu.memory[level1 + 8] = arrays[0] | 7
        let first = machine.translate(67, 0x1000)
        machine.smmu.memory[level1 + 8] = arrays[1] | 7
        let stale = machine.translate(67, 0x1000)
        machine.run(.cfgiSTE(StreamID(67), leaf: false))
        let fresh = machine.translate(67, 0x1000)
        #expect(first == .bypassed(pa: 0x1000) && stale == first && fresh == .aborted)
    }

    @Test("cd-cache.l1-leaf: CFGI_CD with Leaf=0 makes a changed level-1 descriptor be read again")
    func contextTableLevel1() {
        var machine = Machine()
        let level1 = machine.allocate(4096)
        let arrays = [machine.allocate(4096), machine.allocate(4096)]
        for (index, array) in arrays.enumerated() {
            let table = machine.stage1Table()
            machine.map(table, 0x1000, to: 0x5000_0000 + UInt64(index) << 28)
            machine.smmu.memory.store(machine.cd(table, asid: UInt16(index)).words, at: array + 2 * 64)
        }
        var ste = machine.stage1STE(context: level1)
        ste.s1CDMax = 8
        ste.s1Format = 1
        machine.setSTE(1, ste)
        machine.smmu.memory[level1 + 8] = arrays[0] | 1
        let first = machine.pa(1, 0x1000, ssid: 66)
        machine.smmu.memory[level1 + 8] = arrays[1] | 1
        let stale = machine.pa(1, 0x1000, ssid: 66)
        machine.run(.cfgiCD(StreamID(1), SubstreamID(66), leaf: false))
        let fresh = machine.pa(1, 0x1000, ssid: 66)
        #expect(first == 0x5000_0000 && stale == first && fresh == 0x6000_0000)
    }

    @Test("ste-cache.eviction: with room for four, the oldest of five STEs goes and is fetched again")
    func steEviction() {
        var machine = Machine(capacity: SMMUCapacity(streamTableEntries: 4))
        var ste = StreamTableEntry()
        ste.valid = true
        ste.config = .bypass
        for stream in 0..<5 as Range<UInt32> { machine.setSTE(stream, ste) }
        for stream in 0..<5 as Range<UInt32> {
            let pa = machine.pa(stream, 0x1000)
            #expect(pa == 0x1000)
        }
        ste.config = .abort
        for stream in 0..<5 as Range<UInt32> { machine.setSTE(stream, ste) }
        for stream in 1..<5 as Range<UInt32> {
            let pa = machine.pa(stream, 0x1000)
            #expect(pa == 0x1000, "still cached")
        }
        let evicted = machine.translate(0, 0x1000)
        #expect(evicted == .aborted && machine.smmu.cachedCounts.streams == 4)
    }

    @Test("cd-cache.eviction: with room for four, the oldest of five CDs goes and is fetched again")
    func cdEviction() {
        var machine = Machine(capacity: SMMUCapacity(contextDescriptors: 4))
        var places: [UInt64] = []
        for stream in 0..<5 as Range<UInt32> {
            let added = machine.addStage1Stream(stream, asid: UInt16(stream))
            machine.map(added.table, 0x1000, to: 0x5000_0000)
            places.append(added.context)
            let pa = machine.pa(stream, 0x1000)
            #expect(pa == 0x5000_0000)
        }
        for (index, place) in places.enumerated() {
            let table = machine.stage1Table()
            machine.map(table, 0x1000, to: 0x6000_0000)
            machine.smmu.memory.store(machine.cd(table, asid: UInt16(index + 16)).words, at: place)
        }
        for stream in 1..<5 as Range<UInt32> {
            let pa = machine.pa(stream, 0x1000)
            #expect(pa == 0x5000_0000, "still cached")
        }
        let evicted = machine.pa(0, 0x1000)
        #expect(evicted == 0x6000_0000 && machine.smmu.cachedCounts.contexts == 4)
    }
}

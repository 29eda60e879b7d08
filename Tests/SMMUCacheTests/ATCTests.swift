import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// A machine whose devices hold pages in their ATCs, all of them mapped elsewhere afterwards, with the SMMU's own caches
/// invalidated: only an ATC still gives an old address.
///
/// Names are `stream.substream.page`, `-` for no SubstreamID; the pages are numbered in 4 KB.
struct ATCUniverse: ~Copyable {
    static let pages: [UInt64] = [0x0ff, 0x100, 0x101, 0x10f, 0x110, 0x1ff, 0x200, 0xf_ffff_ffff]
    static let streams: [UInt32] = [1, 2]
    static let substreams: [UInt32?] = [nil, 1, 2]

    var machine: Machine

    init() {
        var machine = Machine()
        var leaves: [UInt64] = []
        for stream in Self.streams {
            var cds: [ContextDescriptor] = []
            for substream in 0..<4 as Range<UInt64> {
                let table = machine.stage1Table()
                for page in Self.pages {
                    let output = Self.output(page) | substream << 40
                    leaves.append(machine.map(table, page << 12, to: output))
                }
                cds.append(machine.cd(table, asid: UInt16(UInt64(stream) * 8 + substream)))
            }
            var ste = machine.stage1STE(context: machine.place(cds[0], cds[1], cds[2], cds[3]))
            ste.s1CDMax = 2
            ste.s1DefaultSubstream = .substream0
            ste.atsMode = .full
            machine.setSTE(stream, ste)
        }
        self.machine = machine
        self.machine.smmu.registers.atsChecked = true
        _ = dropped()
        for leaf in leaves { self.machine.smmu.memory[leaf] |= 1 << 46 }
        let error = self.machine.run(.tlbi(.tlbiNSNHAll), .cfgiAll, .tlbi(.tlbiS12VMAll), .tlbi(.tlbiEL2All))
        precondition(error == .none)
    }

    private static func output(_ page: UInt64) -> UInt64 { 0x8000_0000 + (page & 0xffff) << 12 }

    /// The names of what is asked of the SMMU anew.
    mutating func dropped() -> Set<String> {
        var fresh: Set<String> = []
        for stream in Self.streams {
            for substream in Self.substreams {
                for page in Self.pages {
                    let result = machine.smmu.accessWithATS(
                        Transaction(
                            StreamID(stream), page << 12 | 0x123, substreamID: substream.map { SubstreamID($0) }))
                    let old = Self.output(page) | UInt64(substream ?? 0) << 40 | 0x123
                    let name = "\(stream).\(substream.map { String($0) } ?? "-").\(String(page, radix: 16))"
                    if result == .bypassed(pa: old | 1 << 46) {
                        fresh.insert(name)
                    } else if result != .bypassed(pa: old) {
                        fresh.insert("wrong: \(name)")
                    }
                }
            }
        }
        return fresh
    }
}

/// One command, and which pages of which devices' ATCs it has to drop.
struct ATCCase: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let command: Command
    let holders: [String]
    let pages: [UInt64]

    init(_ title: String, _ command: Command, of holders: [String], pages: [UInt64] = ATCUniverse.pages) {
        (testDescription, self.command, self.holders, self.pages) = (title, command, holders, pages)
    }

    func check() {
        var universe = ATCUniverse()
        let error = universe.machine.run(command)
        #expect(error == .none)
        let fresh = universe.dropped()
        let expected = Set(holders.flatMap { holder in pages.map { "\(holder).\(String($0, radix: 16))" } })
        #expect(fresh.subtracting(expected).sorted() == [], "dropped, but not covered")
        #expect(expected.subtracting(fresh).sorted() == [], "covered, but still there")
    }
}

@Suite struct ATCTests {
    private static let one = StreamID(1)

    @Test("atc.stale: an ATC's pages stay in use after tables, TLB and configuration have changed")
    func stale() {
        var universe = ATCUniverse()
        let before = universe.dropped()
        #expect(before.isEmpty)
        for stream in ATCUniverse.streams {
            for substream in ATCUniverse.substreams {
                universe.machine.run(.atcInv(StreamID(stream), substream.map { SubstreamID($0) }))
            }
        }
        let after = universe.dropped()
        #expect(after.count == 6 * ATCUniverse.pages.count && !after.contains { $0.hasPrefix("wrong") })
    }

    static let spans: [ATCCase] = [
        ATCCase("one page", .atcInv(one, address: 0x100_000, size: 0), of: ["1.-"], pages: [0x100]),
        ATCCase("two pages", .atcInv(one, address: 0x100_000, size: 1), of: ["1.-"], pages: [0x100, 0x101]),
        ATCCase("two pages, aligned", .atcInv(one, address: 0x101_000, size: 1), of: ["1.-"], pages: [0x100, 0x101]),
        ATCCase("16 pages", .atcInv(one, address: 0x100_000, size: 4), of: ["1.-"], pages: [0x100, 0x101, 0x10f]),
        ATCCase("next 16 pages", .atcInv(one, address: 0x110_000, size: 4), of: ["1.-"], pages: [0x110]),
        ATCCase(
            "256 pages, aligned", .atcInv(one, address: 0x1a5_000, size: 8), of: ["1.-"],
            pages: [0x100, 0x101, 0x10f, 0x110, 0x1ff]),
        ATCCase("first page only", .atcInv(one, address: 0, size: 7), of: ["1.-"], pages: []),
        ATCCase("last page", .atcInv(one, address: 0xffff_ffff_f000, size: 0), of: ["1.-"], pages: [0xf_ffff_ffff]),
        ATCCase("upper half of all", .atcInv(one, address: 1 << 63, size: 51), of: []),
        ATCCase("lower half of all", .atcInv(one, address: 0, size: 51), of: ["1.-"]),
    ]

    @Test("atc.inv-span: every page of the aligned span goes, those on both sides stay", arguments: spans)
    func span(_ test: ATCCase) { test.check() }

    static let holders: [ATCCase] = [
        ATCCase("all", .atcInv(one, size: 52), of: ["1.-"]),
        ATCCase("all, address not looked at", .atcInv(one, address: .max, size: 52), of: ["1.-"]),
        ATCCase("all of the other", .atcInv(StreamID(2), size: 52), of: ["2.-"]),
        ATCCase("all of none", .atcInv(StreamID(3), size: 52), of: []),
        ATCCase("Global without SSV", Command(d0: 0x40 | 1 << 9 | 1 << 32, d1: 52), of: ["1.-"]),
    ]

    @Test(
        "atc.inv-all, atc.others-kept: Size 52 drops all of a device without SubstreamID, and no other's",
        arguments: holders)
    func all(_ test: ATCCase) { test.check() }

    static let substreams: [ATCCase] = [
        ATCCase("all of 1", .atcInv(one, SubstreamID(1)), of: ["1.1"]),
        ATCCase("all of 2", .atcInv(one, SubstreamID(2)), of: ["1.2"]),
        ATCCase("all of 0", .atcInv(one, SubstreamID(0)), of: []),
        ATCCase(
            "span of 2", .atcInv(one, SubstreamID(2), address: 0x100_000, size: 4), of: ["1.2"],
            pages: [0x100, 0x101, 0x10f]),
        ATCCase("of the other device", .atcInv(StreamID(2), SubstreamID(1)), of: ["2.1"]),
    ]

    @Test("atc.inv-pasid, atc.others-kept: SSV drops the span of one SubstreamID", arguments: substreams)
    func substream(_ test: ATCCase) { test.check() }

    @Test(
        "atc.inv-global: SSV and Global drop the span of every SubstreamID of the device, and no other's",
        arguments: [UInt32(1), 7])
    func global(_ substream: UInt32) {
        var universe = ATCUniverse()
        universe.machine.run(.atcInv(Self.one, SubstreamID(substream), global: true, address: 0x100_000, size: 1))
        let fresh = universe.dropped()
        #expect(fresh.isSuperset(of: ["1.1.100", "1.1.101", "1.2.100", "1.2.101"]))
        // Whether what was asked without a SubstreamID goes as well, the architecture leaves to the device.
        #expect(fresh.subtracting(["1.-.100", "1.-.101"]).count == 4)
    }

    static let others: [ATCCase] = [
        ATCCase("NSNH_ALL", .tlbi(.tlbiNSNHAll), of: []),
        ATCCase("NH_ALL", .tlbi(.tlbiNHAll), of: []),
        ATCCase("NH_ASID", .tlbi(.tlbiNHASID, asid: 8), of: []),
        ATCCase("NH_VA", .tlbi(.tlbiNHVA, asid: 8, address: 0x100_000), of: []),
        ATCCase("NH_VAA", .tlbi(.tlbiNHVAA, address: 0x100_000), of: []),
        ATCCase("S12_VMALL", .tlbi(.tlbiS12VMAll), of: []),
        ATCCase("S2_IPA", .tlbi(.tlbiS2IPA, address: 0x100_000), of: []),
        ATCCase("EL2_ALL", .tlbi(.tlbiEL2All), of: []),
        ATCCase("CFGI_STE", .cfgiSTE(one), of: []),
        ATCCase("CFGI_CD", .cfgiCD(one, SubstreamID(1)), of: []),
        ATCCase("CFGI_CD_ALL", .cfgiCDAll(one), of: []),
        ATCCase("CFGI_ALL", .cfgiAll, of: []),
    ]

    @Test("atc.tlbi-apart: no TLBI and no CFGI drops anything of an ATC", arguments: others)
    func apart(_ test: ATCCase) { test.check() }

    @Test("atc.stale: an ATC_INV while the SMMU is off reaches no device")
    func whileOff() {
        var universe = ATCUniverse()
        universe.machine.smmu.registers.smmuEnabled = false
        universe.machine.run(.atcInv(Self.one))
        universe.machine.smmu.registers.smmuEnabled = true
        let fresh = universe.dropped()
        #expect(fresh.isEmpty)
    }

    @Test("atc.eviction: with room for four, the oldest of five pages goes and is requested again")
    func eviction() {
        var machine = Machine(capacity: SMMUCapacity(atc: 4))
        let stream = machine.addStage1Stream(1)
        var ste = machine.ste(1)
        ste.atsMode = .full
        machine.setSTE(1, ste)
        for page in 0..<5 as Range<UInt64> { machine.map(stream.table, page << 12, to: 0x5000_0000 + page << 12) }
        for page in 0..<5 as Range<UInt64> {
            let result = machine.smmu.accessWithATS(Transaction(StreamID(1), page << 12))
            #expect(result == .bypassed(pa: 0x5000_0000 + page << 12))
        }
        for page in 0..<5 as Range<UInt64> { machine.map(stream.table, page << 12, to: 0x6000_0000 + page << 12) }
        machine.run(.tlbi(.tlbiNHAll))
        for page in 1..<5 as Range<UInt64> {
            let result = machine.smmu.accessWithATS(Transaction(StreamID(1), page << 12))
            #expect(result == .bypassed(pa: 0x5000_0000 + page << 12), "still held")
        }
        let evicted = machine.smmu.accessWithATS(Transaction(StreamID(1), 0))
        #expect(evicted == .bypassed(pa: 0x6000_0000) && machine.smmu.cachedCounts.atc == 4)
    }
}

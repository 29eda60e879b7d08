import SMMUv3
import Scenarios
import Testing

struct NestedProfileTests {
    /// An SMMU with a random choice of everything, without reserved codes.
    static func anySMMU(_ random: inout SplitMix64) -> IDRegisters {
        IDRegisters(words: random.words(8))
            .withIDR0(3, 2, 2).withIDR0(1, 1, 1).withIDR0(22, 21, random.pick([0, 2, 3]))
            .withIDR0(25, 24, random.bits(1)).withIDR1(10, 6, random.below(21)).withIDR3(12, 11, random.below(3))
            .withIDR5(2, 0, random.below(7)).withIDR5(11, 10, random.below(3))
            .with(\.aidr, 31, 4, 0)
    }

    @Test("nested-vsmmu.profile: a guest is shown nothing the host lacks, nor what is not provided", arguments: seeds)
    func profile(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for _ in 0..<20 {
            let (host, wanted) = (Self.anySMMU(&random), Self.anySMMU(&random))
            let stalls = random.chance(50)
            let shown = NestedVSMMU.profile(host: host, wanted: wanted, stalls: stalls).ids

            let absent = [
                shown.stage2Supported, shown.broadcastTLBMaintenance, shown.hypSupported, shown.priSupported,
                shown.vmid16Bit, shown.forceWriteBack, shown.aarch32TablesSupported,
            ]
            #expect(absent.allSatisfy { !$0 } && shown.hardwareTableUpdate == 0, "seed \(seed)")
            if !stalls { #expect(shown.stallModel == .terminateOnly && shown.maximumStalled == 0, "seed \(seed)") }

            let flags: [(IDRegisters) -> Bool] = [
                \.stage1Supported, \.aarch64TablesSupported, \.coherentAccess, \.atsSupported, \.asid16Bit,
                \.twoLevelCDSupported, \.hierarchicalAttributeDisable, \.smallTranslationTables, \.rangeInvalidation,
                \.e0pd, \.smallGranule52Bit, \.largeVirtualAddress, { $0.supports(.k4) }, { $0.supports(.k16) },
                { $0.supports(.k64) },
            ]
            for (index, flag) in flags.enumerated() {
                #expect(flag(shown) == (flag(host) && flag(wanted)), "flag \(index), seed \(seed)")
            }
            #expect(shown.outputAddressSize == min(host.outputAddressSize, wanted.outputAddressSize))
            #expect(shown.substreamIDSize == min(host.substreamIDSize, wanted.substreamIDSize), "seed \(seed)")
            #expect(shown.terminationAlwaysAborts || !host.terminationAlwaysAborts, "seed \(seed)")
            for big in [false, true] where shown.tableEndianness.allows(bigEndian: big) {
                #expect(host.tableEndianness.allows(bigEndian: big), "seed \(seed)")
            }
        }
    }

    @Test("What the VMM emulates by itself is shown as it was wanted", arguments: seeds)
    func emulated(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let wanted = Self.anySMMU(&random)
        let shown = NestedVSMMU.profile(host: IDRegisters(), wanted: wanted, stalls: false).ids
        #expect(shown.msiSupported == wanted.msiSupported && shown.sevSupported == wanted.sevSupported)
        #expect(shown.streamIDSize == wanted.streamIDSize, "seed \(seed)")
        #expect(shown.eventQueueLog2Size == wanted.eventQueueLog2Size, "seed \(seed)")
        #expect(shown.commandQueueLog2Size == wanted.commandQueueLog2Size, "seed \(seed)")
        #expect(shown.twoLevelStreamTableSupported == wanted.twoLevelStreamTableSupported, "seed \(seed)")
        #expect(shown.iidr == wanted.iidr, "seed \(seed)")
    }

    @Test("A CD or stage 1 entry that is legal for what a guest is shown is legal on the host", arguments: seeds)
    func legalOnTheHost(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var legalCDs = 0
        for _ in 0..<200 {
            let host = Self.anySMMU(&random)
            let shown = NestedVSMMU.profile(host: host, wanted: Self.anySMMU(&random), stalls: false).ids
            let cd = ContextDescriptor.legal(
                (5, 0, 12 + random.below(40)), (21, 16, 12 + random.below(40)), (7, 6, random.bits(2)),
                (23, 22, random.bits(2)), (34, 32, random.below(7)), (15, 14, random.bits(2)), (30, 30, random.bits(1)),
                (44, 42, random.bits(3) & random.bits(3)), (63, 48, random.bits(9)))
            if cd.illegalities(on: shown, stallDisabled: false, twoRanges: true).isEmpty {
                legalCDs += 1
                #expect(cd.illegalities(on: host, stallDisabled: false, twoRanges: true) == [], "seed \(seed)")
            }
            let entry = StreamTableEntry.legal(.stage1) {
                ($0.s1CDMax, $0.s1Format) = (random.below(21), random.below(4))
                ($0.s1StallDisabled, $0.atsMode) = (random.chance(20), random.chance(50) ? .full : .disabled)
            }
            if case .translate(let word0, let word1) = NestedVSMMU.verdict(on: entry, advertised: shown) {
                #expect(StreamTableEntry(word0, word1).illegalities(on: host) == [], "seed \(seed)")
            }
        }
        #expect(legalCDs > 0, "the property was tried, seed \(seed)")
    }

    @Test("What is left out is listed with the reason, and only that")
    func narrowed() {
        let host = everything().withIDR3(10, 10, 0)
        let wanted = everything()
        let profile = NestedVSMMU.profile(host: host, wanted: wanted, stalls: false)
        let narrowed = Dictionary(uniqueKeysWithValues: profile.narrowed.map { ($0.field, $0) })
        #expect(narrowed["IDR3.RIL"]?.reason == .host)
        #expect(narrowed["IDR3.RIL"]?.wanted == 1 && narrowed["IDR3.RIL"]?.shown == 0)
        #expect(narrowed["IDR0.S2P"]?.reason == .notProvided)
        #expect(narrowed["IDR0.STALL_MODEL"]?.shown == 1)
        #expect(narrowed["IDR0.S1P"] == nil && narrowed["IDR1.SIDSIZE"] == nil)

        let again = NestedVSMMU.profile(host: host, wanted: profile.ids, stalls: false)
        #expect(again.ids == profile.ids && again.narrowed.isEmpty, "what may be shown is shown")
        for field in IDRegisters.fields {
            let asked = field.value(in: wanted.words[field.word])
            let given = field.value(in: profile.ids.words[field.word])
            #expect((asked != given) == (narrowed[field.name] != nil), "\(field.name)")
        }
    }

    @Test("absent.atos: a guest is never shown ATOS or VATOS, and no register of theirs is known")
    func atos() {
        let host = IDRegisters(idr0: .max, idr1: .max, idr2: .max, idr3: .max, idr5: .max)
        let shown = NestedVSMMU.profile(host: host, wanted: host, stalls: true).ids
        #expect(!shown.idr0.bit(15) && !shown.idr0.bit(20))
        // GATOS_CTRL to GATOS_PAR, and the VATOS page that BA_VATOS would name.
        #expect(ControlRegister.allCases.allSatisfy { !(0x100..<0x200).contains($0.rawValue) })
        #expect(shown.idr2 == 0)
    }
}

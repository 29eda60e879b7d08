import SMMUv3
import Scenarios
import Testing

struct IDRegisterTests {
    static let idr0 = Layout(
        """
        S2P[0] S1P[1] TTF[3:2] COHACC[4] BTM[5] HTTU[7:6] DORMHINT[8] HYP[9] ATS[10] NS1ATS[11] ASID16[12] MSI[13]
        SEV[14] ATOS[15] PRI[16] VMW[17] VMID16[18] CD2L[19] VATOS[20] TTENDIAN[22:21] ATSRECERR[23]
        STALL_MODEL[25:24] TERM_MODEL[26] ST_LEVEL[28:27] RME_IMPL[30]
        """)
    static let idr1 = Layout(
        """
        SIDSIZE[5:0] SSIDSIZE[10:6] PRIQS[15:11] EVENTQS[20:16] CMDQS[25:21] ATTR_PERMS_OVR[26] ATTR_TYPES_OVR[27]
        REL[28] QUEUES_PRESET[29] TABLES_PRESET[30] ECMDQ[31]
        """)
    static let idr3 = Layout(
        """
        HAD[2] PBHA[3] XNX[4] PPS[5] MPAM[7] FWB[8] STT[9] RIL[10] BBML[12:11] E0PD[13] PTWNNC[14] DPT[15]
        PASIDTT[16] EPAN[17] S1PI[18] S2PI[19] S2PO[20] THE[21] MTEPERM[22] AIE[23]
        """)
    static let idr5 = Layout("OAS[2:0] GRAN4K[4] GRAN16K[5] GRAN64K[6] DS[7] D128[8] VAX[11:10] STALL_MAX[31:16]")

    /// Every field of register `index` stands where `layout` says, and putting the fields back gives the word.
    static func check(_ index: Int, _ name: String, _ layout: Layout) {
        #expect(Layout.entries(of: IDRegisters.fields, word: index, without: name + ".") == Set(layout.entries))
        for seed in seeds {
            var random = SplitMix64(seed: seed)
            let word = random.next() & layout.mask
            var rebuilt: UInt64 = 0
            for field in IDRegisters.fields where field.word == index {
                rebuilt.setBits(field.high, field.low, field.value(in: word))
            }
            #expect(rebuilt == word, "\(name), seed \(seed)")
        }
    }

    @Test("idr.idr0-fields: all fields of IDR0, from S2P to RME_IMPL, and back to the same word")
    func fieldsOfIDR0() {
        Self.check(0, "IDR0", Self.idr0)
        for seed in seeds {
            var random = SplitMix64(seed: seed)
            let word = random.bits(32)
            let ids = IDRegisters(idr0: UInt32(word))
            let flags: [(String, Bool)] = [
                ("S2P", ids.stage2Supported), ("S1P", ids.stage1Supported), ("COHACC", ids.coherentAccess),
                ("BTM", ids.broadcastTLBMaintenance), ("HYP", ids.hypSupported), ("ATS", ids.atsSupported),
                ("ASID16", ids.asid16Bit), ("MSI", ids.msiSupported), ("SEV", ids.sevSupported),
                ("PRI", ids.priSupported), ("VMID16", ids.vmid16Bit), ("CD2L", ids.twoLevelCDSupported),
                ("TERM_MODEL", ids.terminationAlwaysAborts),
            ]
            for (name, flag) in flags {
                #expect(Self.idr0[name]?.value(in: word) == (flag ? 1 : 0), "\(name), seed \(seed)")
            }
            #expect(Self.idr0["HTTU"]?.value(in: word) == UInt64(ids.hardwareTableUpdate), "seed \(seed)")
        }
    }

    @Test("idr.idr1-fields: all fields of IDR1, with the sizes kept within what the architecture allows")
    func fieldsOfIDR1() {
        Self.check(1, "IDR1", Self.idr1)
        for seed in seeds {
            var random = SplitMix64(seed: seed)
            let word = random.bits(32)
            let ids = IDRegisters(idr1: UInt32(word))
            let sizes: [(String, Int, Int)] = [
                ("SIDSIZE", ids.streamIDSize, 32), ("SSIDSIZE", ids.substreamIDSize, 20),
                ("PRIQS", ids.priQueueLog2Size, 19), ("EVENTQS", ids.eventQueueLog2Size, 19),
                ("CMDQS", ids.commandQueueLog2Size, 19),
            ]
            for (name, size, most) in sizes {
                let value = Self.idr1[name].map { Int($0.value(in: word)) } ?? -1
                #expect(size == min(value, most), "\(name), seed \(seed)")
            }
            #expect(ids.permissionOverrideSupported == (Self.idr1["ATTR_PERMS_OVR"]?.value(in: word) == 1))
        }
    }

    @Test("idr.other-fields: BA_VATOS, the parts of IIDR, and AIDR 0x02 as version 3.2")
    func otherRegisters() {
        Self.check(2, "IDR2", Layout("BA_VATOS[9:0]"))
        Self.check(6, "IIDR", Layout("Implementer[11:0] Revision[15:12] Variant[19:16] ProductID[31:20]"))
        Self.check(7, "AIDR", Layout("ArchMinorRev[3:0] ArchMajorRev[7:4]"))
        #expect(IDRegisters(aidr: 2).architectureVersion == "3.2")
        #expect(IDRegisters(aidr: 0).architectureVersion == "3.0")
        #expect(IDRegisters(aidr: 0x10).architectureVersion == nil)
    }

    @Test("idr.idr3-fields: all fields of IDR3")
    func fieldsOfIDR3() {
        Self.check(3, "IDR3", Self.idr3)
        for seed in seeds {
            var random = SplitMix64(seed: seed)
            let word = random.bits(32)
            let ids = IDRegisters(idr3: UInt32(word))
            let flags: [(String, Bool)] = [
                ("HAD", ids.hierarchicalAttributeDisable), ("XNX", ids.executeNeverXNX), ("FWB", ids.forceWriteBack),
                ("STT", ids.smallTranslationTables), ("RIL", ids.rangeInvalidation), ("E0PD", ids.e0pd),
            ]
            for (name, flag) in flags {
                #expect(Self.idr3[name]?.value(in: word) == (flag ? 1 : 0), "\(name), seed \(seed)")
            }
        }
    }

    @Test("idr.idr5-fields: all fields of IDR5")
    func fieldsOfIDR5() {
        Self.check(5, "IDR5", Self.idr5)
        for seed in seeds {
            var random = SplitMix64(seed: seed)
            let word = random.bits(32)
            let ids = IDRegisters(idr5: UInt32(word))
            #expect(Self.idr5["GRAN4K"]?.value(in: word) == (ids.supports(.k4) ? 1 : 0), "seed \(seed)")
            #expect(Self.idr5["GRAN16K"]?.value(in: word) == (ids.supports(.k16) ? 1 : 0), "seed \(seed)")
            #expect(Self.idr5["GRAN64K"]?.value(in: word) == (ids.supports(.k64) ? 1 : 0), "seed \(seed)")
            #expect(Self.idr5["DS"]?.value(in: word) == (ids.smallGranule52Bit ? 1 : 0), "seed \(seed)")
            #expect(Self.idr5["STALL_MAX"]?.value(in: word) == UInt64(ids.maximumStalled), "seed \(seed)")
        }
    }

    @Test(
        "idr.ttf: each bit of TTF stands for one kind of tables",
        arguments: zip(0...3 as ClosedRange<UInt32>, [(false, false), (true, false), (false, true), (true, true)]))
    func tableFormats(ttf: UInt32, kinds: (aarch32: Bool, aarch64: Bool)) {
        let ids = IDRegisters(idr0: ttf << 2)
        #expect(ids.aarch32TablesSupported == kinds.aarch32)
        #expect(ids.aarch64TablesSupported == kinds.aarch64)
    }

    @Test("idr.choices: endianness, stall and terminate models, stream table levels and input sizes by their codes")
    func choices() {
        let endian = [0, 2, 3].map { IDRegisters(idr0: $0 << 21).tableEndianness }
        #expect(endian == [.mixed, .littleOnly, .bigOnly])
        #expect([false, true].map { IDRegisters.TableEndianness.mixed.allows(bigEndian: $0) } == [true, true])
        #expect([false, true].map { IDRegisters.TableEndianness.littleOnly.allows(bigEndian: $0) } == [true, false])
        #expect([false, true].map { IDRegisters.TableEndianness.bigOnly.allows(bigEndian: $0) } == [false, true])
        let stall = [0, 1, 2].map { IDRegisters(idr0: $0 << 24).stallModel }
        #expect(stall == [.stallAndTerminate, .terminateOnly, .stallForced])
        #expect([0, 1].map { IDRegisters(idr0: $0 << 26).terminationAlwaysAborts } == [false, true])
        let levels = [0, 1, 2, 3].map { IDRegisters(idr0: $0 << 27).twoLevelStreamTableSupported }
        #expect(levels == [false, true, false, false])
        #expect([0, 1, 2, 3].map { IDRegisters(idr5: $0 << 10).largeVirtualAddress } == [false, true, true, false])
    }

    @Test(
        "idr.oas-encoding: the codes of OAS, of which 7 counts as 52 bits",
        arguments: zip(0...7 as ClosedRange<UInt32>, [32, 36, 40, 42, 44, 48, 52, 52]))
    func outputSizes(code: UInt32, bits: Int) {
        #expect(IDRegisters(idr5: code).outputAddressSize == bits)
    }

    @Test("Every field of the ID registers that is not 0 is named in the description, with its meaning")
    func description() {
        #expect(overlap(IDRegisters.fields).isEmpty)
        for seed in seeds {
            var random = SplitMix64(seed: seed)
            let ids = IDRegisters(words: random.words(8))
            let shown = Dictionary(uniqueKeysWithValues: ids.describe().map { ($0.name, $0.value) })
            for field in IDRegisters.fields {
                let value = field.value(in: ids.words[field.word])
                #expect(shown[field.name] == value || (value == 0 && shown[field.name] == nil), "seed \(seed)")
            }
        }
        let texts = IDRegisters(idr0: 2 << 21, idr5: 5).describe().map(\.text)
        #expect(texts.contains("2 (little)") && texts.contains("5 (48 bits)"))
    }
}

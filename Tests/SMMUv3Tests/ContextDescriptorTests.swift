import SMMUv3
import Scenarios
import Testing

struct ContextDescriptorTests {
    static let layouts = [
        Layout(
            """
            T0SZ[5:0] TG0[7:6] IR0[9:8] OR0[11:10] SH0[13:12] EPD0[14] ENDI[15] T1SZ[21:16] TG1[23:22] IR1[25:24]
            OR1[27:26] SH1[29:28] EPD1[30] V[31] IPS[34:32] AFFD[35] WXN[36] UWXN[37] TBI0[38] TBI1[39] PAN[40] AA64[41]
            HD[42] HA[43] S[44] R[45] A[46] ASET[47] ASID[63:48]
            """),
        Layout("NSCFG0[0] HAD0[1] E0PD0[2] HAFT[3] TTB0[51:4]"), Layout("NSCFG1[0] HAD1[1] E0PD1[2] TTB1[51:4]"),
        Layout("MAIR[63:0]"), Layout("AMAIR[63:0]"),
    ]

    @Test("cd.fields: every field is read from its own bits", arguments: seeds)
    func fields(seed: UInt64) throws {
        for (index, layout) in Self.layouts.enumerated() {
            #expect(Layout.entries(of: ContextDescriptor.fields, word: index) == Set(layout.entries))
        }
        var random = SplitMix64(seed: seed)
        let cd = ContextDescriptor(words: random.vector8())
        func value(_ name: String, _ word: Int = 0) throws -> UInt64 {
            try #require(Self.layouts[word][name]).value(in: cd.words[word])
        }
        let flags: [(String, Bool)] = [
            ("V", cd.valid), ("ENDI", cd.bigEndian), ("AFFD", cd.accessFlagFaultDisabled),
            ("WXN", cd.writableExecuteNever), ("UWXN", cd.unprivilegedWritableExecuteNever),
            ("PAN", cd.privilegedAccessNever), ("AA64", cd.aarch64), ("HD", cd.hardwareDirty),
            ("HA", cd.hardwareAccessFlag), ("S", cd.stall), ("R", cd.record), ("A", cd.abort),
            ("EPD0", cd.table(0).walkDisabled), ("EPD1", cd.table(1).walkDisabled),
            ("TBI0", cd.table(0).topByteIgnored), ("TBI1", cd.table(1).topByteIgnored),
        ]
        for (name, flag) in flags { #expect(try value(name) == (flag ? 1 : 0), "\(name), seed \(seed)") }
        #expect(try value("IPS") == UInt64(cd.ipsCode), "seed \(seed)")
        #expect(try value("ASID") == UInt64(cd.asid), "seed \(seed)")
        for index in 0...1 {
            let table = cd.table(index)
            #expect(try value("T\(index)SZ") == UInt64(table.tsz), "seed \(seed)")
            #expect(try value("HAD\(index)", index + 1) == (table.hierarchicalAttributesDisabled ? 1 : 0))
            #expect(try value("E0PD\(index)", index + 1) == (table.unprivilegedDisabled ? 1 : 0))
            #expect(try value("TTB\(index)", index + 1) << 4 == table.base, "seed \(seed)")
        }
        let bytes = cd.littleEndianBytes
        #expect(ContextDescriptor(littleEndianBytes: bytes) == cd, "seed \(seed)")
        #expect(bytes[6...7].reversed().reduce(0) { $0 << 8 | UInt64($1) } == UInt64(cd.asid), "seed \(seed)")
    }

    @Test("cd.tg0-encoding, cd.tg1-encoding: the codes of TG0 and TG1, which are not the same")
    func granules() {
        let tg0 = (0...3).map { ContextDescriptor(words: [$0 << 6, 0, 0, 0, 0, 0, 0, 0]).table(0).granule }
        #expect(tg0 == [.k4, .k64, .k16, nil])
        let tg1 = (0...3).map { ContextDescriptor(words: [$0 << 22, 0, 0, 0, 0, 0, 0, 0]).table(1).granule }
        #expect(tg1 == [nil, .k16, .k4, .k64])
    }

    @Test("cd.ips-encoding, cd.ips-clamp: IPS codes mean 32 to 52 bits, and never more than OAS")
    func intermediateSize() {
        let sizes = [32, 36, 40, 42, 44, 48, 52]
        for (oasCode, oas) in sizes.enumerated() {
            let ids = everything().withIDR5(2, 0, UInt64(oasCode))
            for (code, size) in sizes.enumerated() {
                let cd = ContextDescriptor(words: [UInt64(code) << 32, 0, 0, 0, 0, 0, 0, 0])
                #expect(cd.outputBits(on: ids, granule: .k64) == min(size, oas), "IPS \(code), OAS \(oas)")
                // Their descriptors have no place for more bits.
                #expect(cd.outputBits(on: ids, granule: .k4) == min(size, oas, 48), "IPS \(code), OAS \(oas)")
                #expect(cd.outputBits(on: ids, granule: .k16) == min(size, oas, 48), "IPS \(code), OAS \(oas)")
            }
        }
    }

    @Test("The description names every field that is not 0, but for those of a table that is off", arguments: seeds)
    func description(seed: UInt64) {
        #expect(overlap(ContextDescriptor.fields).isEmpty)
        var random = SplitMix64(seed: seed)
        for enabled in [[true, true], [true, false], [false, true], [false, false]] {
            var cd = ContextDescriptor(words: random.vector8())
            cd.words[0].setBit(14, !enabled[0])
            cd.words[0].setBit(30, !enabled[1])
            let shown = Dictionary(uniqueKeysWithValues: cd.describe().map { ($0.name, $0.value) })
            for field in ContextDescriptor.fields {
                let value = field.value(in: cd.words[field.word])
                let named = shown[field.name]
                // EPDn itself says that the table is off.
                let digit = field.name.last.flatMap { $0 == "0" ? 0 : ($0 == "1" ? 1 : nil) }
                let table = field.name.hasSuffix("SZ") ? (field.name == "T0SZ" ? 0 : 1) : digit
                let isOff = !field.name.hasPrefix("EPD") && table.map { !enabled[$0] } ?? false
                #expect(isOff ? named == nil : named == value || (named == nil && value == 0), "seed \(seed)")
            }
        }
    }

    @Test("A first-level descriptor holds V and L2Ptr", arguments: seeds)
    func firstLevel(seed: UInt64) {
        #expect(Layout.entries(of: CDTableL1Descriptor.fields) == Set(Layout("V[0] L2Ptr[51:12]").entries))
        var random = SplitMix64(seed: seed)
        var descriptor = CDTableL1Descriptor(word: random.next())
        let before = descriptor.word
        #expect(descriptor.valid == (before % 2 == 1), "seed \(seed)")
        #expect(descriptor.l2Pointer == before & 0x000f_ffff_ffff_f000, "seed \(seed)")
        (descriptor.valid, descriptor.l2Pointer) = (true, .max)
        #expect(descriptor.word == before | 0x000f_ffff_ffff_f001, "seed \(seed)")
        (descriptor.valid, descriptor.l2Pointer) = (false, 0)
        #expect(descriptor.word == before & ~0x000f_ffff_ffff_f001, "seed \(seed)")
        #expect(CDTableL1Descriptor(littleEndianBytes: descriptor.littleEndianBytes) == descriptor)
    }
}

import SMMUv3
import Scenarios
import Testing

struct StreamTableEntryTests {
    static let layouts = [
        Layout("V[0] Config[3:1] S1Fmt[5:4] S1ContextPtr[51:6] S1CDMax[63:59]"),
        Layout(
            """
            S1DSS[1:0] S1CIR[3:2] S1COR[5:4] S1CSH[7:6] S2HWU[11:8] DRE[12] CONT[16:13] DCP[17] PPAR[18] MEV[19]
            S2FWB[25] S1MPAM[26] S1STALLD[27] EATS[29:28] STRW[31:30] MemAttr[35:32] MTCFG[36] ALLOCCFG[40:37]
            SHCFG[45:44] NSCFG[47:46] PRIVCFG[49:48] INSTCFG[51:50]
            """),
        Layout(
            """
            S2VMID[15:0] S2T0SZ[37:32] S2SL0[39:38] S2IR0[41:40] S2OR0[43:42] S2SH0[45:44] S2TG[47:46] S2PS[50:48]
            S2AA64[51] S2ENDI[52] S2AFFD[53] S2PTW[54] S2HD[55] S2HA[56] S2S[57] S2R[58]
            """),
        Layout("S2TTB[51:4]"),
    ]

    /// A field of the entry that can be read and written, as the number in its bits.
    struct Accessor: Sendable {
        let name: String
        let word: Int
        let get: @Sendable (StreamTableEntry) -> UInt64
        let set: @Sendable (inout StreamTableEntry, UInt64) -> Void

        init(_ name: String, _ word: Int, _ path: any WritableKeyPath<StreamTableEntry, Int> & Sendable) {
            (self.name, self.word) = (name, word)
            (get, set) = ({ UInt64($0[keyPath: path]) }, { $0[keyPath: path] = Int($1) })
        }
        init(_ name: String, _ word: Int, _ path: any WritableKeyPath<StreamTableEntry, Bool> & Sendable) {
            (self.name, self.word) = (name, word)
            (get, set) = ({ $0[keyPath: path] ? 1 : 0 }, { $0[keyPath: path] = $1 != 0 })
        }
        init<Choice: RawRepresentable<UInt8> & SendableMetatype>(
            _ name: String, _ word: Int, _ path: any WritableKeyPath<StreamTableEntry, Choice> & Sendable
        ) {
            (self.name, self.word) = (name, word)
            get = { UInt64($0[keyPath: path].rawValue) }
            set = { entry, value in
                if let choice = Choice(rawValue: UInt8(value)) { entry[keyPath: path] = choice }
            }
        }
    }

    static let accessors: [Accessor] = [
        Accessor("V", 0, \.valid), Accessor("Config", 0, \.config), Accessor("S1Fmt", 0, \.s1Format),
        Accessor("S1CDMax", 0, \.s1CDMax), Accessor("S1DSS", 1, \.s1DefaultSubstream),
        Accessor("S2FWB", 1, \.s2ForceWriteBack), Accessor("S1STALLD", 1, \.s1StallDisabled),
        Accessor("EATS", 1, \.atsMode), Accessor("STRW", 1, \.streamWorld), Accessor("PRIVCFG", 1, \.privilegeOverride),
        Accessor("INSTCFG", 1, \.instructionOverride), Accessor("S2T0SZ", 2, \.s2T0SZ), Accessor("S2SL0", 2, \.s2SL0),
        Accessor("S2TG", 2, \.s2TG), Accessor("S2PS", 2, \.s2PS), Accessor("S2AA64", 2, \.s2AArch64),
        Accessor("S2ENDI", 2, \.s2BigEndian), Accessor("S2AFFD", 2, \.s2AccessFlagFaultDisabled),
        Accessor("S2PTW", 2, \.s2ProtectedTableWalk), Accessor("S2S", 2, \.s2Stall), Accessor("S2R", 2, \.s2Record),
    ]

    /// The product's table and accessors of word `index` agree with the architecture, and setters stay in their bits.
    static func check(word index: Int) throws {
        let layout = layouts[index]
        #expect(Layout.entries(of: StreamTableEntry.fields, word: index) == Set(layout.entries))
        for accessor in accessors where accessor.word == index {
            let entry = try #require(layout[accessor.name])
            for seed in seeds {
                var random = SplitMix64(seed: seed)
                let before = StreamTableEntry(words: random.vector8())
                #expect(accessor.get(before) == entry.value(in: before.words[index]), "\(entry.name), seed \(seed)")
                let value = random.next() % (UInt64(1) << UInt64(entry.high - entry.low + 1))
                var after = before
                accessor.set(&after, value)
                #expect(accessor.get(after) == value, "\(entry.name), seed \(seed)")
                var expected = before
                expected.words[index] = before.words[index] & ~entry.mask | value << UInt64(entry.low)
                #expect(after == expected, "\(entry.name), seed \(seed)")
            }
        }
    }

    @Test("ste.size: an entry is eight little-endian words, and every bit of them survives", arguments: seeds)
    func size(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let bytes = random.words(64).map { UInt8(truncatingIfNeeded: $0) }
        let entry = StreamTableEntry(littleEndianBytes: bytes)
        #expect(entry?.littleEndianBytes == bytes, "seed \(seed)")
        for word in 0..<8 {
            let lowest = bytes[word * 8]
            let highest = bytes[word * 8 + 7]
            #expect(entry.map { UInt8(truncatingIfNeeded: $0.words[word]) } == lowest, "seed \(seed)")
            #expect(entry.map { UInt8($0.words[word] >> 56) } == highest, "seed \(seed)")
        }
        #expect(StreamTableEntry(littleEndianBytes: bytes.dropLast()) == nil)
        #expect(StreamTableEntry(littleEndianBytes: bytes + [0]) == nil)
    }

    @Test("ste.s1-fields: the fields of word 0 are in their places, read and written")
    func word0() throws {
        try Self.check(word: 0)
        for seed in seeds {
            var random = SplitMix64(seed: seed)
            var entry = StreamTableEntry(words: random.vector8())
            let before = entry
            let pointer = random.next()
            entry.s1ContextPointer = pointer
            #expect(entry.s1ContextPointer == pointer & 0x000f_ffff_ffff_ffc0, "seed \(seed)")
            #expect((entry.words[0] ^ before.words[0]) & ~0x000f_ffff_ffff_ffc0 == 0, "seed \(seed)")
        }
    }

    @Test("ste.word1-fields: the fields of word 1 are in their places, read and written")
    func word1() throws {
        try Self.check(word: 1)
        #expect(StreamTableEntry(0, 1 << 19).mergeEvents)
        #expect(!StreamTableEntry(0, ~(1 << 19)).mergeEvents)
    }

    @Test("ste.s2-fields: the fields of words 2 and 3 are in their places, read and written")
    func words2And3() throws {
        try Self.check(word: 2)
        try Self.check(word: 3)
        for seed in seeds {
            var random = SplitMix64(seed: seed)
            var entry = StreamTableEntry(words: random.vector8())
            var expected = entry
            let (base, vmid) = (random.next(), UInt16(random.bits(16)))
            (entry.s2TableBase, entry.s2VMID) = (base, vmid)
            expected.words[2] = expected.words[2] & ~0xffff | UInt64(vmid)
            expected.words[3] = expected.words[3] & ~0x000f_ffff_ffff_fff0 | base & 0x000f_ffff_ffff_fff0
            #expect(entry == expected, "seed \(seed)")
            #expect(entry.s2VMID == vmid && entry.s2TableBase == base & 0x000f_ffff_ffff_fff0, "seed \(seed)")
        }
    }

    @Test("ste.s2tg-encoding: S2TG 0 is 4 KB, 1 is 64 KB, 2 is 16 KB and 3 nothing")
    func granules() {
        #expect((0...3).map { Granule(tg0: $0) } == [.k4, .k64, .k16, nil])
        #expect(Granule.allCases.map { 1 << $0.shift } == [4096, 16384, 65536])
    }

    @Test("Config says which stages translate, and its reserved values abort")
    func config() {
        let configs = StreamTableEntry.Config.allCases
        #expect(configs.map(\.rawValue) == Array(0...7))
        #expect(configs.map(\.aborts) == [true, true, true, true, false, false, false, false])
        #expect(configs.map(\.stage1) == [false, false, false, false, false, true, false, true])
        #expect(configs.map(\.stage2) == [false, false, false, false, false, false, true, true])
    }

    @Test("ste.vectors: the published entries say what they mean, and are made from it")
    func vectors() {
        var bypass = StreamTableEntry()
        (bypass.valid, bypass.config) = (true, .bypass)
        #expect(bypass == StreamTableEntry(0x9, 0))

        var abort = StreamTableEntry()
        (abort.valid, abort.config) = (true, .abort)
        #expect(abort == StreamTableEntry(0x1, 0))

        let single = StreamTableEntry(0x0000_0000_8001_234b, 0x0000_0000_0800_00d4)
        #expect(single.valid && single.config == .stage1 && single.s1Format == 0 && single.s1CDMax == 0)
        #expect(single.s1ContextPointer == 0x8001_2340 && single.s1StallDisabled)
        #expect(single.describe().first { $0.name == "S1CIR" }?.value == 1)
        #expect(single.describe().first { $0.name == "S1COR" }?.value == 1)
        #expect(single.describe().first { $0.name == "S1CSH" }?.value == 3)
        var made = StreamTableEntry(0, 0xd4)
        (made.valid, made.config, made.s1ContextPointer, made.s1StallDisabled) = (true, .stage1, 0x8001_2340, true)
        #expect(made == single)

        let table = StreamTableEntry(0x5000_0000_8001_202b, 0x0000_0000_0000_00d6)
        #expect(table.valid && table.config == .stage1 && table.s1Format == 2 && table.s1CDMax == 10)
        #expect(table.s1ContextPointer == 0x8001_2000 && table.s1DefaultSubstream == .substream0)
        made = StreamTableEntry(0, 0xd4)
        (made.valid, made.config, made.s1ContextPointer) = (true, .stage1, 0x8001_2000)
        (made.s1Format, made.s1CDMax, made.s1DefaultSubstream) = (2, 10, .substream0)
        #expect(made == table)
        for vector in [single, table] { #expect(vector.illegalities(on: everything()) == []) }
    }

    @Test("The description names every field that matters to the Config and is not 0", arguments: seeds)
    func description(seed: UInt64) {
        #expect(overlap(StreamTableEntry.fields).isEmpty)
        var random = SplitMix64(seed: seed)
        var entry = StreamTableEntry(words: random.vector8())
        for config in StreamTableEntry.Config.allCases {
            entry.config = config
            let shown = Dictionary(uniqueKeysWithValues: entry.describe().map { ($0.name, $0.value) })
            for field in StreamTableEntry.fields {
                let isOff =
                    switch field.name {
                    case "STRW": config != .stage1
                    case "S2VMID": !config.stage1 && !config.stage2
                    case let name where name.hasPrefix("S1"): !config.stage1
                    case let name where name.hasPrefix("S2"): !config.stage2
                    default: false
                    }
                let value = field.value(in: entry.words[field.word])
                let named = shown[field.name]
                #expect(isOff ? named == nil : named == value || (named == nil && value == 0), "seed \(seed)")
            }
        }
    }

    @Test("A first-level descriptor holds Span and L2Ptr, and L2Ptr is aligned to what it spans")
    func firstLevel() {
        #expect(
            Layout.entries(of: StreamTableL1Descriptor.fields) == Set(Layout("Span[4:0] L2Ptr[51:6]").entries))
        for seed in seeds {
            var random = SplitMix64(seed: seed)
            var descriptor = StreamTableL1Descriptor(word: random.next())
            let before = descriptor.word
            descriptor.l2Pointer = 0x000f_ffff_ffff_ffc0
            descriptor.span = 7
            let kept = before & ~(0x000f_ffff_ffff_ffc0 | 0x1f)
            #expect(descriptor.word == kept | 0x000f_ffff_ffff_ffc0 | 7, "seed \(seed)")
            #expect(descriptor.l2Pointer == 0x000f_ffff_ffff_f000, "64 entries are 4 KB")
            #expect(descriptor.describe().map(\.name) == ["Span", "L2Ptr"])
        }
    }
}

import SMMUv3
import Scenarios
import Testing

struct EventTests {
    /// A record besides its number in word 0: the fields of words 0 to 3.
    struct Shape: Sendable, CustomTestStringConvertible {
        let number: UInt8
        let name: String
        let words: [String]

        init(_ number: UInt8, _ name: String, _ words: String...) {
            (self.number, self.name, self.words) = (number, name, words)
        }

        var testDescription: String { name }

        func check() throws {
            let id = try #require(EventID(rawValue: number))
            #expect(id.name == name)
            #expect(overlap(id.fields).isEmpty)
            let layouts = (0..<4).map { Layout($0 < words.count ? words[$0] : "") }
            for (word, layout) in layouts.enumerated() {
                #expect(Layout.entries(of: id.fields, word: word) == Set(layout.entries), "word \(word)")
            }
            for seed in seeds {
                var random = SplitMix64(seed: seed)
                var event = EventRecord(words: SIMD4(random.words(4)))
                event.words[0] = event.words[0] & ~0xff | UInt64(number)
                for (word, layout) in layouts.enumerated() {
                    let covered = layout.mask | (word == 0 ? 0xff : 0)
                    #expect(event.reservedBits[word] == event.words[word] & ~covered, "word \(word), seed \(seed)")
                }
                #expect(event.id == id && event.number == number && event.name == name)
                #expect(EventRecord(littleEndianBytes: event.littleEndianBytes) == event, "seed \(seed)")
            }
        }
    }

    static let device = "SSV[11] SubstreamID[31:12] StreamID[63:32]"
    static let access = "PnU[33] InD[34] RnW[35]"
    static let fault = "STAG[15:0] STALL[31] \(access) NSIPA[38] S2[39] CLASS[41:40]"
    static let input = "InputAddr[63:0]"
    static let fetch = "FetchAddr[51:3]"
    static let ipa = "IPA[51:12]"
    static let cause = "Reason[15:0]"
    static let abort = "Reason[15:0] GPCF[16]"

    @Test("evt.f-uut: an unsupported transaction has its access, its address and a reason")
    func unsupported() throws {
        try Shape(0x01, "F_UUT", Self.device, "\(Self.cause) \(Self.access)", Self.input).check()
    }

    @Test("evt.c-bad-streamid, evt.c-bad-ste, evt.c-bad-cd: bad configuration has nothing but the device")
    func badConfiguration() throws {
        try Shape(0x02, "C_BAD_STREAMID", Self.device).check()
        try Shape(0x04, "C_BAD_STE", Self.device).check()
        try Shape(0x0a, "C_BAD_CD", Self.device).check()
    }

    @Test("evt.f-ste-fetch, evt.f-cd-fetch: a fetch that aborts has its address in word 3")
    func fetches() throws {
        try Shape(0x03, "F_STE_FETCH", Self.device, Self.abort, "", Self.fetch).check()
        try Shape(0x09, "F_CD_FETCH", Self.device, Self.abort, "", Self.fetch).check()
    }

    @Test("evt.f-bad-ats-treq, evt.f-transl-forbidden: refused ATS has the input address, translated traffic RnW too")
    func translationServices() throws {
        try Shape(0x05, "F_BAD_ATS_TREQ", Self.device, "", Self.input).check()
        try Shape(0x07, "F_TRANSL_FORBIDDEN", Self.device, "RnW[35]", Self.input).check()
    }

    @Test("evt.f-stream-disabled, evt.c-bad-substreamid: no SSV, and only the second has a SubstreamID")
    func substreams() throws {
        try Shape(0x06, "F_STREAM_DISABLED", "StreamID[63:32]").check()
        try Shape(0x08, "C_BAD_SUBSTREAMID", "SubstreamID[31:12] StreamID[63:32]").check()
        var event = EventRecord(.badSubstreamID, stream: StreamID(7))
        event.badSubstreamID = SubstreamID(0xabcde)
        #expect(event == EventRecord(0x0000_0007_abcd_e008, 0, 0, 0))
        #expect(event.substreamID == nil && event.badSubstreamID == SubstreamID(0xabcde))
        #expect(event.describe().contains { $0.name == "SubstreamID" && $0.text == "0xabcde" })
    }

    @Test("evt.f-walk-eabt: a table read that aborts has the access and both addresses, and cannot stall")
    func walk() throws {
        let word1 = "\(Self.abort) \(Self.access) S2[39] CLASS[41:40]"
        try Shape(0x0b, "F_WALK_EABT", Self.device, word1, Self.input, Self.fetch).check()
    }

    @Test("evt.f-translation, evt.f-addr-size, evt.f-access: these faults have access, stage, input address and IPA")
    func faults() throws {
        try Shape(0x10, "F_TRANSLATION", Self.device, Self.fault, Self.input, Self.ipa).check()
        try Shape(0x11, "F_ADDR_SIZE", Self.device, Self.fault, Self.input, Self.ipa).check()
        try Shape(0x12, "F_ACCESS", Self.device, Self.fault, Self.input, Self.ipa).check()
    }

    @Test("evt.f-permission: a permission fault has TTRnW besides, shown for a table access at stage 2")
    func permission() throws {
        try Shape(0x13, "F_PERMISSION", Self.device, Self.fault + " TTRnW[44]", Self.input, Self.ipa).check()
        for stage2 in [false, true] {
            for kind in EventRecord.Class.allCases {
                var event = EventRecord(.permission, stream: StreamID(1))
                (event.stage2, event.tableRead, event.ipa) = (stage2, true, 0x1000)
                event.setClass(kind)
                let names = event.describe().map(\.name)
                #expect(names.contains("TTRnW") == (stage2 && kind == .tableDescriptor))
                #expect(names.contains("IPA") == stage2)
            }
        }
    }

    @Test("evt.never-raised: the records that the model never makes decode to their own fields")
    func others() throws {
        let conflict = "\(Self.cause) \(Self.access) NSIPA[38] S2[39]"
        try Shape(0x20, "F_TLB_CONFLICT", Self.device, conflict, Self.input, Self.ipa).check()
        try Shape(0x21, "F_CFG_CONFLICT", Self.device, Self.cause).check()
        let hint = "uX[33] uW[34] uR[35] pX[37] pW[38] pR[39] Span[51:44]"
        try Shape(0x24, "E_PAGE_REQUEST", Self.device, hint, "InputAddr[63:12]").check()
        try Shape(0x25, "F_VMS_FETCH", Self.device, Self.abort, "", Self.fetch).check()
    }

    @Test(
        "evt.common-fields: fields of all records are in their places, and setting one leaves the others",
        arguments: seeds)
    func commonFields(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let before = EventRecord(words: SIMD4(random.words(4)))
        let value = random.next()
        func expect(_ word: Int, _ mask: UInt64, _ bits: UInt64, _ change: (inout EventRecord) -> Void) {
            var after = before
            change(&after)
            var expected = before
            expected.words[word] = before.words[word] & ~mask | bits
            #expect(after == expected, "word \(word), mask \(mask.hex), seed \(seed)")
        }
        let stream = UInt32(truncatingIfNeeded: value)
        expect(0, 0xffff_ffff_0000_0000, UInt64(stream) << 32) { $0.streamID = StreamID(stream) }
        expect(0, 0xffff_f800, (value & 0xfffff) << 12 | 1 << 11) {
            $0.substreamID = SubstreamID(UInt32(value & 0xfffff))
        }
        expect(0, 0xffff_f800, 0) { $0.substreamID = nil }
        expect(1, 0x8000_ffff, value & 0xffff | 1 << 31) { $0.stallTag = UInt16(value & 0xffff) }
        expect(1, 0x8000_ffff, 0) { $0.stallTag = nil }
        for set in [false, true] {
            expect(1, 1 << 33, set ? 1 << 33 : 0) { $0.privileged = set }
            expect(1, 1 << 34, set ? 1 << 34 : 0) { $0.instruction = set }
            expect(1, 1 << 35, set ? 1 << 35 : 0) { $0.read = set }
            expect(1, 1 << 39, set ? 1 << 39 : 0) { $0.stage2 = set }
            expect(1, 1 << 44, set ? 1 << 44 : 0) { $0.tableRead = set }
        }
        expect(2, .max, value) { $0.inputAddress = value }
        expect(3, 0x000f_ffff_ffff_f000, value & 0x000f_ffff_ffff_f000) { $0.ipa = value }
        expect(3, 0x000f_ffff_ffff_fff8, value & 0x000f_ffff_ffff_fff8) { $0.fetchAddress = value }

        #expect(before.streamID.rawValue == UInt32(before.words[0] >> 32), "seed \(seed)")
        #expect(before.stallTag == (before.words[1].bit(31) ? UInt16(before.words[1] & 0xffff) : nil))
        let flags = [before.privileged, before.instruction, before.read, before.stage2, before.tableRead]
        #expect(flags == [33, 34, 35, 39, 44].map { before.words[1].bit($0) }, "seed \(seed)")
        #expect(before.ipa == before.words[3] & 0x000f_ffff_ffff_f000 && before.inputAddress == before.words[2])
        #expect(before.fetchAddress == before.words[3] & 0x000f_ffff_ffff_fff8, "seed \(seed)")
    }

    @Test("evt.class: CLASS 0 is a CD, 1 a table descriptor, 2 the input address, 3 nothing")
    func classes() {
        let classes = [UInt64(0), 1, 2, 3].map { EventRecord(0x10, $0 << 40, 0, 0).eventClass }
        #expect(classes == [.contextDescriptor, .tableDescriptor, .input, nil])
        for kind in EventRecord.Class.allCases {
            var event = EventRecord(0x10, .max, 0, 0)
            event.setClass(kind)
            #expect(event.words[1] == ~(3 << 40) | UInt64(kind.rawValue) << 40)
        }
    }

    @Test("evt.impdef: numbers without a record of their own keep all their bits")
    func implementationDefined() {
        for number in UInt8.min...UInt8.max where EventID(rawValue: number) == nil {
            let event = EventRecord(~0xff | UInt64(number), .max, .max, .max)
            #expect(EventRecord(littleEndianBytes: event.littleEndianBytes) == event)
            #expect(event.id == nil && event.number == number && event.reservedBits == .zero)
            let isDefined = (0xe0...0xef).contains(number)
            #expect(event.name == (isDefined ? "IMPDEF_" : "event 0x") + String(number, radix: 16))
            #expect(event.meaning.hasPrefix(isDefined ? "defined by" : "not an event"))
        }
    }

    @Test("evt.vector-translation: the published fault says what it means, and is made from it")
    func vector() {
        let words = EventRecord(0x0000_0020_0000_0010, 0x0000_0208_0000_0000, 0xdead_0000, 0)
        #expect(words.id == .translation && words.streamID == StreamID(0x20) && words.substreamID == nil)
        #expect(words.read && !words.privileged && !words.instruction && !words.stage2 && words.stallTag == nil)
        #expect(words.eventClass == .input && words.inputAddress == 0xdead_0000)
        #expect(words.reservedBits == .zero)
        var made = EventRecord(.translation, stream: StreamID(0x20))
        (made.read, made.inputAddress) = (true, 0xdead_0000)
        made.setClass(.input)
        #expect(made == words)
        let texts = words.describe().map { "\($0.name) \($0.text)" }
        #expect(
            texts == [
                "Event 0x10 (F_TRANSLATION)", "StreamID 0x20", "PnU 0 (unprivileged)", "InD 0 (data)", "RnW 1 (read)",
                "S2 0 (stage 1)", "CLASS 2 (input address)", "InputAddr 0xdead0000",
            ])
    }

    @Test("evt.forwarded: four configuration errors and the stage 1 faults that do not stall reach a guest")
    func forwarded() {
        let always: Set<EventID> = [.badSTE, .streamDisabled, .badSubstreamID, .badCD]
        for id in EventID.allCases {
            var event = EventRecord(id, stream: StreamID(1))
            #expect(event.forwardedByLinux == (always.contains(id) || id.isTranslationFault), "\(id.name)")
            event.stage2 = true
            #expect(event.forwardedByLinux == always.contains(id), "\(id.name)")
            (event.stage2, event.stallTag) = (false, 3)
            #expect(event.forwardedByLinux == always.contains(id), "\(id.name)")
        }
        let faults = EventID.allCases.filter(\.isTranslationFault)
        #expect(faults == [.translation, .addressSize, .access, .permission])
    }

    @Test("Every kind of record has a meaning of its own")
    func meanings() {
        #expect(Set(EventID.allCases.map(\.meaning)).count == EventID.allCases.count)
        #expect(Set(EventID.allCases.map(\.name)).count == EventID.allCases.count)
    }
}

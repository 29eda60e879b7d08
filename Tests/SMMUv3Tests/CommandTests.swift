import SMMUv3
import Scenarios
import Testing

struct CommandTests {
    static let range = "NUM[16:12] SCALE[24:20]"
    static let rangeEnd = "Leaf[0] TTL[9:8] TG[11:10] Address[63:12]"

    /// The fields besides Opcode in d0[7:0] and SSec in d0[10].
    struct Shape: Sendable, CustomTestStringConvertible {
        let opcode: UInt8
        let name: String
        let d0: String
        let d1: String

        init(_ opcode: UInt8, _ name: String, _ d0: String = "", _ d1: String = "") {
            (self.opcode, self.name, self.d0, self.d1) = (opcode, name, d0, d1)
        }

        var testDescription: String { name }

        func check() throws {
            let known = try #require(Command.Opcode(rawValue: opcode))
            #expect(known.name == name)
            #expect(overlap(known.fields).isEmpty)
            let (first, second) = (Layout("SSec[10] " + d0), Layout(d1))
            #expect(Layout.entries(of: known.fields, word: 0) == Set(first.entries))
            #expect(Layout.entries(of: known.fields, word: 1) == Set(second.entries))
            for seed in seeds {
                var random = SplitMix64(seed: seed)
                let command = Command(d0: random.next() & ~0xff | UInt64(opcode), d1: random.next())
                #expect(command.opcode == known)
                let reserved = command.reservedBits
                #expect(reserved.d0 == command.d0 & ~(first.mask | 0xff), "seed \(seed)")
                #expect(reserved.d1 == command.d1 & ~second.mask, "seed \(seed)")
                let shown = Dictionary(uniqueKeysWithValues: command.describe().map { ($0.name, $0.value) })
                #expect(shown["Opcode"] == UInt64(opcode))
                for field in known.fields {
                    let value = field.value(in: field.word == 0 ? command.d0 : command.d1)
                    let named = shown[field.name]
                    #expect(named == value || (named == nil && value == 0), "\(field.name), seed \(seed)")
                }
            }
        }
    }

    static let prefetches = [
        Shape(0x01, "PREFETCH_CONFIG", "SSV[11] SubstreamID[31:12] StreamID[63:32]"),
        Shape(
            0x02, "PREFETCH_ADDR", "SSV[11] SubstreamID[31:12] StreamID[63:32]", "Size[4:0] NS[9] Address[63:12]"),
    ]
    @Test("cmd.prefetch: both prefetches name a stream, one an address", arguments: prefetches)
    func prefetch(_ shape: Shape) throws { try shape.check() }

    @Test("cmd.cfgi-ste: CFGI_STE names a StreamID and Leaf")
    func streamTableEntry() throws { try Shape(0x03, "CFGI_STE", "StreamID[63:32]", "Leaf[0]").check() }

    @Test("cmd.cfgi-ste-range: CFGI_STE_RANGE covers 2^(Range+1) aligned StreamIDs", arguments: 0...30)
    func streamTableRange(range: Int) throws {
        try Shape(0x04, "CFGI_STE_RANGE", "StreamID[63:32]", "Range[4:0]").check()
        let command = Command.cfgiSTERange(StreamID(0xdead_beef), range: range)
        let count: UInt64 = (0...range).reduce(1) { product, _ in product * 2 }
        let first = 0xdead_beef - 0xdead_beef % count
        #expect(command.range == range && command.name == "CFGI_STE_RANGE")
        let (start, end) = (String(first, radix: 16), String(first + count - 1, radix: 16))
        #expect(command.summary.hasSuffix("0x\(start)…0x\(end)"))
    }

    @Test("cmd.cfgi-all, cmd.cfgi-vms-pidm: Range 31 of 0x04 is CFGI_ALL whatever the StreamID, and 0x07 is another")
    func everyEntry() throws {
        for stream in [UInt32(0), 0x20, .max] {
            let command = Command.cfgiSTERange(StreamID(stream), range: 31)
            #expect(command.name == "CFGI_ALL")
            #expect(command.summary == Command.cfgiAll.summary)
        }
        #expect(Command.cfgiAll == Command(d0: 4, d1: 31))
        try Shape(0x07, "CFGI_VMS_PIDM", "VMID[47:32]").check()
        #expect(Command(d0: 7 | 0x1234 << 32, d1: 31).name == "CFGI_VMS_PIDM")
    }

    static let contexts = [
        Shape(0x05, "CFGI_CD", "SubstreamID[31:12] StreamID[63:32]", "Leaf[0]"),
        Shape(0x06, "CFGI_CD_ALL", "StreamID[63:32]"),
    ]
    @Test("cmd.cfgi-cd: CFGI_CD names one CD, CFGI_CD_ALL a stream", arguments: contexts)
    func contextDescriptor(_ shape: Shape) throws { try shape.check() }

    static let whole = [
        Shape(0x10, "TLBI_NH_ALL", "VMID[47:32]"), Shape(0x11, "TLBI_NH_ASID", "VMID[47:32] ASID[63:48]"),
    ]
    @Test("cmd.tlbi-nh: TLBI_NH_ALL names a VMID, TLBI_NH_ASID an ASID too", arguments: whole)
    func nonHyp(_ shape: Shape) throws { try shape.check() }

    static let addressed = [
        Shape(0x12, "TLBI_NH_VA", range + " VMID[47:32] ASID[63:48]", rangeEnd),
        Shape(0x13, "TLBI_NH_VAA", range + " VMID[47:32]", rangeEnd),
    ]
    @Test("cmd.tlbi-va: TLBI_NH_VA and NH_VAA name a range, and only the first an ASID", arguments: addressed)
    func nonHypAddress(_ shape: Shape) throws { try shape.check() }

    static let hyp = [
        Shape(0x18, "TLBI_EL3_ALL"), Shape(0x1a, "TLBI_EL3_VA", range, rangeEnd), Shape(0x20, "TLBI_EL2_ALL"),
        Shape(0x21, "TLBI_EL2_ASID", "ASID[63:48]"), Shape(0x22, "TLBI_EL2_VA", range + " ASID[63:48]", rangeEnd),
        Shape(0x23, "TLBI_EL2_VAA", range, rangeEnd),
    ]
    @Test("cmd.tlbi-el2: the forms of EL2 and EL3 name no VMID", arguments: hyp)
    func hypervisor(_ shape: Shape) throws { try shape.check() }

    static let stage2 = [
        Shape(0x28, "TLBI_S12_VMALL", "VMID[47:32]"),
        Shape(0x2a, "TLBI_S2_IPA", range + " VMID[47:32]", "Leaf[0] TTL[9:8] TG[11:10] IPA[51:12]"),
        Shape(0x30, "TLBI_NSNH_ALL"),
    ]
    @Test("cmd.tlbi-s2: the stage 2 forms name a VMID and an IPA, TLBI_NSNH_ALL nothing", arguments: stage2)
    func secondStage(_ shape: Shape) throws { try shape.check() }

    @Test("cmd.atc-inv: ATC_INV names a stream, its SubstreamID or all of them, and a span")
    func translationCache() throws {
        let d0 = "Global[9] SSV[11] SubstreamID[31:12] StreamID[63:32]"
        try Shape(0x40, "ATC_INV", d0, "Size[5:0] Address[63:12]").check()
    }

    @Test("cmd.pri-resp: PRI_RESP has the group in word 1 and the response in its bits 13:12")
    func pageResponse() throws {
        let d0 = "SSV[11] SubstreamID[31:12] StreamID[63:32]"
        try Shape(0x41, "PRI_RESP", d0, "PRGIndex[8:0] Resp[13:12]").check()
        let texts = (0...3).map { Command(d0: 0x41, d1: $0 << 12).describe().last?.text }
        #expect(texts == ["0 (response failure)", "1 (invalid request)", "2 (success)", "3 (reserved)"])
    }

    @Test("cmd.resume: {Ab, Ac} says terminate, retry or abort; STALL_TERM names a stream")
    func resume() throws {
        try Shape(0x44, "RESUME", "Ac[12] Ab[13] StreamID[63:32]", "STAG[15:0]").check()
        try Shape(0x45, "STALL_TERM", "StreamID[63:32]").check()
        let actions = [UInt64(0), 1, 2, 3].map { Command(d0: 0x44 | $0 << 12, d1: 0).resumeAction }
        #expect(actions == [.terminate, .retry, .abort, .retry])
    }

    @Test("cmd.sync: CMD_SYNC says by CS how it signals, and where an interrupt goes")
    func sync() throws {
        try Shape(0x46, "SYNC", "CS[13:12] MSH[23:22] MSIAttr[27:24] MSIData[63:32]", "MSIAddress[51:2]").check()
        let signals = [UInt64(0), 1, 2].map {
            Command(d0: 0x46 | $0 << 12 | 0x1234_5678 << 32, d1: .max).syncSignal
        }
        #expect(signals[0] == .none && signals[2] == .event)
        #expect(signals[1] == .interrupt(address: 0x000f_ffff_ffff_fffc, data: 0x1234_5678))
    }

    @Test("cmd.scale-width: SCALE is bits 24:20; bit 25 is not part of it")
    func scale() {
        let command = Command(d0: 0x12 | 0x3f << 20, d1: 0)
        #expect(command.scale == 31)
        #expect(command.reservedBits.d0 == 1 << 25)
    }

    @Test("Every opcode of the architecture is known by its number, and no other")
    func opcodes() {
        let shapes = [Self.prefetches, Self.contexts, Self.whole, Self.addressed, Self.hyp, Self.stage2].joined()
        let known = Set(shapes.map(\.opcode) + [0x03, 0x04, 0x07, 0x40, 0x41, 0x44, 0x45, 0x46])
        for number in UInt8.min...UInt8.max {
            let command = Command(d0: UInt64(number), d1: 0)
            #expect((command.opcode != nil) == known.contains(number))
            if command.opcode == nil {
                #expect(command.illegality(on: everything()) == .unknownOpcode)
                #expect(command.summary == "an unknown command")
                #expect(command.name == "opcode 0x" + String(number, radix: 16))
            } else {
                #expect(command.summary != command.name, "a sentence, not the name once more")
            }
        }
    }
}

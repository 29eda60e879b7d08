import SMMUv3
import Scenarios
import Testing

struct NestedCommandTests {
    /// Everything off that makes a difference to commands.
    static let plain = everything().withIDR0(10, 10, 0).withIDR0(12, 12, 0).withIDR1(10, 6, 0).withIDR3(10, 10, 0)
    static let ranged = plain.withIDR3(10, 10, 1)
    static let full = everything()

    /// Each bit besides the opcode, set alone on `base`, passes exactly when the layouts have it.
    static func check(
        _ base: Command, _ ids: IDRegisters, _ d0: String, _ d1: String
    ) {
        let (first, second) = (Layout(d0).mask, Layout(d1).mask)
        #expect(NestedVSMMU.refusal(of: base, advertised: ids) == nil, "\(base.name)")
        for bit in 8..<128 {
            let flipped = Command(
                d0: bit < 64 ? base.d0 | 1 << UInt64(bit) : base.d0,
                d1: bit < 64 ? base.d1 : base.d1 | 1 << UInt64(bit - 64))
            guard flipped != base else { continue }
            let allowed = bit < 64 ? first.bit(bit) : second.bit(bit - 64)
            let refusal = NestedVSMMU.refusal(of: flipped, advertised: ids)
            #expect((refusal == nil) == allowed, "\(base.name), bit \(bit), \(String(describing: refusal))")
        }
    }

    @Test("nested-vsmmu.cmd-opcodes: eight commands may be forwarded, and no other opcode")
    func opcodes() {
        let forwarded: Set<UInt8> = [0x30, 0x10, 0x11, 0x12, 0x13, 0x40, 0x05, 0x06]
        for number in UInt8.min...UInt8.max {
            let command = Command(d0: UInt64(number), d1: 0)
            let refusal = NestedVSMMU.refusal(of: command, advertised: Self.full)
            #expect(refusal == (forwarded.contains(number) ? nil : .opcode), "opcode \(number)")
        }
    }

    @Test("nested-vsmmu.cmd-nsnh: TLBI_NSNH_ALL has nothing but its opcode")
    func everyTranslation() { Self.check(.make(.tlbiNSNHAll), Self.full, "", "") }

    @Test("nested-vsmmu.cmd-nh: TLBI_NH_ALL may have a VMID, TLBI_NH_ASID an ASID too, and nothing in word 1")
    func nonHyp() {
        Self.check(.make(.tlbiNHAll), Self.full, "VMID[47:32]", "")
        Self.check(.make(.tlbiNHASID), Self.full, "VMID[47:32] ASID[63:48]", "")
    }

    @Test("nested-vsmmu.cmd-va: range fields pass with RIL only, an ASID in TLBI_NH_VA only, bit 25 with DS only")
    func address() {
        let span = Command.Span(granule: .k4, num: 1, scale: 1, ttl: 3)
        for (opcode, tags) in [(Command.Opcode.tlbiNHVA, "VMID[47:32] ASID[63:48]"), (.tlbiNHVAA, "VMID[47:32]")] {
            let wide = Self.plain.withIDR0(12, 12, 1)
            Self.check(.tlbi(opcode, address: 0x1000), wide, tags, "Leaf[0] Address[63:12]")
            let range = " NUM[16:12] SCALE[24:20]"
            let end = "Leaf[0] TTL[9:8] TG[11:10] Address[63:12]"
            Self.check(.tlbi(opcode, span: span), wide.withIDR3(10, 10, 1), tags + range, end)
            let large = wide.withIDR3(10, 10, 1).withIDR5(7, 7, 1)
            Self.check(.tlbi(opcode, span: span), large, tags + " NUM[16:12] SCALE[25:20]", end)
        }
        let ranged = Command.tlbi(.tlbiNHVA, span: span)
        #expect(NestedVSMMU.refusal(of: ranged, advertised: Self.plain) == .rangeUnsupported)
    }

    @Test("nested-vsmmu.cmd-va-reserved: the reserved forms of a range are refused")
    func reservedRange() {
        func refusal(_ granule: Granule?, _ num: Int, _ scale: Int, _ ttl: Int, _ ids: IDRegisters = Self.ranged)
            -> NestedCommandRefusal?
        {
            let span = Command.Span(granule: granule, num: num, scale: scale, ttl: ttl)
            return NestedVSMMU.refusal(of: .tlbi(.tlbiNHVA, address: 0x1000, span: span), advertised: ids)
        }
        for (num, scale, ttl) in [(1, 0, 0), (0, 1, 0), (0, 0, 1)] {
            #expect(refusal(nil, num, scale, ttl) == .rangeWithoutGranule)
            #expect(refusal(.k4, num, scale, ttl) == nil && refusal(.k64, num, scale, ttl) == nil)
        }
        #expect(Granule.allCases.allSatisfy { refusal($0, 0, 0, 0) == .rangeReserved })
        #expect(refusal(nil, 0, 0, 0) == nil)
        for num in [0, 1] {
            #expect(refusal(.k16, num, 0, 1) == .levelReserved)
            #expect(refusal(.k16, num, 0, 1, Self.ranged.withIDR5(7, 7, 1)) == nil)
            #expect(refusal(.k16, num, 0, 2) == nil)
        }
    }

    @Test("nested-vsmmu.cmd-asid8: where ASIDs have eight bits a larger one is refused", arguments: 0..<16)
    func shortIdentifier(bit: Int) {
        let asid = UInt16(1) << UInt16(bit)
        for opcode in [Command.Opcode.tlbiNHASID, .tlbiNHVA] {
            let command = Command.tlbi(opcode, asid: asid)
            let refusal = NestedVSMMU.refusal(of: command, advertised: Self.plain)
            #expect(refusal == (bit < 8 ? nil : .asidTooLarge))
            #expect(NestedVSMMU.refusal(of: command, advertised: Self.full) == nil)
        }
    }

    @Test("nested-vsmmu.cmd-atc: ATC_INV needs ATS, Size up to 52, and SubstreamIDs for what names them")
    func translationCache() {
        let (stream, single) = (StreamID(0x20), Self.full.withIDR1(10, 6, 0))
        #expect(NestedVSMMU.refusal(of: .atcInv(stream), advertised: Self.plain) == .atsUnsupported)
        for size in 0...63 {
            let refusal = NestedVSMMU.refusal(of: .atcInv(stream, size: size), advertised: Self.full)
            #expect(refusal == (size > 52 ? .atcSize : nil), "Size \(size)")
        }
        let (named, global) = (Command.atcInv(stream, SubstreamID(3)), Command.atcInv(stream, global: true))
        for command in [named, global, Command(d0: 0x40 | 3 << 12, d1: 0), Command(d0: 0x40 | 1 << 11, d1: 0)] {
            #expect(NestedVSMMU.refusal(of: command, advertised: Self.full) == nil)
            #expect(NestedVSMMU.refusal(of: command, advertised: single) == .substreamUnsupported)
        }
        let end = "Size[5:0] Address[63:12]"
        let all = "Global[9] SSV[11] SubstreamID[31:12] StreamID[63:32]"
        Self.check(.atcInv(stream, size: 0), Self.full, all, end)
        Self.check(.atcInv(stream, size: 0), single, "StreamID[63:32]", end)
    }

    @Test("nested-vsmmu.cmd-cfgi-cd: CFGI_CD has a StreamID, Leaf and a SubstreamID if there are any, _ALL a StreamID")
    func contexts() {
        let single = Self.full.withIDR1(10, 6, 0)
        Self.check(.make(.cfgiCD), Self.full, "SubstreamID[31:12] StreamID[63:32]", "Leaf[0]")
        Self.check(.make(.cfgiCD), single, "StreamID[63:32]", "Leaf[0]")
        let named = Command.cfgiCD(StreamID(1), SubstreamID(1))
        #expect(NestedVSMMU.refusal(of: named, advertised: single) == .substreamUnsupported)
        Self.check(.make(.cfgiCDAll), Self.full, "StreamID[63:32]", "")
    }

    @Test("nested-vsmmu.cmd-ssec: SSec is refused in every command")
    func secure() {
        for opcode in Command.Opcode.allCases {
            for ids in [Self.plain, Self.ranged, Self.full] {
                let command = Command(d0: UInt64(opcode.rawValue) | 1 << 10, d1: 0)
                #expect(NestedVSMMU.refusal(of: command, advertised: ids) != nil, "\(opcode.name)")
            }
        }
    }

    @Test("Whatever may be forwarded is legal on the SMMU, and has no reserved bit", arguments: seeds)
    func forwardedIsLegal(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for opcode in Command.Opcode.allCases {
            for ids in [Self.plain, Self.ranged, Self.full] {
                // Few bits, so that a good part of the commands is taken.
                let d0 = random.next() & random.next() & random.next() & ~0xff | UInt64(opcode.rawValue)
                let command = Command(d0: d0, d1: random.next() & random.next() & random.next())
                guard NestedVSMMU.refusal(of: command, advertised: ids) == nil else { continue }
                #expect(command.illegality(on: ids) == nil, "\(opcode.name), seed \(seed)")
                #expect(command.reservedBits == (0, 0), "\(opcode.name), seed \(seed)")
            }
        }
    }
}

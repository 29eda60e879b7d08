import SMMUv3
import Scenarios
import Testing

struct NestedSTETests {
    /// Stage 1 alone, with ATS and SubstreamIDs.
    static let guest = everything().withIDR0(0, 0, 0).withIDR0(9, 9, 0)

    @Test("nested-vsmmu.ste-v0: an entry without V aborts, whatever its other bits", arguments: seeds)
    func notValid(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let entry = StreamTableEntry(words: random.vector8() & ~SIMD8(1, 0, 0, 0, 0, 0, 0, 0))
        #expect(NestedVSMMU.verdict(on: entry, advertised: Self.guest) == .abort([.illegal(.notValid)]))
    }

    @Test(
        "nested-vsmmu.ste-word0, nested-vsmmu.ste-word1: only fields of the kernel's two masks pass", arguments: seeds)
    func masks(seed: UInt64) {
        let word0 = Layout("V[0] Config[3:1] S1Fmt[5:4] S1ContextPtr[51:6] S1CDMax[63:59]")
        let word1 = Layout("S1DSS[1:0] S1CIR[3:2] S1COR[5:4] S1CSH[7:6] S1STALLD[27] EATS[29:28]")
        #expect(NestedVSMMU.steWord0Mask == word0.mask && NestedVSMMU.steWord0Mask == 0xf80f_ffff_ffff_ffff)
        #expect(NestedVSMMU.steWord1Mask == word1.mask && NestedVSMMU.steWord1Mask == 0x3800_00ff)

        var random = SplitMix64(seed: seed)
        var entry = StreamTableEntry(words: random.vector8())
        (entry.valid, entry.config, entry.s1CDMax, entry.atsMode) = (true, .stage1, Int(seed), .full)
        entry.s1ContextPointer &= 0xffff_ffff
        (entry.s2VMID, entry.streamWorld) = (0xffff, .reserved3)
        let verdict = NestedVSMMU.verdict(on: entry, advertised: Self.guest)
        let passed = STEVerdictWords(entry.words[0] & word0.mask, entry.words[1] & word1.mask)
        #expect(STEVerdictWords(verdict) == passed, "seed \(seed)")
    }

    struct STEVerdictWords: Equatable {
        let word0, word1: UInt64

        init(_ word0: UInt64, _ word1: UInt64) { (self.word0, self.word1) = (word0, word1) }

        init?(_ verdict: NestedVSMMU.STEVerdict) {
            guard case .translate(let word0, let word1) = verdict else { return nil }
            (self.word0, self.word1) = (word0, word1)
        }
    }

    @Test("nested-vsmmu.ste-stripped: a bit outside the masks is taken out and never refused")
    func stripped() {
        let plain = StreamTableEntry(0x0000_0000_8001_234b, 0xd4)
        let verdict = NestedVSMMU.verdict(on: plain, advertised: Self.guest)
        #expect(STEVerdictWords(verdict) == STEVerdictWords(plain.words[0], plain.words[1]))
        #expect(NestedVSMMU.strippedBits(of: plain) == (0, 0))
        for word in 0..<8 {
            let mask: UInt64 = word == 0 ? 0xf80f_ffff_ffff_ffff : (word == 1 ? 0x3800_00ff : 0)
            for bit in 0..<64 where !mask.bit(bit) {
                var entry = plain
                entry.words[word].setBit(bit, true)
                let same = NestedVSMMU.verdict(on: entry, advertised: Self.guest)
                #expect(same == verdict, "word \(word), bit \(bit)")
                let found = NestedVSMMU.strippedBits(of: entry)
                #expect(found.word0 == (word == 0 ? 1 << UInt64(bit) : 0), "bit \(bit)")
                #expect(found.word1 == (word == 1 ? 1 << UInt64(bit) : 0), "bit \(bit)")
            }
        }
    }

    @Test("nested-vsmmu.ste-config: 4 is bypass, 5 is stage 1, 0 to 3 abort, and stage 2 is the host's")
    func config() {
        for config in StreamTableEntry.Config.allCases {
            let entry = StreamTableEntry.legal(config)
            let verdict = NestedVSMMU.verdict(on: entry, advertised: Self.guest)
            switch config {
            case .abort, .reserved1, .reserved2, .reserved3: #expect(verdict == .abort([]))
            case .bypass: #expect(verdict == .bypass)
            case .stage1: #expect(STEVerdictWords(verdict) == STEVerdictWords(entry.words[0], 0))
            case .stage2, .nested: #expect(verdict == .abort([.stage2IsTheHosts]))
            }
        }
    }

    @Test("nested-vsmmu.ste-eats: where the guest has ATS, EATS 2 and 3 abort; where it has not, EATS is dropped")
    func translationServices() {
        let without = Self.guest.withIDR0(10, 10, 0)
        for mode in [StreamTableEntry.ATSMode.disabled, .full, .splitStage, .reserved] {
            let entry = StreamTableEntry.legal(.stage1) { $0.atsMode = mode }
            let verdict = NestedVSMMU.verdict(on: entry, advertised: Self.guest)
            if mode == .disabled || mode == .full {
                #expect(STEVerdictWords(verdict) == STEVerdictWords(entry.words[0], entry.words[1]))
            } else {
                #expect(verdict == .abort([.atsMode]))
            }
            let dropped = NestedVSMMU.verdict(on: entry, advertised: without)
            #expect(STEVerdictWords(dropped) == STEVerdictWords(entry.words[0], 0))
        }
    }

    @Test("A guest that is shown no SubstreamIDs has a single CD, whatever its S1CDMax says")
    func singleContext() {
        let entry = StreamTableEntry.legal(.stage1) { ($0.s1CDMax, $0.s1Format) = (10, 2) }
        let verdict = NestedVSMMU.verdict(on: entry, advertised: Self.guest.withIDR1(10, 6, 0))
        var single = entry
        single.s1CDMax = 0
        #expect(STEVerdictWords(verdict) == STEVerdictWords(single.words[0], 0))
    }

    @Test("What is ILLEGAL for the advertised registers aborts, with the reason and its rule")
    func illegal() {
        let entry = StreamTableEntry.legal(.stage1) { ($0.s1CDMax, $0.s1StallDisabled) = (8, true) }
        let ids = Self.guest.withIDR1(10, 6, 4).withIDR0(25, 24, 1)
        let verdict = NestedVSMMU.verdict(on: entry, advertised: ids)
        let refusals: [NestedVSMMU.STERefusal] = [
            .illegal(.s1CDMaxTooLarge), .illegal(.s1StallDisabledUnsupported),
        ].sorted { $0.text < $1.text }
        guard case .abort(let found) = verdict else {
            Issue.record("not refused")
            return
        }
        #expect(found.sorted { $0.text < $1.text } == refusals)
        let all = refusals + [.stage2IsTheHosts, .atsMode]
        #expect(Set(all.map(\.text)).count == all.count && all.allSatisfy { !$0.rule.isEmpty })
    }
}

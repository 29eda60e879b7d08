import SMMUv3

/// What each TLBI has to drop of a ``TLBUniverse``.
enum TLBCases {
    private static let at = TLBUniverse.at
    private static let global = TLBUniverse.global
    private static let block2 = TLBUniverse.block2
    private static let block1 = TLBUniverse.block1

    static let wholes: [TLBCase] = [
        TLBCase("NH_ALL VMID 1", .tlbi(.tlbiNHAll, vmid: 1), drops: ["v1*"]),
        TLBCase("NH_ALL VMID 2", .tlbi(.tlbiNHAll, vmid: 2), drops: ["v2*"]),
        TLBCase("NH_ALL VMID 9", .tlbi(.tlbiNHAll, vmid: 9), drops: []),
        TLBCase("NH_ALL VMID 0x101", .tlbi(.tlbiNHAll, vmid: 0x101), drops: []),
        TLBCase("S12_VMALL VMID 1", .tlbi(.tlbiS12VMAll, vmid: 1), drops: ["v1*", "s2v1.*"]),
        TLBCase("S12_VMALL VMID 2", .tlbi(.tlbiS12VMAll, vmid: 2), drops: ["v2*", "s2v2.*"]),
        TLBCase("S12_VMALL VMID 3", .tlbi(.tlbiS12VMAll, vmid: 3), drops: ["s2v3k16.*"]),
        TLBCase("S12_VMALL VMID 0", .tlbi(.tlbiS12VMAll, vmid: 0), drops: []),
        TLBCase("NSNH_ALL", .tlbi(.tlbiNSNHAll), drops: ["v*", "s2*"]),
    ]

    static let asids: [TLBCase] = [
        TLBCase("NH_ASID 1 of VMID 1", .tlbi(.tlbiNHASID, vmid: 1, asid: 1), drops: ["v1a1.*"]),
        TLBCase("NH_ASID 2 of VMID 1", .tlbi(.tlbiNHASID, vmid: 1, asid: 2), drops: ["v1a2.*"]),
        TLBCase("NH_ASID 3 of VMID 1: nested", .tlbi(.tlbiNHASID, vmid: 1, asid: 3), drops: ["v1a3n.*"]),
        TLBCase("NH_ASID 1 of VMID 2", .tlbi(.tlbiNHASID, vmid: 2, asid: 1), drops: ["v2a1.*"]),
        TLBCase("NH_ASID 2 of VMID 2", .tlbi(.tlbiNHASID, vmid: 2, asid: 2), drops: []),
        TLBCase("NH_ASID 0x101 of VMID 1", .tlbi(.tlbiNHASID, vmid: 1, asid: 0x101), drops: []),
        TLBCase("NH_ASID 0 of VMID 1", .tlbi(.tlbiNHASID, vmid: 1, asid: 0), drops: []),
    ]

    static let addresses: [TLBCase] = [
        TLBCase("NH_VA at", .tlbi(.tlbiNHVA, vmid: 1, asid: 1, address: at), drops: ["v1a1.at"]),
        TLBCase("NH_VA below", .tlbi(.tlbiNHVA, vmid: 1, asid: 1, address: at - 0x1000), drops: ["v1a1.below"]),
        TLBCase("NH_VA above", .tlbi(.tlbiNHVA, vmid: 1, asid: 1, address: at + 0x1000), drops: ["v1a1.above"]),
        TLBCase("NH_VA of a nested stream", .tlbi(.tlbiNHVA, vmid: 1, asid: 3, address: at), drops: ["v1a3n.at"]),
        TLBCase("NH_VA of another VMID", .tlbi(.tlbiNHVA, vmid: 2, asid: 1, address: at), drops: ["v2a1.at"]),
        TLBCase("NH_VA of no ASID", .tlbi(.tlbiNHVA, vmid: 1, asid: 9, address: at), drops: []),
        TLBCase(
            "NH_VA inside a 16K page", .tlbi(.tlbiNHVA, vmid: 1, asid: 4, address: at + 0x3000), drops: ["v1a4k16.at"]),
        TLBCase(
            "NH_VA inside a 64K page", .tlbi(.tlbiNHVA, vmid: 1, asid: 5, address: at + 0xf000), drops: ["v1a5k64.at"]),
        TLBCase("NH_VA with a tag", .tlbi(.tlbiNHVA, vmid: 1, asid: 1, address: at | 0x5a << 56), drops: ["v1a1.at"]),
        TLBCase("NH_VA in the upper half", .tlbi(.tlbiNHVA, vmid: 1, asid: 1, address: at | 0xffff << 48), drops: []),
        TLBCase("NH_VA global", .tlbi(.tlbiNHVA, vmid: 1, asid: 1, address: global), drops: ["v1*.global"]),
        TLBCase("NH_VA global, other ASID", .tlbi(.tlbiNHVA, vmid: 1, asid: 9, address: global), drops: ["v1*.global"]),
        TLBCase("NH_VA global, VMID 2", .tlbi(.tlbiNHVA, vmid: 2, asid: 9, address: global), drops: ["v2a1.global"]),
        TLBCase("NH_VA beside global", .tlbi(.tlbiNHVA, vmid: 1, asid: 1, address: global - 0x1000), drops: []),
        TLBCase("NH_VAA at", .tlbi(.tlbiNHVAA, vmid: 1, address: at), drops: ["v1*.at"]),
        TLBCase("NH_VAA, ASID field set", .tlbi(.tlbiNHVAA, vmid: 1, asid: 2, address: at), drops: ["v1*.at"]),
        TLBCase("NH_VAA of VMID 2", .tlbi(.tlbiNHVAA, vmid: 2, address: at), drops: ["v2a1.at"]),
        TLBCase("NH_VAA global", .tlbi(.tlbiNHVAA, vmid: 1, address: global), drops: ["v1*.global"]),
        TLBCase(
            "NH_VAA at + 4K", .tlbi(.tlbiNHVAA, vmid: 1, address: at + 0x1000),
            drops: ["v1a1.above", "v1a2.above", "v1a3n.above", "v1a4k16.at", "v1a5k64.at"]),
    ]

    static let blocks: [TLBCase] =
        [UInt64(0), 0x1000, 0xf_f000, 0x1f_f000].map { offset in
            TLBCase(
                "2M + \(offset.hex)", .tlbi(.tlbiNHVA, vmid: 1, asid: 1, address: block2 + offset),
                drops: ["v1a1.block2"])
        }
        + [UInt64(0), 0x1000, 0x20_0000, 0x3fff_f000].map { offset in
            TLBCase(
                "1G + \(offset.hex)", .tlbi(.tlbiNHVA, vmid: 1, asid: 1, address: block1 + offset),
                drops: ["v1a1.block1"])
        } + [
            TLBCase("below 2M", .tlbi(.tlbiNHVA, vmid: 1, asid: 1, address: block2 - 0x1000), drops: []),
            TLBCase("above 2M", .tlbi(.tlbiNHVA, vmid: 1, asid: 1, address: block2 + 0x20_0000), drops: []),
            TLBCase("below 1G", .tlbi(.tlbiNHVA, vmid: 1, asid: 1, address: block1 - 0x1000), drops: []),
            TLBCase("above 1G", .tlbi(.tlbiNHVA, vmid: 1, asid: 1, address: block1 + 0x4000_0000), drops: []),
            TLBCase(
                "last page of 32M", .tlbi(.tlbiNHVA, vmid: 1, asid: 4, address: block2 + 0x1ff_f000),
                drops: ["v1a4k16.block2"]),
            TLBCase("above 32M", .tlbi(.tlbiNHVA, vmid: 1, asid: 4, address: block2 + 0x200_0000), drops: []),
            TLBCase(
                "last page of 512M", .tlbi(.tlbiNHVA, vmid: 1, asid: 5, address: block2 + 0x1fff_f000),
                drops: ["v1a5k64.block2"]),
            TLBCase("above 512M", .tlbi(.tlbiNHVA, vmid: 1, asid: 5, address: block2 + 0x2000_0000), drops: []),
            TLBCase(
                "VAA beyond 2M, inside the larger blocks", .tlbi(.tlbiNHVAA, vmid: 1, address: block2 + 0x20_0000),
                drops: ["v1a4k16.block2", "v1a5k64.block2"]),
            TLBCase(
                "last page of a nested 1G", .tlbi(.tlbiNHVA, vmid: 1, asid: 3, address: block1 + 0x3fff_f000),
                drops: ["v1a3n.block1"]),
            TLBCase(
                "IPA inside 1G", .tlbi(.tlbiS2IPA, vmid: 1, address: block1 + 0x1234_5000), drops: ["s2v1.block1"]),
            TLBCase("IPA above 1G", .tlbi(.tlbiS2IPA, vmid: 1, address: block1 + 0x4000_0000), drops: []),
            TLBCase("EL2 inside 2M", .tlbi(.tlbiEL2VA, address: block2 + 0x1f_f000), drops: ["el2.block2"]),
        ]

    static let ranges: [TLBCase] = vaRanges + Granule.allCases.flatMap(vaaRanges)

    private static let vaRanges: [TLBCase] = [
        range("first two", .tlbiNHVA, at - 0x1000, .init(granule: .k4, num: 1), ["v1a1.below", "v1a1.at"]),
        range("last two", .tlbiNHVA, at, .init(granule: .k4, num: 1), ["v1a1.at", "v1a1.above"]),
        range(
            "three, one inside", .tlbiNHVA, at - 0x1000, .init(granule: .k4, num: 2),
            ["v1a1.below", "v1a1.at", "v1a1.above"]),
        range("up to the first", .tlbiNHVA, at - 0x20000, .init(granule: .k4, num: 31), ["v1a1.below"]),
        range("one short", .tlbiNHVA, at - 0x21000, .init(granule: .k4, num: 31), []),
        range("one behind", .tlbiNHVA, at + 0x2000, .init(granule: .k4, num: 31), []),
        range("2^10 pages", .tlbiNHVA, at, .init(granule: .k4, scale: 10), ["v1a1.at", "v1a1.above"]),
        range(
            "across the block", .tlbiNHVA, block2 - 0x1000, .init(granule: .k4, num: 1), ["v1a1.block2"]),
        range(
            "to the global page", .tlbiNHVA, global - 0x1000, .init(granule: .k4, num: 1),
            ["v1a1.global", "v1a2.global", "v1a3n.global"]),
        range(
            "everything", .tlbiNHVA, 0, .init(granule: .k4, num: 31, scale: 31),
            ["v1a1.*", "v1a2.global", "v1a3n.global"]),
        range("beyond the top", .tlbiNHVA, .max << 12, .init(granule: .k4, num: 31, scale: 31), []),
        range("of another granule", .tlbiNHVA, at - 0x4000, .init(granule: .k16, num: 2), []),
    ]

    private static func vaaRanges(_ granule: Granule) -> [TLBCase] {
        let page = UInt64(1) << UInt64(granule.shift)
        let spaces = granule == .k4 ? ["v1a1", "v1a2", "v1a3n"] : [granule == .k16 ? "v1a4k16" : "v1a5k64"]
        func names(_ pages: String...) -> [String] { spaces.flatMap { space in pages.map { "\(space).\($0)" } } }
        let one = Command.Span(granule: granule, ttl: 3)
        let two = Command.Span(granule: granule, num: 1)
        let three = Command.Span(granule: granule, num: 2)
        let title = "VAA \(granule.name) "
        return [
            range(title + "one", .tlbiNHVAA, at, one, names("at")),
            range(title + "first two", .tlbiNHVAA, at - page, two, names("below", "at")),
            range(title + "last two", .tlbiNHVAA, at, two, names("at", "above")),
            range(title + "three", .tlbiNHVAA, at - page, three, names("below", "at", "above")),
            range(title + "before", .tlbiNHVAA, at - 3 * page, two, []),
            range(title + "behind", .tlbiNHVAA, at + 2 * page, two, []),
        ]
    }

    private static func range(
        _ title: String, _ opcode: Command.Opcode, _ address: UInt64, _ span: Command.Span, _ drops: [String]
    ) -> TLBCase {
        TLBCase(title, .tlbi(opcode, vmid: 1, asid: 1, address: address, span: span), drops: drops)
    }

    static let levels: [TLBCase] = [
        range("page, TTL 3", .tlbiNHVA, at, .init(granule: .k4, ttl: 3), ["v1a1.at"]),
        range("page, TTL 2", .tlbiNHVA, at, .init(granule: .k4, ttl: 2), []),
        range("page, TTL 1", .tlbiNHVA, at, .init(granule: .k4, ttl: 1), []),
        range("2M, TTL 2", .tlbiNHVA, block2, .init(granule: .k4, ttl: 2), ["v1a1.block2"]),
        range("2M, TTL 3", .tlbiNHVA, block2, .init(granule: .k4, ttl: 3), []),
        range("1G, TTL 1", .tlbiNHVA, block1, .init(granule: .k4, ttl: 1), ["v1a1.block1"]),
        range("1G, TTL 2", .tlbiNHVA, block1, .init(granule: .k4, ttl: 2), []),
        range("1G, TTL 0", .tlbiNHVA, block1, .init(granule: .k4, num: 1), ["v1a1.block1"]),
        range("page, TTL 0", .tlbiNHVA, at, .init(granule: .k4, num: 1), ["v1a1.at", "v1a1.above"]),
        range("TTL without TG", .tlbiNHVA, at, .init(granule: nil, ttl: 1), ["v1a1.at"]),
        range("range, TTL 3", .tlbiNHVA, at, .init(granule: .k4, num: 1, ttl: 3), ["v1a1.at", "v1a1.above"]),
        range("512M, TTL 2", .tlbiNHVAA, block2, .init(granule: .k64, ttl: 2), ["v1a5k64.block2"]),
        range("32M, TTL 2", .tlbiNHVAA, block2, .init(granule: .k16, ttl: 2), ["v1a4k16.block2"]),
        range("32M, TTL 1 counts as 0", .tlbiNHVAA, block2, .init(granule: .k16, num: 1, ttl: 1), ["v1a4k16.block2"]),
        range("IPA, TTL 1", .tlbiS2IPA, block1, .init(granule: .k4, ttl: 1), ["s2v1.block1"]),
        range("IPA, TTL 3", .tlbiS2IPA, block1, .init(granule: .k4, ttl: 3), []),
    ]

    static let hyp: [TLBCase] = [
        TLBCase("EL2_ALL", .tlbi(.tlbiEL2All), drops: ["el2.*", "e2h*"]),
        TLBCase("EL2_ALL with E2H", .tlbi(.tlbiEL2All), e2h: true, drops: ["el2.*", "e2h*"]),
        TLBCase("EL2_VA", .tlbi(.tlbiEL2VA, address: at), drops: ["el2.at"]),
        TLBCase("EL2_VA, ASID not looked at", .tlbi(.tlbiEL2VA, asid: 2, address: at), drops: ["el2.at"]),
        TLBCase("EL2_VA with E2H", .tlbi(.tlbiEL2VA, asid: 2, address: at), e2h: true, drops: ["e2h2.at"]),
        TLBCase("EL2_VA of no ASID", .tlbi(.tlbiEL2VA, asid: 7, address: at), e2h: true, drops: []),
        TLBCase("EL2_VA beside", .tlbi(.tlbiEL2VA, address: at + 0x2000), drops: []),
        TLBCase("EL2_VA global", .tlbi(.tlbiEL2VA, asid: 7, address: global), e2h: true, drops: ["e2h*.global"]),
        TLBCase(
            "EL2_VA range", .tlbi(.tlbiEL2VA, address: at - 0x1000, span: .init(granule: .k4, num: 1)),
            drops: ["el2.below", "el2.at"]),
        TLBCase(
            "EL2_VA range with E2H",
            .tlbi(.tlbiEL2VA, asid: 1, address: at, span: .init(granule: .k4, num: 1)), e2h: true,
            drops: ["e2h1.at", "e2h1.above"]),
        TLBCase("EL2_VAA", .tlbi(.tlbiEL2VAA, address: at), drops: ["el2.at"]),
        TLBCase("EL2_VAA with E2H", .tlbi(.tlbiEL2VAA, address: at), e2h: true, drops: ["e2h*.at"]),
        TLBCase(
            "EL2_VAA range with E2H", .tlbi(.tlbiEL2VAA, address: at - 0x1000, span: .init(granule: .k4, num: 2)),
            e2h: true, drops: ["e2h*.below", "e2h*.at", "e2h*.above"]),
        TLBCase("EL2_ASID with E2H", .tlbi(.tlbiEL2ASID, asid: 1), e2h: true, drops: ["e2h1.*"]),
        TLBCase("EL2_ASID without E2H", .tlbi(.tlbiEL2ASID, asid: 2), drops: ["e2h2.*"]),
        TLBCase("EL2_ASID 0", .tlbi(.tlbiEL2ASID), drops: []),
    ]

    static let stage2: [TLBCase] =
        [
            TLBCase("at", .tlbi(.tlbiS2IPA, vmid: 1, address: at), drops: ["s2v1.at"]),
            TLBCase("of VMID 2", .tlbi(.tlbiS2IPA, vmid: 2, address: at), drops: ["s2v2.at"]),
            TLBCase("of VMID 9", .tlbi(.tlbiS2IPA, vmid: 9, address: at), drops: []),
            TLBCase("beside", .tlbi(.tlbiS2IPA, vmid: 1, address: at + 0x2000), drops: []),
            TLBCase("inside 16K", .tlbi(.tlbiS2IPA, vmid: 3, address: at + 0x3000), drops: ["s2v3k16.at"]),
            TLBCase("inside 64K", .tlbi(.tlbiS2IPA, vmid: 4, address: at + 0xf000), drops: ["s2v4k64.at"]),
        ]
        + [
            (UInt16(1), "s2v1", Granule.k4), (3, "s2v3k16", .k16), (4, "s2v4k64", .k64),
        ].flatMap { (vmid: UInt16, space: String, granule: Granule) -> [TLBCase] in
            let page = UInt64(1) << UInt64(granule.shift)
            func ipas(_ start: UInt64, _ num: Int) -> Command {
                .tlbi(.tlbiS2IPA, vmid: vmid, address: start, span: .init(granule: granule, num: num))
            }
            return [
                TLBCase("\(space) first two", ipas(at - page, 1), drops: ["\(space).below", "\(space).at"]),
                TLBCase("\(space) last two", ipas(at, 1), drops: ["\(space).at", "\(space).above"]),
                TLBCase(
                    "\(space) three", ipas(at - page, 2),
                    drops: ["\(space).below", "\(space).at", "\(space).above"]),
                TLBCase("\(space) before", ipas(at - 3 * page, 1), drops: []),
                TLBCase("\(space) behind", ipas(at + 2 * page, 1), drops: []),
                TLBCase(
                    "\(space) other granule",
                    .tlbi(
                        .tlbiS2IPA, vmid: vmid, address: at, span: .init(granule: granule == .k4 ? .k64 : .k4, num: 1)),
                    drops: []),
            ]
        }

    static let others: [TLBCase] = [
        TLBCase("CFGI_ALL", .cfgiAll, drops: []),
        TLBCase("CFGI_STE", .cfgiSTE(StreamID(1)), drops: []),
        TLBCase("CFGI_STE_RANGE", .cfgiSTERange(StreamID(0), range: 3), drops: []),
        TLBCase("CFGI_CD", .cfgiCD(StreamID(1), SubstreamID(0), leaf: false), drops: []),
        TLBCase("CFGI_CD_ALL", .cfgiCDAll(StreamID(1)), drops: []),
        TLBCase("PREFETCH_CONFIG", .prefetchConfig(StreamID(1)), drops: []),
        TLBCase("ATC_INV", .atcInv(StreamID(1)), drops: []),
        TLBCase("SYNC", .sync(.event), drops: []),
        TLBCase("RESUME", .resume(StreamID(1), tag: 0, .retry), drops: []),
        TLBCase("STALL_TERM", .stallTerm(StreamID(1)), drops: []),
    ]
}

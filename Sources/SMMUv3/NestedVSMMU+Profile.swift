extension NestedVSMMU {
    /// The ID registers that a guest may be shown, and what of the wanted ones they leave out.
    public struct Profile: Hashable, Sendable {
        public let ids: IDRegisters
        public let narrowed: [Narrowing]
    }

    /// One field that is not shown as it was wanted.
    public struct Narrowing: Hashable, Sendable {
        /// As ``IDRegisters/fields`` names it: `IDR3.RIL`.
        public let field: String
        public let wanted: UInt64
        public let shown: UInt64
        public let reason: Reason

        public enum Reason: String, Hashable, Sendable {
            case host = "the physical SMMU does not offer it"
            case notProvided = "a nested vSMMU does not provide it"
        }
    }

    /// What of `wanted` a guest on the physical SMMU `host` may be shown.
    ///
    /// What the VMM emulates by itself, the queues, their interrupts and the lookup in the stream table, is as wanted.
    /// What the hardware does for the guest, stage 1 and its invalidation, is never more than the host offers. Anything
    /// else would need STE fields or an interface that do not reach the hardware, and is not shown: stage 2 and EL2,
    /// broadcasts, hardware updates of descriptors, page requests.
    ///
    /// - Parameter stalls: whether faults may stall and be answered; else only the terminate model is shown.
    public static func profile(host: IDRegisters, wanted: IDRegisters, stalls: Bool) -> Profile {
        var words = wanted.words.map { _ in UInt64(0) }
        var narrowed: [Narrowing] = []
        for field in IDRegisters.fields {
            let asked = field.value(in: wanted.words[field.word])
            let choice = choice(of: field.name, host: field.value(in: host.words[field.word]), wanted: asked, stalls)
            words[field.word].setBits(field.high, field.low, choice.shown)
            guard choice.shown != asked else { continue }
            narrowed.append(Narrowing(field: field.name, wanted: asked, shown: choice.shown, reason: choice.reason))
        }
        return Profile(ids: IDRegisters(words: words), narrowed: narrowed)
    }

    private static func choice(
        of field: String, host: UInt64, wanted: UInt64, _ stalls: Bool
    ) -> (shown: UInt64, reason: Narrowing.Reason) {
        switch field {
        case "IDR0.MSI", "IDR0.SEV", "IDR0.ST_LEVEL", "IDR1.SIDSIZE", "IDR1.EVENTQS", "IDR1.CMDQS",
            "IIDR.Implementer", "IIDR.Revision", "IIDR.Variant", "IIDR.ProductID":
            (wanted, .notProvided)
        case "IDR0.S1P", "IDR0.COHACC", "IDR0.ATS", "IDR0.ASID16", "IDR0.CD2L", "IDR1.SSIDSIZE", "IDR3.HAD", "IDR3.STT",
            "IDR3.RIL", "IDR3.BBML", "IDR3.E0PD", "IDR3.EPAN", "IDR5.OAS", "IDR5.GRAN4K", "IDR5.GRAN16K",
            "IDR5.GRAN64K", "IDR5.DS", "IDR5.VAX", "AIDR.ArchMinorRev":
            (min(host, wanted), .host)
        // Bit 1 of TTF is AArch64 tables, the only ones whose CDs are not ILLEGAL here.
        case "IDR0.TTF": (host & wanted & 2, wanted & 2 & ~host == 0 ? .notProvided : .host)
        // A host of one endianness has no choice to offer; one that has both can be shown as either.
        case "IDR0.TTENDIAN": (host == 0 ? wanted : host, .host)
        // 1 is the restriction: CD.A must be 1.
        case "IDR0.TERM_MODEL": (max(host, wanted), .host)
        case "IDR0.STALL_MODEL":
            stalls ? (host == 0 ? wanted : host, .host) : (1, .notProvided)
        case "IDR5.STALL_MAX": stalls ? (min(host, wanted), .host) : (0, .notProvided)
        default: (0, .notProvided)
        }
    }
}

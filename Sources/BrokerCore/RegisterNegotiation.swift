import SMMUv3
import Wire

/// What the guest of a new vSMMU is to be shown, and why that is less than was wanted.
struct RegisterNegotiation {
    let advertised: IDRegisters
    let narrowings: [Narrowing]

    /// `wanted` all 0: as much as possible. `stalls`: the client can answer stalled transactions.
    init(on smmu: PhysicalSMMU, wanted: IDRegisters, stalls: Bool) throws(Refusal) {
        let host = smmu.registers
        guard host.stage1Supported, host.stage2Supported else {
            throw .notSupported(
                "The physical SMMU `\(smmu.name)` does not nest: IDR0.S1P is \(host.stage1Supported ? 1 : 0) and IDR0.S2P is "
                    + "\(host.stage2Supported ? 1 : 0), and both are needed. Use a device behind another one.")
        }
        let asked = wanted == IDRegisters() ? Self.mostWanted(of: host) : wanted
        let profile = NestedVSMMU.profile(host: host, wanted: asked, stalls: stalls && smmu.stalls)
        advertised = profile.ids
        narrowings = profile.narrowed.compactMap { Self.narrowing($0, host: host) }
    }

    /// All that the host has, and what the VMM emulates by itself in full: queues, their interrupts, the stream table.
    private static func mostWanted(of host: IDRegisters) -> IDRegisters {
        var wanted = host.words
        func set(_ name: String, _ value: UInt64) {
            guard let field = IDRegisters.fields.first(where: { $0.name == name }) else { return }
            wanted[field.word].setBits(field.high, field.low, value)
        }
        set("IDR0.MSI", 1)
        set("IDR0.SEV", 1)
        set("IDR0.ST_LEVEL", 1)
        set("IDR1.SIDSIZE", 16)
        set("IDR1.CMDQS", 19)
        set("IDR1.EVENTQS", 19)
        return IDRegisters(words: wanted)
    }

    private static func narrowing(_ narrowed: NestedVSMMU.Narrowing, host: IDRegisters) -> Narrowing? {
        guard let name = RegisterFieldName(narrowed.field),
            let field = IDRegisters.fields.first(where: { $0.name == narrowed.field })
        else { return nil }
        return Narrowing(
            field: name, wanted: UInt32(truncatingIfNeeded: narrowed.wanted),
            host: UInt32(truncatingIfNeeded: field.value(in: host.words[field.word])),
            given: UInt32(truncatingIfNeeded: narrowed.shown), cause: narrowed.reason == .host ? .host : .nesting)
    }

    /// The first field in which `smmu` has less than `advertised`, which is frozen; nil when it has all of it.
    static func narrowerField(of smmu: PhysicalSMMU, than advertised: IDRegisters) -> String? {
        let showsStalls = advertised.stallModel != .terminateOnly
        let profile = NestedVSMMU.profile(
            host: smmu.registers, wanted: advertised, stalls: showsStalls && smmu.stalls)
        return profile.ids == advertised ? nil : profile.narrowed.first?.field
    }
}

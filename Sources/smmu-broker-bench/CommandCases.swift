import CBenchReference
import SMMUModel
import SMMUv3

extension Case {
    static let commands = [
        Case(
            name: "validate-nested", what: "validation of a nested vSMMU's command", warmUp: 4096, batch: 2_000_000,
            makeSides: { ValidationSides(nested: true) }),
        Case(
            name: "validate", what: "validation of a command", warmUp: 4096, batch: 2_000_000,
            makeSides: { ValidationSides(nested: false) }),
        Case(
            name: "tlbi-va", what: "TLBI_NH_VA, SYNC and the walk that fills the entry again; 4096 entries",
            warmUp: 2 * 4096, batch: 60_000,
            makeSides: {
                InvalidationSides(.tlbi(.tlbiNHVA, vmid: World.vmid, asid: World.asid), pages: 4096, refill: true)
            }),
        Case(
            name: "tlbi-va-global", what: "TLBI_NH_VA and SYNC where 4096 entries are global", warmUp: 1, batch: 1000,
            makeSides: {
                InvalidationSides(
                    .tlbi(.tlbiNHVA, vmid: World.vmid, asid: World.asid, address: 1 << 46), pages: 1, global: true)
            }),
        Case(
            name: "tlbi-asid", what: "TLBI_NH_ASID of an ASID without entries, SYNC; 4096 entries", warmUp: 1,
            batch: 1000,
            makeSides: { InvalidationSides(.tlbi(.tlbiNHASID, vmid: World.vmid, asid: 99), pages: 1) }),
    ]
}

/// Commands of every kind that is legal, mixed; the nested ones are those that may be forwarded.
private final class ValidationSides: Sides {
    private let nested: Bool
    private let commands: [Command]
    private let reference: [ref_command]

    init(nested: Bool) {
        self.nested = nested
        let forwarded: [Command] = [
            .tlbi(.tlbiNHVA, vmid: 3, asid: 5, address: 0x1234_5000, leaf: true),
            .tlbi(.tlbiNHASID, vmid: 3, asid: 5), .tlbi(.tlbiNHAll, vmid: 3),
            .tlbi(.tlbiNHVA, vmid: 3, asid: 5, address: 0x2000_0000, span: .init(granule: .k4, num: 7, ttl: 3)),
            .tlbi(.tlbiNHVAA, vmid: 3, address: 0xffff_0000_1234_5000), .make(.tlbiNSNHAll),
            .atcInv(StreamID(9), address: 0x10_0000, size: 4), .cfgiCD(StreamID(9), SubstreamID(2)),
            .cfgiCDAll(StreamID(9)),
        ]
        let others: [Command] = [
            .cfgiSTE(StreamID(4)), .cfgiSTERange(StreamID(0), range: 7), .sync(), .sync(.event),
            .tlbi(.tlbiEL2VA, asid: 2, address: 0x7000_0000), .tlbi(.tlbiS12VMAll, vmid: 3),
            .tlbi(.tlbiS2IPA, vmid: 3, address: 0x8000_0000), .resume(StreamID(4), tag: 1, .retry),
        ]
        let kinds = nested ? forwarded : forwarded + others
        // A fixed mixture in an order that no branch predictor learns.
        var state: UInt64 = 0x9e37_79b9_7f4a_7c15
        commands = (0..<4096).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return kinds[Int((state >> 33) % UInt64(kinds.count))]
        }
        reference = commands.map { ref_command(d0: $0.d0, d1: $0.d1) }
    }

    func swift(_ first: UInt64, _ count: UInt64) -> UInt64 {
        nested ? Self.forwarded(commands, first, count) : Self.legal(commands, first, count)
    }

    private static func forwarded(_ commands: [Command], _ first: UInt64, _ count: UInt64) -> UInt64 {
        var sum: UInt64 = 0
        let ids = World.ids
        let commands = commands.span
        for operation in first..<first + count {
            let command = commands[Int(truncatingIfNeeded: operation & 4095)]
            if NestedVSMMU.refusal(of: command, advertised: ids) == nil { sum &+= 1 }
        }
        return sum
    }

    private static func legal(_ commands: [Command], _ first: UInt64, _ count: UInt64) -> UInt64 {
        var sum: UInt64 = 0
        let ids = World.ids
        let commands = commands.span
        for operation in first..<first + count
        where commands[Int(truncatingIfNeeded: operation & 4095)].illegality(on: ids) == nil { sum &+= 1 }
        return sum
    }

    func reference(_ first: UInt64, _ count: UInt64) -> UInt64 {
        nested
            ? unsafe ref_run_nested(World.idrs, reference, 4095, first, count)
            : unsafe ref_run_validate(World.idrs, reference, 4095, first, count)
    }
}

/// Invalidations of a TLB that is full: operation i executes the command, for the i-th page where it has an address,
/// and a CMD_SYNC.
@safe private final class InvalidationSides: Sides {
    private let world: World
    private let command: Command
    private let pattern: AccessPattern
    private let refill: Bool
    private var smmu: SoftwareSMMU<FlatMemory>
    private let reference: OpaquePointer?

    init(_ command: Command, pages: UInt64, refill: Bool = false, global: Bool = false) {
        world = World(global: global)
        self.command = command
        self.refill = refill
        // The base of the pattern completes the address of the command.
        pattern = AccessPattern(
            stream: World.stage1Stream, address: refill ? World.virtualBase : 1 << 45, pages: pages)
        smmu = world.swiftSMMU()
        unsafe reference = world.referenceSMMU()
        let all = AccessPattern(stream: World.stage1Stream, pages: 4096)
        for operation in 0..<UInt64(4096) { _ = smmu.translate(all.transaction(operation)) }
        _ = unsafe ref_run_translate(reference, all.reference, 0, 4096)
    }

    deinit { unsafe ref_destroy(reference) }

    func swift(_ first: UInt64, _ count: UInt64) -> UInt64 { Self.run(&smmu, command, pattern, refill, first, count) }

    private static func run(
        _ smmu: inout SoftwareSMMU<FlatMemory>, _ command: Command, _ pattern: AccessPattern, _ refill: Bool,
        _ first: UInt64, _ count: UInt64
    ) -> UInt64 {
        var sum: UInt64 = 0
        for operation in first..<first + count {
            let transaction = pattern.transaction(operation)
            var addressed = command
            addressed.d1 |= transaction.address
            if case .illegal = smmu.execute(addressed) { sum &+= 1 }
            if case .illegal = smmu.execute(.sync()) { sum &+= 1 }
            if refill { sum &+= smmu.translate(transaction).sum }
        }
        return sum
    }

    func reference(_ first: UInt64, _ count: UInt64) -> UInt64 {
        unsafe ref_run_execute(
            reference, ref_command(d0: command.d0, d1: command.d1), pattern.reference, refill, first, count)
    }
}

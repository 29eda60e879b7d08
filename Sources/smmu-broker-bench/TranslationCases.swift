import CBenchReference
import SMMUModel
import SMMUv3

extension Case {
    static let translations = [
        translation(
            "tlb-hit-stage1", "TLB hit, stage 1", batch: 400_000,
            AccessPattern(stream: World.stage1Stream, pages: 1024)),
        translation(
            "tlb-hit-nested", "TLB hit, nested", batch: 400_000,
            AccessPattern(stream: World.nestedStream, pages: 1024)),
        translation(
            "walk-stage1", "4-level stage 1 walk; STE and CD cached", batch: 80_000,
            AccessPattern(stream: World.stage1Stream, pages: World.pages)),
        translation(
            "walk-nested", "nested walk 4K on 4K, 24 reads; STE and CD cached", batch: 20_000,
            AccessPattern(stream: World.nestedStream, pages: World.pages)),
        translation(
            "walk-cold", "STE, CD and 4-level stage 1 walk, nothing cached", batch: 40_000,
            AccessPattern(stream: World.streams, streamsLog2: 9, pages: 16)),
        translation(
            "fault", "F_TRANSLATION, its record written to the event queue", batch: 80_000,
            AccessPattern(stream: World.stage1Stream, address: World.unmappedBase, pages: 1024)),
    ]

    private static func translation(_ name: String, _ what: String, batch: UInt64, _ pattern: AccessPattern) -> Case {
        // Twice around, so that caches which replace what they hold have done so everywhere.
        Case(name: name, what: what, warmUp: 2 * World.pages, batch: batch) { TranslationSides(pattern) }
    }
}

/// Which stream and address operation i asks for. All counts are powers of two; the page changes once every stream has
/// had its turn.
struct AccessPattern {
    var stream: UInt32
    var streamsLog2 = 0
    var address = World.virtualBase
    var pages: UInt64

    @inline(__always)
    func transaction(_ operation: UInt64) -> Transaction {
        let stream = stream &+ UInt32(truncatingIfNeeded: operation) & (1 &<< UInt32(streamsLog2) &- 1)
        let page = operation &>> UInt64(streamsLog2) & (pages &- 1)
        return Transaction(StreamID(stream), address &+ page &<< 12)
    }

    var reference: ref_pattern {
        ref_pattern(
            stream: stream, stream_mask: 1 << UInt32(streamsLog2) - 1, address: address, page_mask: pages - 1,
            page_shift: UInt32(streamsLog2))
    }
}

extension TranslationResult {
    @inline(__always)
    var sum: UInt64 {
        switch self {
        case .translated(let translation):
            translation.pa &+ translation.ipa &+ UInt64(translation.permissions.rawValue)
                &+ UInt64(truncatingIfNeeded: translation.sizeLog2)
        case .faulted(let termination): termination.record.words.wrappedSum() &+ (termination.recorded ? 1 : 0)
        case .bypassed(let pa): pa
        default: 0
        }
    }
}

@safe private final class TranslationSides: Sides {
    private let world = World()
    private let pattern: AccessPattern
    private var smmu: SoftwareSMMU<FlatMemory>
    private let reference: OpaquePointer?

    init(_ pattern: AccessPattern) {
        self.pattern = pattern
        smmu = world.swiftSMMU()
        unsafe reference = world.referenceSMMU()
    }

    deinit { unsafe ref_destroy(reference) }

    func swift(_ first: UInt64, _ count: UInt64) -> UInt64 { Self.run(&smmu, pattern, first, count) }

    /// The SMMU is `inout`, so that the class's check for exclusive access is made once and not in each operation.
    private static func run(
        _ smmu: inout SoftwareSMMU<FlatMemory>, _ pattern: AccessPattern, _ first: UInt64, _ count: UInt64
    ) -> UInt64 {
        var sum: UInt64 = 0
        for operation in first..<first + count {
            sum &+= smmu.translate(pattern.transaction(operation)).sum
            // A driver that takes every event at once.
            smmu.registers.eventQueueCons = smmu.registers.eventQueueProd
        }
        return sum
    }

    func reference(_ first: UInt64, _ count: UInt64) -> UInt64 {
        unsafe ref_run_translate(reference, pattern.reference, first, count)
    }
}

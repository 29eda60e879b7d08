import SMMUModel
import SMMUv3

/// What one address space maps at the moment, and what of its past a TLB may still hold.
///
/// The architecture's side of the random test: it knows what an invalidation must drop, not what the model keeps.
struct SpaceShadow {
    let vmid: UInt16
    /// nil: stage 2 alone, addresses are IPAs.
    let asid: UInt16?
    /// The current mappings, by first address.
    private(set) var current: [UInt64: Mapping] = [:]
    /// Mappings that were used since the last invalidation that covers them.
    private(set) var cached: [Mapping] = []

    init(vmid: UInt16, asid: UInt16?) { (self.vmid, self.asid) = (vmid, asid) }

    struct Mapping: Equatable {
        let first: UInt64
        let output: UInt64
        let level: Int
        let global: Bool

        var last: UInt64 { first + (level == 3 ? 0xfff : 0x1f_ffff) }
        func contains(_ address: UInt64) -> Bool { first <= address && address <= last }
    }

    func mapping(of address: UInt64) -> Mapping? { current.values.first { $0.contains(address) } }

    /// Pages under a new block, and the block over a new page, are no longer mapped.
    mutating func set(_ mapping: Mapping) {
        clear(mapping.first, level: mapping.level)
        current[mapping.first] = mapping
    }

    mutating func clear(_ first: UInt64, level: Int) {
        let region = first & ~0x1f_ffff
        current = current.filter { key, old in
            old.level == 2 || level == 2 ? key & ~0x1f_ffff != region : key != first
        }
    }

    /// Takes note of an answer: whether it is right, and that it may be cached from now on. nil is a translation fault.
    mutating func accepts(_ answer: UInt64?, at address: UInt64) -> Bool {
        let now = mapping(of: address)
        guard let answer else { return now == nil }
        if let now, now.output + (address - now.first) == answer {
            if !cached.contains(now) { cached.append(now) }
            return true
        }
        return cached.contains { $0.contains(address) && $0.output + (address - $0.first) == answer }
    }

    mutating func invalidate(_ command: ShadowInvalidation) {
        cached = cached.filter { !command.covers($0, of: self) }
    }
}

/// A TLBI as the random test makes it.
struct ShadowInvalidation {
    let opcode: Command.Opcode
    let vmid: UInt16
    let asid: UInt16
    let address: UInt64
    let span: Command.Span

    var command: Command { .tlbi(opcode, vmid: vmid, asid: asid, address: address, span: span) }

    /// What has to go (IHI 0070, 4.4).
    func covers(_ mapping: SpaceShadow.Mapping, of space: SpaceShadow) -> Bool {
        switch opcode {
        case .tlbiNSNHAll: true
        case .tlbiS12VMAll: space.vmid == vmid
        case .tlbiNHAll: space.asid != nil && space.vmid == vmid
        case .tlbiNHASID: space.asid == asid && space.vmid == vmid && !mapping.global
        case .tlbiNHVA:
            space.vmid == vmid && space.asid != nil && (space.asid == asid || mapping.global) && reaches(mapping)
        case .tlbiNHVAA: space.vmid == vmid && space.asid != nil && reaches(mapping)
        case .tlbiS2IPA: space.vmid == vmid && space.asid == nil && reaches(mapping)
        default: false
        }
    }

    private func reaches(_ mapping: SpaceShadow.Mapping) -> Bool {
        guard let granule = span.granule else { return mapping.contains(address) }
        let last = address + UInt64(span.num + 1) << UInt64(span.scale + granule.shift) - 1
        let overlaps = mapping.first <= last && address <= mapping.last
        return granule == .k4 && (span.ttl == 0 || span.ttl == mapping.level) && overlaps
    }
}

import SMMUv3

/// The addresses that a TLBI by address covers (IHI 0070, 4.4.1).
///
/// TG and TTL narrow what has to go: a translation made with another granule, or whose leaf stands at another level,
/// need not be dropped. Like hardware that makes use of that, the model keeps it.
struct TLBIRange {
    let first: UInt64
    let last: UInt64
    let granule: Granule?
    let level: UInt8?

    init(_ command: Command, address: UInt64, rangesSupported: Bool) {
        let granule = rangesSupported ? Granule(commandTG: command.tg) : nil
        self.granule = granule
        guard let granule else {
            (first, last, level) = (address, address, nil)
            return
        }
        let ttl = command.effectiveTTL
        level = ttl == 0 ? nil : UInt8(ttl)
        let start = address & ~UInt64.ones(granule.shift)
        let pages = UInt64(command.num + 1) &<< UInt64(command.scale)
        let bytes = pages.multipliedReportingOverflow(by: 1 &<< UInt64(granule.shift))
        let end = start.addingReportingOverflow(bytes.partialValue &- 1)
        first = start
        last = bytes.overflow || end.overflow ? .max : end.partialValue
    }

    @inline(__always)
    func concerns(_ entry: TLBEntry) -> Bool {
        (granule == nil || granule == entry.granule) && (level == nil || level == entry.level)
    }

    /// Whether the range overlaps the leaf from which the entry for the 2^`sizeLog2` bytes that `page` counts was made.
    /// Any address of a leaf invalidates all of it, however many entries it has become.
    @inline(__always)
    func overlaps(page: UInt64, sizeLog2: Int, _ entry: TLBEntry) -> Bool {
        let offset = UInt64.mask(max(sizeLog2, entry.leafSizeLog2))
        let start = page &<< UInt64(sizeLog2) & ~offset
        return start <= last && start | offset >= first
    }

    var isOneAddress: Bool { first == last }
}

extension TLB {
    /// Every translation outside EL2: NSNH_ALL.
    mutating func invalidateAllNonHyp() {
        removeAll { tag, _, _ in tag.regime == Regime.nsEL1.rawValue }
    }

    /// Every EL2 translation: EL2_ALL.
    mutating func invalidateAllEL2() {
        removeAll { tag, _, _ in tag.regime != Regime.nsEL1.rawValue }
    }

    /// NH_ALL: what stage 1 of a VMID takes part in. S12_VMALL: also what stage 2 gives alone.
    mutating func invalidate(vmid: UInt16, stage2Too: Bool) {
        removeAll { tag, _, _ in
            tag.regime == Regime.nsEL1.rawValue && tag.vmid == vmid && (stage2Too || !tag.stage2Only)
        }
    }

    /// NH_ASID, EL2_ASID: the entries made with one ASID, global ones among them. (Those need not go; none but this
    /// ASID uses them here.)
    mutating func invalidate(regime: Regime, vmid: UInt16, asid: UInt16) {
        let space = TLBTag(TLBSpace(regime: regime, stage2Only: false, vmid: vmid, asid: asid), sizeLog2: 0)
        removeAll { tag, _, _ in tag.anySize == space.word }
    }

    /// NH_VA, EL2_VA (`asid` given) and NH_VAA, EL2_VAA (nil: every ASID). Global entries of any ASID go in any case.
    mutating func invalidate(regime: Regime, vmid: UInt16, asid: UInt16?, _ range: TLBIRange) {
        if let asid, range.isOneAddress, !mayHoldGlobalEntries, !mayHoldFragments {
            let space = TLBSpace(regime: regime, stage2Only: false, vmid: vmid, asid: asid)
            remove(space, range.first, where: range.concerns)
            return
        }
        let space = TLBTag(TLBSpace(regime: regime, stage2Only: false, vmid: vmid, asid: 0), sizeLog2: 0)
        removeAll { tag, page, entry in
            tag.anySizeAndASID == space.word && (asid == nil || tag.asid == asid || entry.global)
                && range.overlaps(page: page, sizeLog2: tag.sizeLog2, entry) && range.concerns(entry)
        }
    }

    /// S2_IPA: what stage 2 gives alone. Entries that combine both stages stay: software drops them by stage 1's
    /// commands, as the architecture asks it to.
    mutating func invalidateStage2(vmid: UInt16, _ range: TLBIRange) {
        removeAll { tag, page, entry in
            tag.regime == Regime.nsEL1.rawValue && tag.stage2Only && tag.vmid == vmid
                && range.overlaps(page: page, sizeLog2: tag.sizeLog2, entry) && range.concerns(entry)
        }
    }
}

import SMMUv3

/// Where a stage 1 walk ended.
struct Stage1Leaf {
    /// What stage 1 puts out: a physical address, or an IPA when stage 2 follows.
    var output: UInt64
    var permissions: Permissions
    /// log2 of the bytes that translate alike: of the leaf, or of the output size where the leaf is larger.
    var sizeLog2: Int
    var leafSizeLog2: Int
    var level: Int
    var granule: Granule
    /// nG = 0: the translation holds for every ASID.
    var global: Bool
}

/// The table that an address selects, and the address in the form that the TLB knows it by.
struct SelectedTable {
    var upper: Bool
    /// Bits 63:56 repeat bit 55, whatever TBI made of them.
    var canonical: UInt64
}

extension SoftwareSMMU {
    /// Chooses TT0 or TT1 by bit 55 and checks that the bits above the input size agree (Arm ARM, VMSAv8-64 address
    /// ranges; IHI 0070, 3.4.1 for TBI).
    @inline(__always)
    func selectTable(
        _ context: ContextConfiguration, _ address: UInt64, regime: Regime, privileged: Bool
    ) throws(Fault) -> SelectedTable {
        let upper = address.bit(55)
        if upper, regime == .el2 { throw .stage1(.translation) }
        let canonical = upper ? address | 0xff &<< 56 : address & ~(0xff &<< 56)
        let (inputMask, ignoresTop, disabled, noUser) =
            upper
            ? (
                context.table1.inputMask, context.table1.topByteIgnored, context.table1.walkDisabled,
                context.table1.unprivilegedDisabled
            )
            : (
                context.table0.inputMask, context.table0.topByteIgnored, context.table0.walkDisabled,
                context.table0.unprivilegedDisabled
            )
        // EPD0 and E0PD mean nothing where there is one range and one privilege level.
        if regime != .el2, disabled || (noUser && !privileged) { throw .stage1(.translation) }
        if !ignoresTop, canonical != address { throw .stage1(.translation) }
        guard canonical & ~inputMask == (upper ? ~inputMask : 0) else { throw .stage1(.translation) }
        return SelectedTable(upper: upper, canonical: canonical)
    }

    /// Walks a stage 1 table (Arm ARM, VMSAv8-64 stage 1). When `nested`, each descriptor's address is an IPA that
    /// stage 2 translates first.
    ///
    /// Changes nothing, as the other walks and fetches; they are `mutating` since the SMMU would be copied for them
    /// otherwise, all 700 bytes of it.
    @inline(__always)
    mutating func walkStage1(
        _ context: ContextConfiguration, _ table: Stage1Table, _ address: UInt64, regime: Regime,
        _ stage2: Stage2Configuration, nested: Bool, _ observer: inout some WalkObserver
    ) throws(Fault) -> Stage1Leaf {
        let granule = table.granule
        let input = address & table.inputMask
        var level = Int(table.startLevel)
        var base = table.base
        var inherited = HierarchicalAttributes()
        var shift = granule.levelShift(level)
        var index = input &>> UInt64(shift)
        while true {
            let location = base &+ index &* 8
            let physical = nested ? try translateFetch(stage2, location, .tableDescriptor, &observer) : location
            guard var word = memory.loadWord(at: physical) else {
                throw .walkAbort(stage2: false, .tableDescriptor, at: physical)
            }
            if context.bigEndian { word = word.byteSwapped }
            let kind = Descriptor.kind(word, level: level, granule: granule, oas: outputAddressSize)
            observer.saw(.descriptor(word, kind: kind, stage2: false, level: level, ipa: location, at: physical))
            switch kind {
            case .invalid: throw .stage1(.translation)
            case .table:
                base = Descriptor.address(word, shift: granule.shift, granule: granule, oas: outputAddressSize)
                if base > table.outputMask { throw .stage1(.addressSize) }
                if !table.hierarchicalAttributesDisabled { inherited.add(word) }
                level &+= 1
                shift &-= granule.stride
                index = input &>> UInt64(shift) & UInt64.mask(granule.stride)
            case .block, .page:
                let output = Descriptor.address(word, shift: shift, granule: granule, oas: outputAddressSize)
                if output | input & UInt64.mask(shift) > table.outputMask { throw .stage1(.addressSize) }
                if !word.bit(10), !context.accessFlagFaultDisabled { throw .stage1(.access) }
                let permissions: Permissions =
                    regime == .el2
                    ? .stage1SinglePrivilege(leaf: word, inherited: inherited, context: context)
                    : .stage1(leaf: word, inherited: inherited, context: context)
                // Of a block larger than the output size only that much translates.
                let leaf = Stage1Leaf(
                    output: output | input & UInt64.mask(shift), permissions: permissions,
                    sizeLog2: min(shift, table.outputBits), leafSizeLog2: shift, level: level, granule: granule,
                    global: regime != .el2 && !word.bit(11))
                observer.saw(
                    .leaf(
                        stage2: false, output: leaf.output, permissions: permissions, level: level, global: leaf.global)
                )
                return leaf
            }
        }
    }
}

import SMMUv3

/// Where a stage 2 walk ended.
struct Stage2Leaf {
    /// Physical address of the byte asked for.
    var pa: UInt64
    var permissions: Permissions
    /// log2 of the bytes that translate alike: of the leaf, or of the output size where the leaf is larger.
    var sizeLog2: Int
    var leafSizeLog2: Int
    var level: Int
    /// The leaf maps Device memory.
    var device: Bool
}

extension SoftwareSMMU {
    /// Translates `ipa` by stage 2 alone (IHI 0070, 3.4; Arm ARM, VMSAv8-64 stage 2). Permissions are the caller's to
    /// check.
    @inline(__always)
    mutating func walkStage2(
        _ stage2: Stage2Configuration, _ ipa: UInt64, for eventClass: EventRecord.Class,
        _ observer: inout some WalkObserver
    ) throws(Fault) -> Stage2Leaf {
        let granule = stage2.granule
        var level = Int(stage2.startLevel)
        var table = stage2.base
        observer.saw(.stage2Table(base: table, startLevel: level, granule: granule, ipa: ipa, for: eventClass))
        guard ipa <= stage2.inputMask else { throw .stage2(.translation, eventClass, ipa: ipa) }
        // Concatenated tables are one long table: the start level's index takes every bit that is left.
        var shift = granule.levelShift(level)
        var index = ipa &>> UInt64(shift)
        while true {
            let location = table &+ index &* 8
            guard var word = memory.loadWord(at: location) else {
                throw .walkAbort(stage2: true, eventClass, at: location)
            }
            if stage2.bigEndian { word = word.byteSwapped }
            let kind = Descriptor.kind(word, level: level, granule: granule, oas: outputAddressSize)
            observer.saw(.descriptor(word, kind: kind, stage2: true, level: level, ipa: location, at: location))
            switch kind {
            case .invalid: throw .stage2(.translation, eventClass, ipa: ipa)
            case .table:
                table = Descriptor.address(word, shift: granule.shift, granule: granule, oas: outputAddressSize)
                if table > stage2.outputMask { throw .stage2(.addressSize, eventClass, ipa: ipa) }
                level &+= 1
                shift &-= granule.stride
                index = ipa &>> UInt64(shift) & UInt64.mask(granule.stride)
            case .block, .page:
                let output = Descriptor.address(word, shift: shift, granule: granule, oas: outputAddressSize)
                if output | ipa & UInt64.mask(shift) > stage2.outputMask {
                    throw .stage2(.addressSize, eventClass, ipa: ipa)
                }
                if !word.bit(10), !stage2.accessFlagFaultDisabled { throw .stage2(.access, eventClass, ipa: ipa) }
                // Of a block larger than the output size only that much translates.
                let leaf = Stage2Leaf(
                    pa: output | ipa & UInt64.mask(shift),
                    permissions: .stage2(leaf: word, executeNeverXNX: executeNeverXNX),
                    sizeLog2: min(shift, stage2.outputBits), leafSizeLog2: shift, level: level,
                    device: stage2.forceWriteBack ? !word.bit(4) : word.bits(5, 4) == 0)
                observer.saw(
                    .leaf(stage2: true, output: leaf.pa, permissions: leaf.permissions, level: level, global: false))
                return leaf
            }
        }
    }

    /// The physical address of a CD or of a stage 1 descriptor at `ipa`: a read that stage 2 has to allow.
    @inline(__always)
    mutating func translateFetch(
        _ stage2: Stage2Configuration, _ ipa: UInt64, _ eventClass: EventRecord.Class,
        _ observer: inout some WalkObserver
    ) throws(Fault) -> UInt64 {
        let leaf = try walkStage2(stage2, ipa, for: eventClass, &observer)
        let readable = leaf.permissions.contains(.privilegedRead)
        if !readable || (stage2.protectedTableWalk && leaf.device) {
            throw .stage2(.permission, eventClass, ipa: ipa)
        }
        return leaf.pa
    }
}

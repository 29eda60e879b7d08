import SMMUv3

/// What a legal STE says, worked out once: the content of the STE cache.
struct StreamConfiguration {
    let config: StreamTableEntry.Config
    let contextPointer: UInt64
    let contextFormat: UInt8
    let contextCountLog2: UInt8
    let defaultSubstream: StreamTableEntry.DefaultSubstream
    let ats: StreamTableEntry.ATSMode
    let world: StreamTableEntry.StreamWorld
    let stallDisabled: Bool
    /// PRIVCFG and INSTCFG; 0 where the SMMU does not have them.
    let privilegeOverride: UInt8
    let instructionOverride: UInt8
    let vmid: UInt16
    let stage2: Stage2Configuration

    init(_ ste: StreamTableEntry, on ids: IDRegisters) {
        config = ste.config
        contextPointer = ste.s1ContextPointer
        contextFormat = UInt8(truncatingIfNeeded: ste.s1Format)
        contextCountLog2 = UInt8(truncatingIfNeeded: ste.effectiveS1CDMax(on: ids))
        defaultSubstream = ste.s1DefaultSubstream
        ats = ids.atsSupported && ste.config != .bypass && ste.atsMode != .reserved ? ste.atsMode : .disabled
        world = ste.effectiveStreamWorld(on: ids)
        stallDisabled = ste.s1StallDisabled
        privilegeOverride = ids.permissionOverrideSupported ? UInt8(truncatingIfNeeded: ste.privilegeOverride) : 0
        instructionOverride = ids.permissionOverrideSupported ? UInt8(truncatingIfNeeded: ste.instructionOverride) : 0
        vmid = ids.effectiveVMID(ste.s2VMID)
        stage2 = Stage2Configuration(ste, on: ids)
    }
}

extension IDRegisters {
    /// The bits of a VMID that count: none without stage 2, eight without VMID16.
    func effectiveVMID(_ vmid: UInt16) -> UInt16 { !stage2Supported ? 0 : (vmid16Bit ? vmid : vmid & 0xff) }
    func effectiveASID(_ asid: UInt16) -> UInt16 { asid16Bit ? asid : asid & 0xff }
}

/// Stage 2 of a stream. Means something only when its STE enables stage 2.
struct Stage2Configuration {
    /// Bits of the largest output address.
    var outputBits: Int { 64 &- outputMask.leadingZeroBitCount }

    /// First byte of the concatenated tables at the start level.
    let base: UInt64
    /// The largest address that it takes, and the largest that it may put out.
    let inputMask: UInt64
    let outputMask: UInt64
    let granule: Granule
    let startLevel: UInt8
    let bigEndian: Bool
    let accessFlagFaultDisabled: Bool
    let protectedTableWalk: Bool
    let forceWriteBack: Bool
    let record: Bool
    let stall: Bool

    init(_ ste: StreamTableEntry, on ids: IDRegisters) {
        let granule = Granule(tg0: ste.s2TG) ?? .k4
        let inputBits = min(max(64 - ste.s2T0SZ, 1), 52)
        let start = Stage2StartLevel(sl0: ste.s2SL0, granule: granule, inputBits: inputBits, on: ids)
        self.granule = granule
        inputMask = UInt64.ones(inputBits)
        let startLevel = start?.level ?? 3
        self.startLevel = UInt8(truncatingIfNeeded: startLevel)
        let outputBits = ste.s2OutputBits(on: ids, granule: granule)
        outputMask = UInt64.ones(outputBits)
        base =
            ste.s2TableBase & ~tableAlignmentMask(
                entriesLog2: inputBits - granule.levelShift(startLevel), sizeCode: ste.s2PS, on: ids)
        bigEndian = ste.s2BigEndian
        accessFlagFaultDisabled = ste.s2AccessFlagFaultDisabled
        protectedTableWalk = ste.s2ProtectedTableWalk
        forceWriteBack = ste.s2ForceWriteBack && ids.forceWriteBack
        record = ste.s2Record
        stall = ste.s2Stall
    }
}

/// The address bits that the alignment of a first table of 2^n descriptors leaves out. It is aligned to its size, and
/// where the effective S2PS or IPS (`sizeCode`) is 52 bits to 64 bytes at least, whatever the granule (IHI 0070, 5.2 S2TTB
/// and 5.4 TTB0).
func tableAlignmentMask(entriesLog2: Int, sizeCode: Int, on ids: IDRegisters) -> UInt64 {
    let is52 = AddressSize.effectiveBits(code: sizeCode, outputAddressSize: ids.outputAddressSize) == 52
    return UInt64.ones(max(entriesLog2 + 3, is52 ? 6 : 3))
}

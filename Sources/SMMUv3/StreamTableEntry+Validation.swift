/// Why an STE is ILLEGAL: using it gives C_BAD_STE (IHI 0070, 5.2 and 7.3.5).
public enum STEIllegality: String, Hashable, Sendable, CaseIterable {
    case notValid = "V is 0"
    case stage1Unsupported = "stage 1 is enabled, but IDR0.S1P is 0"
    case stage2Unsupported = "stage 2 is enabled, but IDR0.S2P is 0"
    case s1CDMaxTooLarge = "S1CDMax is above IDR1.SSIDSIZE"
    case s1FormatUnsupported = "S1Fmt asks for a two-level CD table, but IDR0.CD2L is 0"
    case s1ContextPointerTooLarge = "S1ContextPtr lies beyond IDR5.OAS"
    case s1StallDisabledUnsupported = "S1STALLD is set, but IDR0.STALL_MODEL is not 0"
    case streamWorldReserved = "STRW is reserved"
    case atsSplitStageUnsupported = "EATS 2 (split stage) needs both stages, S2S = 0 and IDR0.NS1ATS = 0"
    case atsWithStage2Stall = "EATS 1 cannot go with S2S"
    case s2VMIDTooLarge = "S2VMID bits 15:8 are set, but IDR0.VMID16 is 0"
    case s2NotAArch64 = "S2AA64 is 0: AArch32 stage 2 tables are not supported"
    case s2GranuleReserved = "S2TG 3 is reserved"
    case s2GranuleUnsupported = "S2TG names a granule that IDR5 does not have"
    case s2Endianness = "S2ENDI asks for an endianness that IDR0.TTENDIAN does not have"
    case s2InputSize = "S2T0SZ is out of range for the granule and IDR5.OAS"
    case s2StartLevel = "S2SL0 does not fit S2T0SZ and S2TG with at most 16 concatenated tables"
    case s2TableBaseTooLarge = "S2TTB lies beyond the effective S2PS"
    case s2HardwareUpdateUnsupported = "S2HA or S2HD asks for an update that IDR0.HTTU does not have"
    case s2StallUnsupported = "S2S is set, but IDR0.STALL_MODEL only terminates"
    case s2StallForced = "S2S is 0, but IDR0.STALL_MODEL forces stalls"

    public var rule: String {
        switch self {
        case .notValid: "IHI 0070, 5.2 STE.V"
        case .stage1Unsupported, .stage2Unsupported: "IHI 0070, 5.2 STE.Config"
        case .s1CDMaxTooLarge: "IHI 0070, 5.2 STE.S1CDMax"
        case .s1FormatUnsupported: "IHI 0070, 5.2 STE.S1Fmt"
        case .s1ContextPointerTooLarge: "IHI 0070, 3.4.3"
        case .s1StallDisabledUnsupported: "IHI 0070, 5.2 STE.S1STALLD"
        case .streamWorldReserved: "IHI 0070, 5.2 STE.STRW"
        case .atsSplitStageUnsupported, .atsWithStage2Stall: "IHI 0070, 5.2 STE.EATS"
        case .s2VMIDTooLarge: "IHI 0070, 5.2 STE.S2VMID"
        case .s2HardwareUpdateUnsupported: "IHI 0070, 5.2 STE.S2HA, STE.S2HD"
        case .s2NotAArch64: "IHI 0070, 5.2 STE.S2AA64"
        case .s2GranuleReserved, .s2GranuleUnsupported: "IHI 0070, 5.2 STE.S2TG"
        case .s2Endianness: "IHI 0070, 5.2 STE.S2ENDI"
        case .s2InputSize: "IHI 0070, 5.2 STE.S2T0SZ"
        case .s2StartLevel: "IHI 0070, 5.2 STE.S2SL0"
        case .s2TableBaseTooLarge: "IHI 0070, 5.2 STE.S2TTB"
        case .s2StallUnsupported, .s2StallForced: "IHI 0070, 5.2 STE.S2S"
        }
    }
}

extension StreamTableEntry {
    /// Everything that makes this entry ILLEGAL on an SMMU with these ID registers; empty when it is legal
    /// (IHI 0070, 5.2.2).
    ///
    /// A valid entry whose Config aborts is always legal: nothing else of it is looked at. Reserved values of S1Fmt,
    /// S1DSS and EATS are not ILLEGAL: they behave as 0.
    public func illegalities(on ids: IDRegisters) -> [STEIllegality] {
        guard valid else { return [.notValid] }
        if config.aborts || config == .bypass { return [] }
        var found: [STEIllegality] = []
        if config.stage1 { checkStage1(ids, &found) }
        if config.stage2 { checkStage2(ids, &found) }
        if ids.atsSupported { checkATS(ids, &found) }
        if usesVMID(on: ids), !ids.vmid16Bit, s2VMID > 0xff { found.append(.s2VMIDTooLarge) }
        return found
    }

    /// The StreamWorld in effect: STRW counts only for streams with stage 1 alone, on an SMMU that has EL2.
    public func effectiveStreamWorld(on ids: IDRegisters) -> StreamWorld {
        config == .stage1 && ids.hypSupported ? streamWorld : .nsEL1
    }

    /// CDs that the stream may have beyond the first, as log2; S1CDMax says nothing without SubstreamIDs.
    public func effectiveS1CDMax(on ids: IDRegisters) -> Int { ids.substreamIDSize == 0 ? 0 : s1CDMax }

    private func usesVMID(on ids: IDRegisters) -> Bool {
        ids.stage2Supported && effectiveStreamWorld(on: ids) == .nsEL1
    }

    private func checkStage1(_ ids: IDRegisters, _ found: inout [STEIllegality]) {
        if !ids.stage1Supported { found.append(.stage1Unsupported) }
        let cdMax = effectiveS1CDMax(on: ids)
        if cdMax > ids.substreamIDSize { found.append(.s1CDMaxTooLarge) }
        if cdMax > 0, s1Format == 1 || s1Format == 2, !ids.twoLevelCDSupported { found.append(.s1FormatUnsupported) }
        // With stage 2 the pointer is an IPA, and one too large is a stage 2 fault when it is used.
        if config == .stage1, s1ContextPointer & ~UInt64.ones(ids.outputAddressSize) != 0 {
            found.append(.s1ContextPointerTooLarge)
        }
        if s1StallDisabled, ids.stallModel != .stallAndTerminate { found.append(.s1StallDisabledUnsupported) }
        switch effectiveStreamWorld(on: ids) {
        case .nsEL1, .el2: break
        case .reserved1, .reserved3: found.append(.streamWorldReserved)
        }
    }

    private func checkATS(_ ids: IDRegisters, _ found: inout [STEIllegality]) {
        switch atsMode {
        case .disabled, .reserved: break
        case .full: if config.stage2, s2Stall { found.append(.atsWithStage2Stall) }
        case .splitStage:
            if config != .nested || s2Stall || ids.idr0.bit(11) { found.append(.atsSplitStageUnsupported) }
        }
    }

    private func checkStage2(_ ids: IDRegisters, _ found: inout [STEIllegality]) {
        if !ids.stage2Supported { found.append(.stage2Unsupported) }
        if !s2AArch64 || !ids.aarch64TablesSupported { found.append(.s2NotAArch64) }
        if !ids.allowsHardwareUpdate(accessFlag: words[2].bit(56), dirty: words[2].bit(55)) {
            found.append(.s2HardwareUpdateUnsupported)
        }
        if ids.stallModel == .terminateOnly, s2Stall { found.append(.s2StallUnsupported) }
        if ids.stallModel == .stallForced, !s2Stall { found.append(.s2StallForced) }
        if !ids.tableEndianness.allows(bigEndian: s2BigEndian) { found.append(.s2Endianness) }
        guard let granule = Granule(tg0: s2TG) else { return found.append(.s2GranuleReserved) }
        if !ids.supports(granule) { found.append(.s2GranuleUnsupported) }
        let oas = ids.outputAddressSize
        let inputBits = 64 - s2T0SZ
        if s2T0SZ > ids.largestTSZ(granule) || inputBits > (granule == .k64 ? oas : min(oas, 48)) {
            found.append(.s2InputSize)
        } else if Stage2StartLevel(sl0: s2SL0, granule: granule, inputBits: inputBits, on: ids) == nil {
            found.append(.s2StartLevel)
        }
        if s2TableBase & ~UInt64.ones(s2OutputBits(on: ids, granule: granule)) != 0 {
            found.append(.s2TableBaseTooLarge)
        }
    }

    /// The effective S2PS in bits: clamped to the SMMU's output size, and to 48 unless the granule is 64 KB.
    public func s2OutputBits(on ids: IDRegisters, granule: Granule) -> Int {
        let bits = AddressSize.effectiveBits(code: s2PS, outputAddressSize: ids.outputAddressSize)
        return granule == .k64 ? bits : min(bits, 48)
    }
}

extension IDRegisters.TableEndianness {
    @inlinable public func allows(bigEndian: Bool) -> Bool {
        switch self {
        case .mixed: true
        case .littleOnly: !bigEndian
        case .bigOnly: bigEndian
        }
    }
}

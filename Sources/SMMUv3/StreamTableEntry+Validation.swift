/// Why an STE is ILLEGAL: using it gives C_BAD_STE (IHI 0070, 5.2 and 7.3.5).
package enum STEIllegality: String, Hashable, Sendable, CaseIterable {
    case notValid = "V is 0"
    case stage1Unsupported = "stage 1 is enabled, but IDR0.S1P is 0"
    case stage2Unsupported = "stage 2 is enabled, but IDR0.S2P is 0"
    case s1CDMaxTooLarge = "S1CDMax is above IDR1.SSIDSIZE"
    case s1FormatReserved = "S1Fmt 3 is reserved"
    case s1FormatUnsupported = "S1Fmt asks for a two-level CD table, but IDR0.CD2L is 0"
    case s1DefaultSubstreamReserved = "S1DSS 3 is reserved"
    case s1StallDisabledUnsupported = "S1STALLD is set, but IDR0.STALL_MODEL is not 0"
    case streamWorldReserved = "STRW is reserved"
    case streamWorldUnsupported = "STRW asks for EL2, but IDR0.HYP is 0"
    case atsModeReserved = "EATS 3 is reserved"
    case atsSplitStageWithoutNesting = "EATS 2 (split stage) needs both stages"
    case atsWithStage2Stall = "EATS 1 cannot go with S2S"
    case s2NotAArch64 = "S2AA64 is 0: AArch32 stage 2 tables are not supported"
    case s2GranuleReserved = "S2TG 3 is reserved"
    case s2GranuleUnsupported = "S2TG names a granule that IDR5 does not have"
    case s2Endianness = "S2ENDI asks for an endianness that IDR0.TTENDIAN does not have"
    case s2InputSize = "S2T0SZ is out of range for the granule and IDR5.OAS"
    case s2StartLevel = "S2SL0 does not fit S2T0SZ and S2TG with at most 16 concatenated tables"
    case s2TableBaseTooLarge = "S2TTB lies beyond the effective S2PS"
    case s2StallUnsupported = "S2S is set, but IDR0.STALL_MODEL only terminates"
    case s2StallForced = "S2S is 0, but IDR0.STALL_MODEL forces stalls"

    package var rule: String {
        switch self {
        case .notValid: "IHI 0070, 5.2 STE.V"
        case .stage1Unsupported, .stage2Unsupported: "IHI 0070, 5.2 STE.Config"
        case .s1CDMaxTooLarge: "IHI 0070, 5.2 STE.S1CDMax"
        case .s1FormatReserved, .s1FormatUnsupported: "IHI 0070, 5.2 STE.S1Fmt"
        case .s1DefaultSubstreamReserved: "IHI 0070, 5.2 STE.S1DSS"
        case .s1StallDisabledUnsupported: "IHI 0070, 5.2 STE.S1STALLD"
        case .streamWorldReserved, .streamWorldUnsupported: "IHI 0070, 5.2 STE.STRW"
        case .atsModeReserved, .atsSplitStageWithoutNesting, .atsWithStage2Stall: "IHI 0070, 5.2 STE.EATS"
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
    /// Everything that makes this entry ILLEGAL on an SMMU with these ID registers; empty when it is legal.
    ///
    /// A valid entry whose Config aborts is always legal: nothing else of it is looked at.
    package func illegalities(on ids: IDRegisters) -> [STEIllegality] {
        guard valid else { return [.notValid] }
        if config.aborts { return [] }
        var found: [STEIllegality] = []
        if config.stage1 { checkStage1(ids, &found) }
        if config.stage2 { checkStage2(ids, &found) }
        if ids.atsSupported, config != .bypass { checkATS(&found) }
        return found
    }

    private func checkStage1(_ ids: IDRegisters, _ found: inout [STEIllegality]) {
        if !ids.stage1Supported { found.append(.stage1Unsupported) }
        if s1CDMax > ids.substreamIDSize { found.append(.s1CDMaxTooLarge) }
        if s1CDMax > 0 {
            if s1Format == 3 { found.append(.s1FormatReserved) }
            if s1Format == 1 || s1Format == 2, !ids.twoLevelCDSupported { found.append(.s1FormatUnsupported) }
            if s1DefaultSubstream == .reserved { found.append(.s1DefaultSubstreamReserved) }
        }
        if s1StallDisabled, ids.stallModel != .stallAndTerminate { found.append(.s1StallDisabledUnsupported) }
        if config == .stage1 {
            switch streamWorld {
            case .nsEL1: break
            case .el2: if !ids.hypSupported { found.append(.streamWorldUnsupported) }
            case .reserved1, .reserved3: found.append(.streamWorldReserved)
            }
        }
    }

    private func checkATS(_ found: inout [STEIllegality]) {
        switch atsMode {
        case .disabled: break
        case .full: if config.stage2, s2Stall { found.append(.atsWithStage2Stall) }
        case .splitStage: if config != .nested { found.append(.atsSplitStageWithoutNesting) }
        case .reserved: found.append(.atsModeReserved)
        }
    }

    private func checkStage2(_ ids: IDRegisters, _ found: inout [STEIllegality]) {
        if !ids.stage2Supported { found.append(.stage2Unsupported) }
        if !s2AArch64 { found.append(.s2NotAArch64) }
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
    package func s2OutputBits(on ids: IDRegisters, granule: Granule) -> Int {
        let bits = AddressSize.effectiveBits(code: s2PS, outputAddressSize: ids.outputAddressSize)
        return granule == .k64 ? bits : min(bits, 48)
    }
}

extension IDRegisters.TableEndianness {
    @inlinable package func allows(bigEndian: Bool) -> Bool {
        switch self {
        case .mixed: true
        case .littleOnly: !bigEndian
        case .bigOnly: bigEndian
        }
    }
}

/// Why a CD is ILLEGAL: using it gives C_BAD_CD (IHI 0070, 5.4.2 and 7.3.11).
public enum CDIllegality: String, Hashable, Sendable, CaseIterable {
    case notValid = "V is 0"
    case notAArch64 = "AA64 is 0: AArch32 tables are not supported"
    case abortRequired = "A is 0, but IDR0.TERM_MODEL is 1: terminated transactions always abort"
    case stallUnsupported = "S is set, but IDR0.STALL_MODEL only terminates"
    case stallDisabled = "S is set, but the STE has S1STALLD"
    case stallForced = "S is 0, but IDR0.STALL_MODEL forces stalls"
    case hardwareUpdateUnsupported = "HA or HD asks for an update that IDR0.HTTU does not have"
    case asidTooLarge = "ASID bits 15:8 are set, but IDR0.ASID16 is 0"
    case endianness = "ENDI asks for an endianness that IDR0.TTENDIAN does not have"
    case granuleReserved0 = "TG0 is reserved"
    case granuleReserved1 = "TG1 is reserved"
    case granuleUnsupported0 = "TG0 names a granule that IDR5 does not have"
    case granuleUnsupported1 = "TG1 names a granule that IDR5 does not have"
    case inputSize0 = "T0SZ is out of range"
    case inputSize1 = "T1SZ is out of range"
    case tableBaseTooLarge0 = "TTB0 lies beyond the effective IPS"
    case tableBaseTooLarge1 = "TTB1 lies beyond the effective IPS"

    public var rule: String {
        switch self {
        case .notValid: "IHI 0070, 5.4 CD.V"
        case .notAArch64: "IHI 0070, 5.4 CD.AA64"
        case .abortRequired: "IHI 0070, 5.4 CD.A"
        case .stallUnsupported, .stallDisabled, .stallForced: "IHI 0070, 5.4 CD.S"
        case .hardwareUpdateUnsupported: "IHI 0070, 5.4 CD.HA, CD.HD"
        case .asidTooLarge: "IHI 0070, 5.4 CD.ASID"
        case .endianness: "IHI 0070, 5.4 CD.ENDI"
        case .granuleReserved0, .granuleUnsupported0: "IHI 0070, 5.4 CD.TG0"
        case .granuleReserved1, .granuleUnsupported1: "IHI 0070, 5.4 CD.TG1"
        case .inputSize0: "IHI 0070, 5.4 CD.T0SZ"
        case .inputSize1: "IHI 0070, 5.4 CD.T1SZ"
        case .tableBaseTooLarge0: "IHI 0070, 5.4 CD.TTB0"
        case .tableBaseTooLarge1: "IHI 0070, 5.4 CD.TTB1"
        }
    }
}

extension ContextDescriptor {
    /// Everything that makes this CD ILLEGAL for a stream on an SMMU with these ID registers; empty when it is legal.
    ///
    /// - Parameters:
    ///   - stallDisabled: STE.S1STALLD of the stream.
    ///   - twoRanges: false for EL2 without E2H, whose TT1 does not exist.
    public func illegalities(on ids: IDRegisters, stallDisabled: Bool, twoRanges: Bool) -> [CDIllegality] {
        guard valid else { return [.notValid] }
        var found: [CDIllegality] = []
        if !aarch64 || !ids.aarch64TablesSupported { found.append(.notAArch64) }
        if ids.terminationAlwaysAborts, !abort { found.append(.abortRequired) }
        checkStall(ids, stallDisabled, &found)
        if !ids.allowsHardwareUpdate(accessFlag: hardwareAccessFlag, dirty: hardwareDirty) {
            found.append(.hardwareUpdateUnsupported)
        }
        // At EL2 without E2H there is one table that EPD0 cannot switch off, and there are no ASIDs.
        if twoRanges, !ids.asid16Bit, asid > 0xff { found.append(.asidTooLarge) }
        let uses0 = !twoRanges || !table(0).walkDisabled
        let uses1 = twoRanges && !table(1).walkDisabled
        if uses0 || uses1, !ids.tableEndianness.allows(bigEndian: bigEndian) { found.append(.endianness) }
        if uses0 { checkTable(0, ids, &found) }
        if uses1 { checkTable(1, ids, &found) }
        return found
    }

    private func checkStall(_ ids: IDRegisters, _ stallDisabled: Bool, _ found: inout [CDIllegality]) {
        if stall {
            if ids.stallModel == .terminateOnly { found.append(.stallUnsupported) }
            if stallDisabled { found.append(.stallDisabled) }
        } else if ids.stallModel == .stallForced {
            found.append(.stallForced)
        }
    }

    private func checkTable(_ index: Int, _ ids: IDRegisters, _ found: inout [CDIllegality]) {
        let table = table(index)
        guard let granule = table.granule else {
            return found.append(index == 0 ? .granuleReserved0 : .granuleReserved1)
        }
        if !ids.supports(granule) { found.append(index == 0 ? .granuleUnsupported0 : .granuleUnsupported1) }
        let smallest = granule == .k64 && ids.largeVirtualAddress ? 12 : 16
        if table.tsz < smallest || table.tsz > ids.largestTSZ(granule) {
            found.append(index == 0 ? .inputSize0 : .inputSize1)
        }
        if table.base & ~UInt64.ones(outputBits(on: ids, granule: granule)) != 0 {
            found.append(index == 0 ? .tableBaseTooLarge0 : .tableBaseTooLarge1)
        }
    }
}

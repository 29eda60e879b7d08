package import BrokerCore
package import SMMUv3
package import Wire

/// What an `[SMMU NAME]` section says of a software SMMU.
package struct SMMUSettings: Hashable, Sendable {
    package var outputAddressBits = 48
    package var granules: Set<Granule> = [.k4, .k16, .k64]
    package var pasidBits = 20
    package var ats = true
    package var stalls = false
    package var rangeInvalidation = true
    package var asid16Bit = true

    package init() {}

    /// Bits of a StreamID; no StreamID of the configuration may have more.
    package static let streamIDBits = 16

    /// The ID registers of such an SMMU, as software finds them: stage 1 and 2, AArch64 tables, little-endian, 16-bit
    /// VMIDs, two-level CD and stream tables, queues of 2^19 entries, SMMUv3.2.
    ///
    /// All that a guest of QEMU's SMMUv3 has been shown is there, and nothing that the model does not do.
    package var registers: IDRegisters {
        // S2P, S1P, TTF AArch64, COHACC, VMID16, CD2L, TTENDIAN little, TERM_MODEL, ST_LEVEL two-level.
        var idr0: UInt32 = 0x3 | 2 << 2 | 1 << 4 | 1 << 18 | 1 << 19 | 2 << 21 | 1 << 26 | 1 << 27
        if ats { idr0 |= 1 << 10 }
        if asid16Bit { idr0 |= 1 << 12 }
        // STALL_MODEL: 0 is stall and terminate, 1 terminate only.
        if !stalls { idr0 |= 1 << 24 }
        // SIDSIZE, SSIDSIZE, EVENTQS, CMDQS.
        let idr1 = UInt32(Self.streamIDBits) | UInt32(clamping: pasidBits) << 6 | 19 << 16 | 19 << 21
        // HAD, XNX, BBML 2.
        var idr3: UInt32 = 1 << 2 | 1 << 4 | 2 << 11
        if rangeInvalidation { idr3 |= 1 << 10 }
        var idr5 = Self.outputSizeCode(bits: outputAddressBits)
        if granules.contains(.k4) { idr5 |= 1 << 4 }
        if granules.contains(.k16) { idr5 |= 1 << 5 }
        if granules.contains(.k64) { idr5 |= 1 << 6 }
        // VAX: 52-bit virtual addresses, which only 64 KB granules reach.
        if outputAddressBits == 52, granules.contains(.k64) { idr5 |= 1 << 10 }
        if stalls { idr5 |= Self.stalledTransactions << 16 }
        return IDRegisters(idr0: idr0, idr1: idr1, idr3: idr3, idr5: idr5, aidr: 2)
    }

    /// IDR5.STALL_MAX.
    private static let stalledTransactions: UInt32 = 64

    /// The sizes that IDR5.OAS can say, smallest first.
    package static let outputAddressSizes = [32, 36, 40, 42, 44, 48, 52]

    private static func outputSizeCode(bits: Int) -> UInt32 {
        UInt32(clamping: outputAddressSizes.firstIndex { $0 >= bits } ?? outputAddressSizes.count - 1)
    }

    package func smmu(named name: Name) -> PhysicalSMMU {
        PhysicalSMMU(name: name, registers: registers, stalls: stalls)
    }
}

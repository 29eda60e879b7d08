import CSMMUBroker
import SMMUv3

/// The guest's stream table, read as a VMM reads it.
struct StreamTable {
    /// STRTAB_BASE and STRTAB_BASE_CFG, as the guest wrote them.
    let base: UInt64
    let baseConfig: UInt32
    /// As the guest reads them.
    let ids: IDRegisters

    var registers: smmu_broker_stream_table {
        smmu_broker_stream_table(base: base, base_cfg: baseConfig, idr0: ids.idr0, idr1: ids.idr1)
    }

    /// A stream's STE as the table has it at this moment.
    func entry(of vsid: UInt32, in guest: GuestMemory) -> GuestSTE {
        var table = registers
        var words: [UInt64] = Array(repeating: 0, count: 8)
        // SAFETY: the call reads two structures, writes 8 words, and calls back for guest memory, which lives on.
        let status = withExtendedLifetime(guest) {
            // SAFETY: as above.
            var memory = unsafe guest.callbacks
            // SAFETY: as above.
            return unsafe smmu_broker_read_ste(&table, &memory, vsid, &words)
        }
        guard status == 0 else { return status == -2 ? .absent : .unreadable }
        var ste = StreamTableEntry()
        for index in 0..<8 { ste.words[index] = words[index] }
        return .words(ste)
    }

    /// StreamIDs whose STE lets anything through, at most `limit` of them and of the first 2^16 that the guest's memory has
    /// room for. A driver fills whole tables with STEs that abort: those say nothing of a device.
    func activeStreams(in guest: GuestMemory, limit: Int) -> [UInt32] {
        var found: [UInt32] = []
        var looks = 1 << 16
        let bits = min(Int(baseConfig.bits(5, 0)), ids.streamIDSize)
        let twoLevel = baseConfig.bits(17, 16) == 1 && ids.twoLevelStreamTableSupported
        // As many StreamIDs as one page of the table leads to share the fate of the first: there is memory, or not.
        let split = twoLevel ? ([8: 8, 10: 10][Int(baseConfig.bits(10, 6))] ?? 6) : 6
        var vsid: UInt64 = 0
        while vsid >> UInt64(bits) == 0, looks > 0, found.count < limit {
            looks -= 1
            switch entry(of: UInt32(truncatingIfNeeded: vsid), in: guest) {
            case .words(let ste):
                if ste.valid, !ste.config.aborts { found.append(UInt32(truncatingIfNeeded: vsid)) }
                vsid += 1
            // No first-level descriptor, or no page: nothing more in this group. Of a short array the rest is absent too.
            case .absent: vsid = (vsid >> UInt64(split) + 1) << UInt64(split)
            case .unreadable: vsid = (vsid >> 6 + 1) << 6
            }
        }
        return found
    }
}

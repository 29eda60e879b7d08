import SMMUv3

/// What a legal CD says, worked out once: the content of the CD cache.
struct ContextConfiguration {
    let table0: Stage1Table
    let table1: Stage1Table
    let asid: UInt16
    let bigEndian: Bool
    let accessFlagFaultDisabled: Bool
    let writableExecuteNever: Bool
    let privilegedAccessNever: Bool
    let record: Bool
    let abort: Bool
    let stall: Bool

    init(_ cd: ContextDescriptor, on ids: IDRegisters) {
        table0 = Stage1Table(cd, 0, on: ids)
        table1 = Stage1Table(cd, 1, on: ids)
        asid = ids.effectiveASID(cd.asid)
        bigEndian = cd.bigEndian
        accessFlagFaultDisabled = cd.accessFlagFaultDisabled
        writableExecuteNever = cd.writableExecuteNever
        privilegedAccessNever = cd.privilegedAccessNever
        record = cd.record
        abort = cd.abort || ids.terminationAlwaysAborts
        stall = cd.stall
    }
}

/// One of the two stage 1 translation tables.
struct Stage1Table {
    /// Bits of the largest output address.
    var outputBits: Int { 64 &- outputMask.leadingZeroBitCount }

    let base: UInt64
    /// The bits of an address that select something here, and those that a result may have.
    let inputMask: UInt64
    let outputMask: UInt64
    let granule: Granule
    let startLevel: UInt8
    let walkDisabled: Bool
    let topByteIgnored: Bool
    let hierarchicalAttributesDisabled: Bool
    let unprivilegedDisabled: Bool

    init(_ cd: ContextDescriptor, _ index: Int, on ids: IDRegisters) {
        let table = cd.table(index)
        let granule = table.granule ?? .k4
        let inputBits = min(max(64 - table.tsz, 12), 52)
        self.granule = granule
        inputMask = UInt64.ones(inputBits)
        let startLevel = min(max(granule.stage1StartLevel(inputBits: inputBits), 0), 3)
        self.startLevel = UInt8(truncatingIfNeeded: startLevel)
        let outputBits = cd.outputBits(on: ids, granule: granule)
        outputMask = UInt64.ones(outputBits)
        base =
            table.base
            & ~tableAlignmentMask(
                entriesLog2: inputBits - granule.levelShift(startLevel), sizeCode: cd.ipsCode, on: ids)
        walkDisabled = table.walkDisabled
        topByteIgnored = table.topByteIgnored
        hierarchicalAttributesDisabled = table.hierarchicalAttributesDisabled && ids.hierarchicalAttributeDisable
        unprivilegedDisabled = table.unprivilegedDisabled && ids.e0pd
    }
}

import BrokerCore
import LinuxSystem
import SMMUModel
import SMMUv3
import Wire

/// One vSMMU of a session on a software SMMU of its own: the part of a host kernel's driver.
///
/// It owns the stream table, stage 2 and the event queue; streams have the StreamIDs of their devices, and everything has
/// the one VMID. The guest's numbers are put in their place on the way in and out.
final class ModelVSMMU {
    let id: VSMMUID
    var smmu: SoftwareSMMU<ModelMemory>
    let stage2: Stage2Tables
    var streams: [ModelStream] = []
    var events: ModelEventSource
    private var lastStream = 0

    /// All streams of a software SMMU are of one guest.
    static let vmid: UInt16 = 1

    init(
        _ id: VSMMUID, on smmu: PhysicalSMMU, advertised: IDRegisters, guest: GuestMemory,
        events: consuming ModelEventSource
    ) {
        self.id = id
        self.events = events
        let ids = Self.registers(advertised, on: smmu)
        let layout = ModelLayout(outputAddressSize: ids.outputAddressSize)
        stage2 = Stage2Tables(layout: layout, bigEndian: ids.tableEndianness == .bigOnly)
        self.smmu = SoftwareSMMU(memory: ModelMemory(guest: guest, layout: layout), ids: ids)
        var registers = SMMURegisters()
        registers.streamTableBase = layout.streamTable
        registers.streamTableBaseConfig = UInt32(ModelLayout.streamIDBits)
        registers.eventQueueBase = layout.eventQueue | UInt64(ModelLayout.eventQueueLog2)
        registers.eventQueueEnabled = true
        registers.atsChecked = true
        registers.smmuEnabled = true
        self.smmu.registers = registers
    }

    /// What the guest is shown, and what the host needs besides: stage 2 with 4 KiB granules, StreamIDs and an event
    /// queue of its own sizes.
    private static func registers(_ advertised: IDRegisters, on smmu: PhysicalSMMU) -> IDRegisters {
        var ids = advertised.modelled
        // S2P, S1P, AArch64 tables; VMIDs of 8 bits are enough.
        ids.idr0 |= 1 | 1 << 1 | 1 << 3
        ids.idr0 &= ~(1 << 18)
        if !smmu.stalls { ids.idr0 = ids.idr0 & ~(3 << 24) | 1 << 24 }
        // SIDSIZE, EVENTQS.
        ids.idr1 = ids.idr1 & ~(0x3f | 0x1f << 16) | UInt32(ModelLayout.streamIDBits) | 19 << 16
        // GRAN4K.
        ids.idr5 |= 1 << 4
        return ids
    }

    // MARK: Streams

    /// The place of a stream in ``streams``.
    func index(of vsid: StreamID) -> Int? {
        if lastStream < streams.count, streams[lastStream].vsid == vsid { return lastStream }
        for index in streams.indices where streams[index].vsid == vsid {
            lastStream = index
            return index
        }
        return nil
    }

    /// Adds a device. Where stage 2 stalls an SMMU takes no ATS.
    func attach(_ device: HostDevice, as vsid: StreamID, _ installation: Installation) {
        let ats = device.hasATS && smmu.ids.atsSupported && !stage2Stalls
        streams.append(ModelStream(device.streamID, as: vsid, ats: ats))
        install(installation, at: streams.count - 1)
    }

    /// Takes a device away and leaves it on ABORT.
    func detach(at index: Int) {
        install(.abort, at: index)
        terminateStalls(at: index)
        unbindDoorbell(at: index)
        streams.remove(at: index)
    }

    /// Puts the stream's translation into effect: the STE, then CFGI_STE, which drops its CDs; and what the device keeps,
    /// if it had ATS before or has it now.
    func install(_ installation: Installation, at index: Int) {
        let translatedAhead = streams[index].usesATS
        streams[index].installation = installation
        let wantsATS = streams[index].hasATS && installation.usesATS
        // What was kept under an earlier translation is gone before translated accesses are let through again.
        if wantsATS, !translatedAhead { streams[index].distrusted = !invalidateATC(at: index) }
        writeSTE(at: index)
        if translatedAhead { distrustUnlessInvalidated(at: index) }
    }

    /// Writes the STE that is in effect, and makes the SMMU read it.
    private func writeSTE(at index: Int) {
        let stream = streams[index]
        let words = entry(for: stream).words
        let address = stage2.layout.streamTable + UInt64(stream.streamID.rawValue) * 64
        for word in 0..<8 { _ = smmu.memory.own.storeWord(words[word], at: address + UInt64(word * 8)) }
        _ = smmu.execute(.cfgiSTE(stream.streamID, leaf: true))
    }

    /// The STE of a stream: the guest's stage 1, the host's stage 2.
    private func entry(for stream: ModelStream) -> StreamTableEntry {
        var ste = StreamTableEntry()
        switch stream.installation {
        case .abort:
            ste.valid = true
            ste.config = .abort
            return ste
        // V is 0, which is ILLEGAL on every SMMU.
        case .illegal: return ste
        case .bypass:
            ste.config = .stage2
        case .stage1(let word0, let word1):
            ste = StreamTableEntry(word0 & NestedVSMMU.steWord0Mask, word1 & NestedVSMMU.steWord1Mask)
            ste.config = .nested
            if !stream.usesATS { ste.atsMode = .disabled }
        }
        ste.valid = true
        // SHCFG: as the access says.
        ste.words[1].setBits(45, 44, 1)
        stage2.describe(vmid: Self.vmid, stalls: stage2Stalls, in: &ste)
        return ste
    }

    /// Where stalling is forced, stage 2 has to as well.
    private var stage2Stalls: Bool { smmu.ids.stallModel == .stallForced }

    // MARK: Memory

    /// Makes a map reachable; false when the tables have no room.
    func map(_ map: MemoryMap) -> Bool {
        let bounds = map.ipa..<map.end
        guard stage2.layout.reaches(bounds) else { return true }
        let access = Stage2Tables.Access(read: map.readable, write: map.writable)
        return stage2.map(bounds, access, in: &smmu.memory.own)
    }

    /// Makes a map unreachable, by tables and by what is cached.
    func unmap(_ map: MemoryMap) {
        let bounds = map.ipa..<map.end
        guard stage2.layout.reaches(bounds) else { return }
        stage2.unmap(bounds, in: &smmu.memory.own)
        invalidateStage2()
    }

    /// What a change of stage 2 needs: its TLB entries go, and what devices keep. A device that does not answer is no
    /// longer let through with what it has.
    private func invalidateStage2() {
        _ = smmu.execute(.tlbi(.tlbiS12VMAll, vmid: Self.vmid))
        for index in streams.indices where streams[index].usesATS { distrustUnlessInvalidated(at: index) }
    }

    private func distrustUnlessInvalidated(at index: Int) {
        if invalidateATC(at: index) { return }
        streams[index].distrusted = true
        writeSTE(at: index)
    }

    /// Drops all that a device keeps; false when it does not answer.
    private func invalidateATC(at index: Int) -> Bool {
        let stream = streams[index].streamID
        _ = smmu.execute(.atcInv(stream))
        _ = smmu.execute(.atcInv(stream, global: true))
        return smmu.execute(.sync()) != .atcInvalidationTimedOut
    }

    // MARK: Doorbells

    /// Lets the stream's MSIs through to `page`, an IPA that is no memory; false when the tables have no room.
    func bindDoorbell(_ page: UInt64, at index: Int) -> Bool {
        if streams[index].doorbell == page { return true }
        unbindDoorbell(at: index)
        if !smmu.memory.doorbells.contains(page) {
            let bounds = page..<page + PrivateMemory.pageSize
            guard stage2.map(bounds, Stage2Tables.Access(read: true, write: true), in: &smmu.memory.own) else {
                stage2.unmap(bounds, in: &smmu.memory.own)
                return false
            }
            smmu.memory.doorbells.append(page)
        }
        streams[index].doorbell = page
        return true
    }

    /// Streams may share a page: it stays until the last of them has gone.
    func unbindDoorbell(at index: Int) {
        guard let page = streams[index].doorbell else { return }
        streams[index].doorbell = nil
        if streams.contains(where: { $0.doorbell == page }) { return }
        stage2.unmap(page..<page + PrivateMemory.pageSize, in: &smmu.memory.own)
        invalidateStage2()
        smmu.memory.doorbells.removeAll { $0 == page }
    }
}

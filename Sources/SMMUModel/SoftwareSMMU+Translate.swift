import SMMUv3

extension SoftwareSMMU {
    /// What the SMMU does with `transaction`: the order of IHI 0070, 3.12 and 7.3. A fault that the configuration has
    /// recorded is written to the event queue.
    public mutating func translate(_ transaction: Transaction) -> TranslationResult {
        var observer = NoObserver()
        return translate(transaction, observer: &observer)
    }

    /// ``translate(_:)``, step by step for `observer`.
    public mutating func translate(
        _ transaction: Transaction, observer: inout some WalkObserver
    ) -> TranslationResult {
        guard registers.smmuEnabled else { return resultWhileDisabled(transaction) }
        guard transaction.kind == .translated else { return translateWhileEnabled(transaction, observer: &observer) }
        if !registers.atsChecked { return passTranslated(transaction.address) }
        // No IDR3.PASIDTT: a translated access counts as unprivileged data without a SubstreamID (IHI 0070, 3.9.1.3).
        let bare = Transaction(transaction.streamID, transaction.address, write: transaction.write, kind: .translated)
        return translateWhileEnabled(bare, observer: &observer)
    }

    @inline(__always)
    private mutating func translateWhileEnabled(
        _ transaction: Transaction, observer: inout some WalkObserver
    ) -> TranslationResult {
        var access = AccessAttributes(transaction)
        var policy = FaultPolicy()
        do throws(Fault) {
            let streamSlot = try streamSlot(transaction.streamID, &observer)
            let stream = streams.values[streamSlot]
            access.apply(
                privilege: stream.privilegeOverride, instruction: stream.instructionOverride, to: transaction)
            (policy.stage2Record, policy.stage2Stall) = (stream.stage2.record, stream.stage2.stall)
            if stream.config.aborts { return .aborted }
            if transaction.kind != .untranslated, let result = try checkATS(transaction, stream) { return result }
            if transaction.kind == .translated {
                // Split stage: the address is an IPA, stage 1 has been done.
                return try translateByStage2(transaction, access, streamSlot, &observer)
            }
            switch stream.config {
            case .bypass: return try bypass(transaction)
            case .stage2:
                if transaction.substreamID != nil { throw .configuration(.badSubstreamID) }
                return try translateByStage2(transaction, access, streamSlot, &observer)
            default: break
            }
            guard let substream = try substream(of: transaction, stream) else {
                return stream.config == .nested
                    ? try translateByStage2(transaction, access, streamSlot, &observer) : try bypass(transaction)
            }
            let contextSlot = try contextSlot(transaction.streamID, substream, streamSlot, &observer)
            let context = contexts.values[contextSlot]
            (policy.stage1Record, policy.stage1Stall) = (context.record, context.stall)
            policy.stage1Abort = context.abort
            return try translateByStage1(transaction, access, streamSlot, contextSlot, &observer)
        } catch {
            return terminate(transaction, access, error, policy)
        }
    }

    private mutating func resultWhileDisabled(_ transaction: Transaction) -> TranslationResult {
        endStallsWhileDisabled()
        if transaction.kind != .untranslated {
            let id: EventID = transaction.kind == .translated ? .translationForbidden : .badATSRequest
            return terminate(transaction, AccessAttributes(transaction), .configuration(id), FaultPolicy())
        }
        if registers.gbpaAbort { return .aborted }
        return transaction.address > UInt64.ones(outputAddressSize) ? .aborted : .bypassed(pa: transaction.address)
    }

    /// A stream that no stage translates, or none does for this substream: the address goes out as it came, if it fits.
    private func bypass(_ transaction: Transaction) throws(Fault) -> TranslationResult {
        if transaction.substreamID != nil { throw .configuration(.badSubstreamID) }
        if transaction.address > UInt64.ones(outputAddressSize) { throw .stage1(.addressSize) }
        return .bypassed(pa: transaction.address)
    }

    /// The CD to use, or nil when the stream's stage 1 is bypassed for this transaction (IHI 0070, 3.9 and 5.2 S1DSS).
    @inline(__always)
    private func substream(
        of transaction: Transaction, _ stream: StreamConfiguration
    ) throws(Fault) -> SubstreamID? {
        if let substream = transaction.substreamID {
            if stream.contextCountLog2 == 0 || substream.rawValue &>> UInt32(stream.contextCountLog2) != 0 {
                throw .configuration(.badSubstreamID)
            }
            if substream.rawValue == 0, stream.defaultSubstream == .substream0 { throw .configuration(.streamDisabled) }
            return substream
        }
        if stream.contextCountLog2 == 0 { return SubstreamID(0) }
        switch stream.defaultSubstream {
        case .bypass: return nil
        case .substream0: return SubstreamID(0)
        case .terminate, .reserved: throw .configuration(.streamDisabled)
        }
    }

    // MARK: - Stages

    /// Stage 2 alone: of a stage 2 stream, of one whose stage 1 is bypassed, or of an address that ATS translated half.
    private mutating func translateByStage2(
        _ transaction: Transaction, _ access: AccessAttributes, _ streamSlot: Int, _ observer: inout some WalkObserver
    ) throws(Fault) -> TranslationResult {
        let address = transaction.address
        let stream = streams.values[streamSlot]
        // Nothing has limited the address yet: one beyond the largest IPA is a stage 1 fault (IHI 0070, 3.4).
        if address > UInt64.ones(outputAddressSize) { throw .stage1(.addressSize) }
        let demand = Demand(transaction, access)
        let space = TLBSpace(regime: .nsEL1, stage2Only: true, vmid: stream.vmid, asid: 0)
        if let hit = tlb.find(space, address) {
            observer.saw(.cached(.tlb))
            return try finish(hit, address, demand)
        }
        let leaf: Stage2Leaf
        do throws(Fault) {
            leaf = try walkStage2(stream.stage2, address, for: .input, &observer)
        } catch {
            throw error.behind(.all)
        }
        let offset = UInt64.mask(leaf.sizeLog2)
        let entry = TLBEntry(
            pa: leaf.pa & ~offset, ipa: address & ~offset, stage1: .all, stage2: leaf.permissions, stages: .stage2,
            level: UInt8(truncatingIfNeeded: leaf.level), granule: stream.stage2.granule,
            leafSizeLog2: leaf.leafSizeLog2, global: false)
        tlb.insert(space, address, sizeLog2: leaf.sizeLog2, entry)
        return try finish(TLB.Hit(entry: entry, sizeLog2: leaf.sizeLog2), address, demand)
    }

    /// Stage 1, and stage 2 after it for a nested stream.
    @inline(__always)
    private mutating func translateByStage1(
        _ transaction: Transaction, _ access: AccessAttributes, _ streamSlot: Int, _ contextSlot: Int,
        _ observer: inout some WalkObserver
    ) throws(Fault) -> TranslationResult {
        let stream = streams.values[streamSlot]
        let context = contexts.values[contextSlot]
        let regime: Regime = stream.world == .el2 ? (registers.e2h ? .el2E2H : .el2) : .nsEL1
        let demand = Demand(transaction, access)
        let selected = try selectTable(context, transaction.address, regime: regime, privileged: access.privileged)
        let space = TLBSpace(
            regime: regime, stage2Only: false, vmid: regime == .nsEL1 ? stream.vmid : 0,
            asid: regime == .el2 ? 0 : context.asid)
        if let hit = tlb.find(space, selected.canonical) {
            observer.saw(.cached(.tlb))
            return try finish(hit, selected.canonical, demand)
        }
        return try walkAndCache(demand, selected, space, streamSlot, contextSlot, &observer)
    }

    /// The walk after a TLB miss, of its own so that a hit pays for nothing of it.
    @inline(never)
    private mutating func walkAndCache(
        _ demand: Demand, _ selected: SelectedTable, _ space: TLBSpace, _ streamSlot: Int, _ contextSlot: Int,
        _ observer: inout some WalkObserver
    ) throws(Fault) -> TranslationResult {
        let stream = streams.values[streamSlot]
        let context = contexts.values[contextSlot]
        let regime = space.regime
        let nested = stream.config == .nested
        let leaf =
            selected.upper
            ? try walk(context, context.table1, 1, selected, regime, stream.stage2, nested, &observer)
            : try walk(context, context.table0, 0, selected, regime, stream.stage2, nested, &observer)
        var entry = TLBEntry(
            pa: 0, ipa: 0, stage1: leaf.permissions, stage2: .all, stages: .stage1,
            level: UInt8(truncatingIfNeeded: leaf.level), granule: leaf.granule, leafSizeLog2: leaf.leafSizeLog2,
            global: leaf.global)
        var size = leaf.sizeLog2
        var output = leaf.output
        if nested {
            // Stage 1 is complete before stage 2 of its output begins: its permission fault comes first.
            if !demand.isMet(by: leaf.permissions) { throw .stage1(.permission) }
            let stage2Leaf: Stage2Leaf
            do throws(Fault) {
                stage2Leaf = try walkStage2(stream.stage2, leaf.output, for: .input, &observer)
            } catch {
                throw error.behind(leaf.permissions)
            }
            size = min(size, stage2Leaf.sizeLog2)
            (entry.stage2, entry.stages, output) = (stage2Leaf.permissions, .both, stage2Leaf.pa)
        }
        entry.pa = output & ~UInt64.mask(size)
        entry.ipa = leaf.output & ~UInt64.mask(size)
        tlb.insert(space, selected.canonical, sizeLog2: size, entry)
        return try finish(TLB.Hit(entry: entry, sizeLog2: size), selected.canonical, demand)
    }

    @inline(__always)
    private mutating func walk(
        _ context: ContextConfiguration, _ table: Stage1Table, _ index: Int, _ selected: SelectedTable,
        _ regime: Regime, _ stage2: Stage2Configuration, _ nested: Bool, _ observer: inout some WalkObserver
    ) throws(Fault) -> Stage1Leaf {
        observer.saw(
            .stage1Table(index: index, base: table.base, startLevel: Int(table.startLevel), granule: table.granule))
        return try walkStage1(
            context, table, selected.canonical, regime: regime, stage2, nested: nested, &observer)
    }

    /// Checks permissions, stage 1's first, and puts the address together.
    @inline(__always)
    private func finish(_ hit: TLB.Hit, _ address: UInt64, _ demand: Demand) throws(Fault) -> TranslationResult {
        let offset = address & UInt64.mask(hit.sizeLog2)
        let ipa = hit.entry.ipa | offset
        let both = hit.entry.stage1.intersection(hit.entry.stage2)
        if !demand.isMet(by: hit.entry.stage1) { throw .stage1(.permission) }
        if !demand.isMet(by: both) { throw .stage2(.permission, .input, ipa: ipa).behind(hit.entry.stage1) }
        return .translated(
            Translation(
                pa: hit.entry.pa | offset, permissions: demand.granted(of: both), stages: hit.entry.stages,
                sizeLog2: hit.sizeLog2, ipa: ipa, stage1: hit.entry.stage1))
    }

    // MARK: - Faults

    /// Records, stalls or terminates as STE and CD say (IHI 0070, 3.12).
    private mutating func terminate(
        _ transaction: Transaction, _ access: AccessAttributes, _ fault: Fault, _ policy: FaultPolicy
    ) -> TranslationResult {
        var record = EventRecord(fault, transaction, access: access)
        let follows = fault.id.isTranslationFault
        if transaction.kind == .translationRequest, fault.id != .badATSRequest {
            // No other event comes of a translation request; a fault of the address is an answer without permission.
            return .faulted(Termination(record: record, recorded: false, response: follows ? .atsDenied : .abort))
        }
        if transaction.kind == .translated, [.badStreamID, .steFetch, .badSTE].contains(fault.id) {
            // Nor does one of the configuration that a translated access meets (CR2.REC_CFG_ATS does not exist).
            return .faulted(Termination(record: record, recorded: false, response: .abort))
        }
        // A fault of the input size of a stream without stage 1 has no CD to ask: it is recorded.
        if follows, fault.stage2 ? policy.stage2Stall : policy.stage1Stall {
            guard let tag = stalls.hold(transaction) else { return .backpressured }
            record.stallTag = tag
            writeStallEvent(record)
            return .stalled(record, tag: tag)
        }
        let recorded = recordsEvent(fault, policy)
        if recorded { writeEvent(record) }
        let quiet = follows && !fault.stage2 && !policy.stage1Abort
        return .faulted(
            Termination(
                record: record, recorded: recorded, response: quiet ? .readZeroWriteIgnored : .abort,
                stage1: fault.stage1))
    }

    private func recordsEvent(_ fault: Fault, _ policy: FaultPolicy) -> Bool {
        if fault.id == .badStreamID { return registers.recordInvalidStreamIDs }
        guard fault.id.isTranslationFault else { return true }
        return fault.stage2 ? policy.stage2Record : policy.stage1Record
    }
}

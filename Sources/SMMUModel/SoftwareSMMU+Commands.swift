public import SMMUv3

/// What executing one command came to.
public enum CommandResult: Hashable, Sendable {
    case completed
    /// A CMD_SYNC is complete; its signal has been given as far as the SMMU gives it.
    case synchronized(Command.SyncSignal)
    /// The command is illegal: the queue stops at it.
    case illegal(CommandIllegality)
    /// A CMD_SYNC found an ATC_INV before it unanswered.
    case atcInvalidationTimedOut
}

extension SoftwareSMMU {
    /// Does one command, wherever it came from. Its effect is complete on return: a CMD_SYNC has nothing to wait for.
    public mutating func execute(_ command: Command) -> CommandResult {
        guard let opcode = command.opcode else { return .illegal(.unknownOpcode) }
        return execute(command, opcode)
    }

    /// The same for who knows the command's opcode already.
    @inline(__always)
    public mutating func execute(_ command: Command, _ opcode: Command.Opcode) -> CommandResult {
        if let reason = command.illegality(opcode, on: ids) { return .illegal(reason) }
        switch opcode {
        case .prefetchConfig, .prefetchAddress, .cfgiVMSPIDM, .priResp: break
        case .cfgiSTE, .cfgiSTERange, .cfgiCD, .cfgiCDAll: invalidateConfiguration(opcode, command)
        // Nothing goes out to devices while the SMMU is off (IHI 0070, 4.5.1).
        case .atcInv: if registers.smmuEnabled { invalidateATC(command) }
        case .resume:
            stalls.answer(command.streamID, command.stag, effectiveAction(command.resumeAction))
        case .stallTerm: stalls.answerAll(command.streamID, .abort)
        case .sync: return synchronize(command.syncSignal)
        default: invalidateTranslations(opcode, command)
        }
        return .completed
    }

    /// CFGI_*: what of the STE and CD caches goes (IHI 0070, 4.3). With an STE go the CDs found through it.
    private mutating func invalidateConfiguration(_ opcode: Command.Opcode, _ command: Command) {
        let sid = UInt64(command.streamID.rawValue)
        switch opcode {
        case .cfgiSTE:
            streams.remove(CacheKey(page: sid, tag: 0))
            contexts.removeAll { key, _ in key.page == sid }
        case .cfgiSTERange:
            let span = UInt64(command.range + 1)
            streams.removeAll { key, _ in key.page >> span == sid >> span }
            contexts.removeAll { key, _ in key.page >> span == sid >> span }
        case .cfgiCD: contexts.remove(CacheKey(page: sid, tag: UInt64(command.substreamID.rawValue)))
        default: contexts.removeAll { key, _ in key.page == sid }
        }
    }

    /// TLBI_*: what of the TLB goes (IHI 0070, 4.4).
    private mutating func invalidateTranslations(_ opcode: Command.Opcode, _ command: Command) {
        if tlb.count == 0 { return }
        let vmid = ids.effectiveVMID(command.vmid)
        let asid = ids.effectiveASID(command.asid)
        let hyp: Regime = registers.e2h ? .el2E2H : .el2
        switch opcode {
        case .tlbiNHAll: tlb.invalidate(vmid: vmid, stage2Too: false)
        case .tlbiNHASID: tlb.invalidate(regime: .nsEL1, vmid: vmid, asid: asid)
        case .tlbiNHVA: tlb.invalidate(regime: .nsEL1, vmid: vmid, asid: asid, inputRange(command))
        case .tlbiNHVAA: tlb.invalidate(regime: .nsEL1, vmid: vmid, asid: nil, inputRange(command))
        case .tlbiEL2All: tlb.invalidateAllEL2()
        // Only EL2-E2H has ASIDs: EL2_ASID means its entries whatever E2H is now, and without E2H the ASID of EL2_VA is
        // not looked at.
        case .tlbiEL2ASID: tlb.invalidate(regime: .el2E2H, vmid: 0, asid: asid)
        case .tlbiEL2VA:
            tlb.invalidate(regime: hyp, vmid: 0, asid: registers.e2h ? asid : nil, inputRange(command))
        case .tlbiEL2VAA: tlb.invalidate(regime: hyp, vmid: 0, asid: nil, inputRange(command))
        case .tlbiS12VMAll: tlb.invalidate(vmid: vmid, stage2Too: true)
        case .tlbiS2IPA:
            let range = TLBIRange(command, address: command.ipa, rangesSupported: ids.rangeInvalidation)
            tlb.invalidateStage2(vmid: vmid, range)
        default: tlb.invalidateAllNonHyp()
        }
    }

    /// The range of a TLBI by input address, in the form in which the TLB knows addresses.
    private func inputRange(_ command: Command) -> TLBIRange {
        let address = command.address
        let canonical = address.bit(55) ? address | 0xff &<< 56 : address & ~(0xff &<< 56)
        return TLBIRange(command, address: canonical, rangesSupported: ids.rangeInvalidation)
    }

    private mutating func synchronize(_ signal: Command.SyncSignal) -> CommandResult {
        if atcTimeoutPending {
            atcTimeoutPending = false
            return .atcInvalidationTimedOut
        }
        if case .interrupt(let address, let data) = signal {
            if ids.msiSupported, address != 0 {
                if !memory.store32(data, at: address) { raise(.commandQueueMSIAbort) }
            } else {
                interrupts.insert(.commandSync)
            }
        }
        return .synchronized(signal)
    }

    mutating func raise(_ error: GlobalError) {
        if registers.isActive(error) { return }
        registers.raise(error)
        if registers.irqControl.bit(0) { interrupts.insert(.globalError) }
    }
}

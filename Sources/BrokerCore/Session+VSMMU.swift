import SMMUv3
import Wire

extension Session {
    func vsmmuCreate(
        _ request: VSMMUCreateRequest, _ call: Call, _ reply: inout MutableRawSpan
    ) throws(Refusal) -> Answer {
        let grant = try admittingGrant()
        if lanes.count >= grant.quota.vsmmus { throw Self.tooMany(state.vsmmus.count, lanes.count, grant) }
        guard state.nextVSMMU != VSMMUID.every.rawValue else {
            throw .notSupported("The session has used up all numbers of vSMMUs: connect anew.")
        }
        let known = try context.directory.smmu(of: request.device, for: context.id, under: grant)
        defer { backend.endProbe() }
        let smmu = try probe(request.device)?.smmu ?? known
        let negotiation = try RegisterNegotiation(
            on: smmu, wanted: request.wanted, stalls: state.hello?.features.contains(.pageResponse) ?? false)
        let id = VSMMUID(state.nextVSMMU)
        let made = attempt { () throws(BackendFailure) in
            try backend.createVSMMU(id, on: smmu, advertised: negotiation.advertised)
        }
        if let made { throw .hostFailure(made, "There is no new vSMMU") }
        commit(.madeVSMMU(id, on: smmu, advertised: negotiation.advertised))
        invalidations.insert(InvalidationLog(id))
        openLane(of: id)
        effects.insert(.eventSources)
        let answer = VSMMUCreateReply(
            vsmmu: id, errata: smmu.errata, host: smmu.registers, advertised: negotiation.advertised)
        return Answer(
            byteCount: answer.encode(to: call.header, narrowings: negotiation.narrowings.span, into: &reply))
    }

    /// Of those that are gone the events still take room.
    private static func tooMany(_ there: Int, _ all: Int, _ grant: Grant) -> Refusal {
        if there == all {
            return .quota(
                "vSMMUs", limit: UInt64(grant.quota.vsmmus), usage: UInt64(there), setting: "MaxVSMMUs",
                grant: grant.name)
        }
        return Refusal(
            .quota, .quotaExceeded,
            "The quota of vSMMUs is \(grant.quota.vsmmus), \(there) are in use, and \(all - there) are gone but for events "
                + "that nobody has read: subscribe to EVERY and read them, or have MaxVSMMUs= of [Grant \(grant.name)] "
                + "raised.")
    }

    func vsmmuDestroy(
        _ request: VSMMURequest, _ call: Call, _ reply: inout MutableRawSpan
    ) throws(Refusal) -> Answer {
        _ = try vsmmuIndex(request.vsmmu)
        let count = state.contexts(of: request.vsmmu).count
        if count > 0 {
            throw Refusal(
                .vsmmuInUse, .busy, "\(count) devices are attached to vSMMU \(request.vsmmu): detach them first.")
        }
        // What its source still has is the owner's, and nobody could ask for it afterwards.
        drainSourceForGood(of: request.vsmmu, at: call.now)
        tellMerged(at: call.now) { $0.vsmmu == request.vsmmu }
        backend.destroyVSMMU(request.vsmmu)
        commit(.destroyedVSMMU(request.vsmmu))
        invalidations.remove(request.vsmmu)
        closeLane(of: request.vsmmu)
        effects.insert(.eventSources)
        return done(call, &reply)
    }

    // MARK: SMMUEN and GBPA

    func vsmmuState(
        _ request: VSMMUStateRequest, _ call: Call, _ packet: RawSpan, _ reply: inout MutableRawSpan
    ) throws(Refusal) -> Answer {
        let index = try workingVSMMUIndex(request.vsmmu)
        let enabled = request.flags.contains(.smmuEnabled)
        let range = state.contexts(of: request.vsmmu)
        if enabled { try checkEntries(request, packet, cover: range) }
        commit(.switched(request.vsmmu, enabled: enabled, gbpaAborts: request.flags.contains(.bypassAborts)))
        effects.insert(.contexts)
        reports.removeAll(keepingCapacity: true)
        if enabled {
            try enableAll(request, packet, state.vsmmus[index].advertised)
        } else {
            for context in range { reports.append(disable(context, state.vsmmus[index].bypassed)) }
        }
        return Answer(byteCount: encodeReports(of: request.vsmmu, call, &reply))
    }

    /// Each attached vSID once, and no other: found out before the first is switched.
    private func checkEntries(
        _ request: VSMMUStateRequest, _ packet: RawSpan, cover range: Range<Int>
    ) throws(Refusal) {
        named.removeAll(keepingCapacity: true)
        for _ in range { named.append(false) }
        for position in 0..<request.entries.count {
            let vsid = request.entries.element(position, in: packet).vsid
            let index = try contextIndex(request.vsmmu, vsid) - range.lowerBound
            if named[index] { throw .duplicateVSID(vsid, of: request.vsmmu) }
            named[index] = true
        }
        guard let missing = named.firstIndex(of: false) else { return }
        let vsid = state.contexts[range.lowerBound + missing].key.vsid
        throw Refusal(
            .missingContext, .invalid,
            "SMMUEN is set, but the STE of the attached vSID \(vsid.rawValue) is missing: send one for each.")
    }

    private func enableAll(
        _ request: VSMMUStateRequest, _ packet: RawSpan, _ advertised: IDRegisters
    ) throws(Refusal) {
        var stuck: BackendFailure?
        for position in 0..<request.entries.count {
            let entry = request.entries.element(position, in: packet)
            guard let index = state.contexts.index(of: ContextKey(request.vsmmu, entry.vsid)) else { continue }
            let failure = install(target(of: entry.ste, for: index, advertised), ste: entry.ste, at: index)
            // With the vSMMU its devices have gone to ABORT.
            if let failure, failure.isUnsettled { throw .vsmmuFailed(request.vsmmu) }
            if let failure {
                let context = state.contexts[index]
                commit(.installed(context.key, ste: entry.ste, context.installed, illegal: false))
                if context.installed == .bypass { stuck = failure }
            }
            reports.append(report(of: index, failure))
        }
        // Neither its STE nor ABORT could be had: a device must not bypass an enabled vSMMU and nobody know (I1).
        guard let stuck else { return }
        giveUp(request.vsmmu, stuck)
        throw .vsmmuFailed(request.vsmmu)
    }

    private func disable(_ index: Int, _ bypassed: Installation) -> ContextReport {
        let installation = state.contexts[index].quarantined ? .abort : bypassed
        let target = Target(installation: installation, illegal: false)
        return report(of: index, install(target, ste: state.contexts[index].ste, at: index))
    }

    private func report(of index: Int, _ failure: BackendFailure?) -> ContextReport {
        var report = state.contexts[index].report
        if let failure { report.status = failure.status == .done ? .inputOutput : failure.status }
        return report
    }

    private func encodeReports(of vsmmu: VSMMUID, _ call: Call, _ reply: inout MutableRawSpan) -> Int {
        let generation = state.vsmmus.index(of: vsmmu).map { state.vsmmus[$0].generation } ?? Generation(0)
        let reports = reports
        return ContextsReply.encode(
            to: call.header, generation: generation, contexts: reports.span, into: &reply)
    }

    // MARK: Reset

    func vsmmuReset(
        _ request: VSMMURequest, _ call: Call, _ reply: inout MutableRawSpan
    ) throws(Refusal) -> Answer {
        let id = request.vsmmu
        let index = try vsmmuIndex(id)
        // Records from before the reset must carry the generation from before it.
        drainSourceForGood(of: id, at: call.now)
        tellMerged(at: call.now) { $0.vsmmu == id }
        settleStalls(.reset, at: call.now) { $0.vsmmu == id }
        commit(.reset(id))
        resetLane(of: id)
        for context in state.contexts(of: id) { advance(context, .reset, at: call.now) }
        backend.restartEvents(of: id)
        // The memory is all vSMMUs': a guest that runs on another one is not to lose a BAR for a moment.
        if !state.vsmmus.indices.contains(where: { state.vsmmus[$0].enabled }) { backend.renewDeviceMemory() }
        effects.formUnion([.contexts, .eventSources])
        reports.removeAll(keepingCapacity: true)
        for context in state.contexts(of: id) {
            let report = disable(context, state.vsmmus[index].bypassed)
            // What the guest's tables said before the reset is not to go on for want of a bypass.
            if report.status != .done { _ = install(.aborting, ste: nil, at: context) }
            reports.append(self.report(of: context, nil))
            reports[reports.count - 1].status = report.status
        }
        let failed = attempt { () throws(BackendFailure) in
            try backend.terminateStalls(of: nil, on: id)
            try backend.resynchronize(id)
        }
        if let failed {
            giveUp(id, failed)
            throw .hostFailure(failed, "The devices of vSMMU \(id) abort: send VSMMU_RESET again")
        }
        counts.resynchronizations += 1
        return Answer(byteCount: encodeReports(of: id, call, &reply))
    }

    /// The vSMMU cannot be relied on: its devices abort, and it is failed until it is reset.
    func giveUp(_ id: VSMMUID, _ failure: BackendFailure) {
        if let index = state.vsmmus.index(of: id), state.vsmmus[index].failed { return }
        // Before its devices abort: what fails there does not begin this again.
        commit(.failed(id))
        for context in state.contexts(of: id) {
            _ = install(.aborting, ste: state.contexts[context].ste, at: context)
        }
        effects.insert(.contexts)
        observer.saw(.vsmmuFailed(vsmmu: id, failure))
    }
}

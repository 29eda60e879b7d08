import SMMUv3
import Wire

extension Session {
    func deviceAttach(
        _ request: DeviceAttachRequest, _ call: Call, _ reply: inout MutableRawSpan
    ) throws(Refusal) -> Answer {
        let grant = try admittingGrant()
        let vsmmu = state.vsmmus[try workingVSMMUIndex(request.vsmmu)]
        let key = ContextKey(request.vsmmu, request.vsid)
        try checkPlace(key, for: request.device, grant)
        let claimed = try context.directory.claim(request.device, for: context.id, under: grant)
        defer { backend.endProbe() }
        do throws(Refusal) {
            let device = try probe(request.device) ?? claimed
            try Self.check(device, fits: vsmmu)
            let initially = initialState(of: device, vsmmu)
            let attached = try attach(device, to: vsmmu, as: key, initially)
            restoreHealth(of: device.name, key, at: call.now)
            let answer = DeviceAttachReply(
                msiBase: IOVA(attached.msi.base), msiSize: attached.msi.size,
                flags: Self.flags(device, attached), pasidBits: UInt32(clamping: device.pasidBits),
                physicalStream: device.streamID,
                state: state.contexts.index(of: key).map { state.contexts[$0].installed.state } ?? initially.state)
            var result = Answer(byteCount: answer.encode(to: call.header, into: &reply))
            result.descriptor = attached.descriptor
            return result
        } catch {
            context.directory.release(claimed.name, by: context.id)
            throw error
        }
    }

    /// What the backend finds out about a device that may be had; nil: nothing that the directory does not know.
    func probe(_ name: Name) throws(Refusal) -> HostDevice? {
        var device: HostDevice?
        let failure = attempt { () throws(BackendFailure) in device = try backend.probe(name) }
        if let failure { throw .hostFailure(failure, "The device is as it was") }
        return device
    }

    private func checkPlace(_ key: ContextKey, for device: Name, _ grant: Grant) throws(Refusal) {
        if state.contexts.index(of: key) != nil { throw .duplicateVSID(key.vsid, of: key.vsmmu) }
        if let index = state.contexts.indices.first(where: { state.contexts[$0].device.name == device }) {
            let key = state.contexts[index].key
            throw Refusal(
                .deviceBusy, .busy,
                "`\(device)` is attached to vSMMU \(key.vsmmu) as vSID \(key.vsid.rawValue): detach it first, or give it "
                    + "another vSID with DEVICE_REBIND.")
        }
        if state.contexts.count >= grant.quota.contexts {
            throw .quota(
                "contexts", limit: UInt64(grant.quota.contexts), usage: UInt64(state.contexts.count),
                setting: "MaxContexts", grant: grant.name)
        }
        if state.contexts(of: key.vsmmu).count >= Limits.entries {
            throw Refusal(
                .quota, .quotaExceeded,
                "A vSMMU has at most \(Limits.entries) contexts in this protocol, whatever the settings: make another vSMMU."
            )
        }
    }

    private static func check(_ device: HostDevice, fits vsmmu: SessionState.VSMMU) throws(Refusal) {
        if device.smmu.name != vsmmu.smmu.name {
            throw Refusal(
                .otherSMMU, .invalid,
                "`\(device.name)` is behind the SMMU `\(device.smmu.name)`, vSMMU \(vsmmu.key) is on `\(vsmmu.smmu.name)`: make "
                    + "a vSMMU with that device.")
        }
        if let field = RegisterNegotiation.narrowerField(of: device.smmu, than: vsmmu.advertised) {
            throw Refusal(
                .narrowerDevice, .invalid,
                "`\(device.name)` has less than vSMMU \(vsmmu.key) advertises in \(field), which cannot change any more: make "
                    + "the vSMMU with that device, or want less.")
        }
    }

    private static func flags(_ device: HostDevice, _ attached: AttachedDevice) -> DeviceAttachReply.Flags {
        var flags: DeviceAttachReply.Flags = []
        if device.hasATS { flags.insert(.ats) }
        if attached.descriptor != nil { flags.insert(.descriptor) }
        return flags
    }

    /// While the vSMMU is disabled GBPA decides; when it is enabled the device aborts until its STE_SET.
    private func initialState(of device: HostDevice, _ vsmmu: SessionState.VSMMU) -> Installation {
        vsmmu.enabled || isShelvedQuarantined(device.name) ? .abort : vsmmu.bypassed
    }

    private func attach(
        _ device: HostDevice, to vsmmu: SessionState.VSMMU, as key: ContextKey, _ initially: Installation
    ) throws(Refusal) -> AttachedDevice {
        var attached = AttachedDevice()
        let failure = attempt { () throws(BackendFailure) in
            attached = try backend.attach(device, to: key.vsmmu, as: key.vsid, initially: initially)
        }
        if let failure { throw .hostFailure(failure, "The device is not attached") }
        commit(.attached(SessionState.Context(key: key, device: device, installed: initially)))
        meters.insert(ContextMeter(key: key))
        effects.insert(.contexts)
        observer.saw(.attached(device: device.name, vsmmu: key.vsmmu, vsid: key.vsid))
        return attached
    }

    func deviceRebind(
        _ request: DeviceRebindRequest, _ call: Call, _ reply: inout MutableRawSpan
    ) throws(Refusal) -> Answer {
        let key = state.contexts[try workingContextIndex(request.vsmmu, request.vsid)].key
        if request.newVSID == request.vsid { return done(call, &reply) }
        let newKey = ContextKey(request.vsmmu, request.newVSID)
        if state.contexts.index(of: newKey) != nil { throw .duplicateVSID(request.newVSID, of: request.vsmmu) }
        // Records that wait in the source name the old vSID.
        drainSource(of: request.vsmmu, at: call.now)
        tellMerged(at: call.now) { $0 == key }
        let failure = attempt { () throws(BackendFailure) in
            try backend.rebind(request.vsid, to: request.newVSID, on: request.vsmmu)
        }
        if let failure { throw .hostFailure(failure, "The device keeps its vSID \(request.vsid.rawValue)") }
        commit(.rebound(key, to: request.newVSID))
        if var meter = meters.remove(key) {
            meter.key = newKey
            meters.insert(meter)
        }
        stalls.rename(key, to: newKey)
        effects.insert(.contexts)
        return done(call, &reply)
    }

    func deviceDetach(
        _ request: DeviceRequest, _ call: Call, _ reply: inout MutableRawSpan
    ) throws(Refusal) -> Answer {
        _ = try vsmmuIndex(request.vsmmu)
        let index = try contextIndex(request.vsmmu, request.vsid)
        let (key, device) = (state.contexts[index].key, state.contexts[index].device.name)
        drainSource(of: request.vsmmu, at: call.now)
        let failure = attempt { () throws(BackendFailure) in try backend.detach(key.vsid, from: key.vsmmu) }
        if let failure { throw .hostFailure(failure, "The device is still attached: try again") }
        forget(key, device, at: call.now)
        giveBack(device, withheld: false)
        return done(call, &reply)
    }

    /// To the directory, with who may still have a descriptor of it. One that an operator has asked for is withheld.
    func giveBack(_ device: Name, withheld: Bool) {
        let withheld = withheld || leaving.contains { $0.device == device }
        leaving.removeAll { $0.device == device }
        if !leaving.contains(where: \.isRetried) { leaveRetry = nil }
        context.directory.release(
            device, by: context.id, vm: state.hello?.name, hold: backend.takeHold(of: device), withheld: withheld)
    }

    /// A device that was here before is doing as it was then.
    private func restoreHealth(of device: Name, _ key: ContextKey, at now: Instant) {
        guard let health = takeShelvedHealth(device) else { return }
        commit(.health(key, health))
        if let meter = meters.index(of: key) { meters[meter].watch.lastTrouble = now }
        // Another policy may count by now.
        if let index = state.contexts.index(of: key) { advance(index, .policyChanged, at: now) }
        planHealth()
    }

    /// The context is gone from the backend.
    func forget(_ key: ContextKey, _ device: Name, at now: Instant) {
        tellMerged(at: now) { $0 == key }
        if let index = state.contexts.index(of: key) { shelveHealth(device, state.contexts[index].health) }
        commit(.detached(key))
        planHealth()
        stalls.forget(key)
        if var meter = meters.remove(key), let count = meter.journal.takeSuppressed() {
            observer.saw(.suppressedFaults(device: device, count: count))
        }
        effects.insert(.contexts)
        observer.saw(.detached(device: device, vsmmu: key.vsmmu, vsid: key.vsid))
    }

    /// The kernel resets a device when its last descriptor is closed, and lets nobody else do so before: an orphan's DMA is
    /// blocked meanwhile.
    func deviceReset(
        _ request: DeviceResetRequest, _ call: Call, _ reply: inout MutableRawSpan
    ) throws(Refusal) -> Answer {
        let grant = try admittingGrant()
        switch try context.directory.orphanage(of: request.device, under: grant) {
        case .over: return done(call, &reply)
        case .none:
            throw Refusal(
                .notOrphaned, .busy,
                "`\(request.device)` is not orphaned, and only orphaned devices are reset here: reset a live device through "
                    + "its own descriptor.")
        case .lasting:
            throw Refusal(
                .deviceBusy, .busy,
                "`\(request.device)` cannot be reset while somebody has its descriptor: its DMA is blocked, and the kernel "
                    + "resets it when the last copy is closed. \"fuser -v /dev/vfio/devices/*\" on the host says who has it."
            )
        }
    }
}

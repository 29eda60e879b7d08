import SMMUv3
package import Wire

// What comes from outside the session: another grant, an operator's quarantine, and what an operator sees.

/// A device that an operator wants from the guest: whichever way it goes, no session gets it then.
struct Leaver {
    var device: Name
    /// The host may let it go the next time.
    var isRetried: Bool
}

extension Session {
    /// Another grant counts from now on; nil: nothing more may be had. What the session has it keeps.
    package func replaceGrant(_ grant: Grant?, at now: Instant) {
        self.grant = grant
        guard let policy = grant?.faults, policy != faultPolicy else { return }
        faultPolicy = policy
        for index in state.contexts.indices { advance(index, .policyChanged, at: now) }
    }

    /// An operator's doing: a device goes to ABORT and stays there, whatever STEs its guest gives. False: no such device
    /// here.
    package func quarantine(_ device: Name, at now: Instant) -> Bool {
        guard let index = contextIndex(of: device) else { return false }
        advance(index, .quarantine, at: now)
        return true
    }

    /// What the host has refused a quarantine is asked for again, until it is so or not wanted any more.
    func retryQuarantine(at now: Instant) {
        guard let retry = quarantineRetry, retry <= now else { return }
        quarantineRetry = nil
        for index in state.contexts.indices {
            let context = state.contexts[index]
            guard context.quarantined, context.installed != .abort else { continue }
            let target = Target(installation: .abort, illegal: context.illegal)
            if install(target, ste: context.ste, at: index) != nil {
                quarantineRetry = now.advanced(byMilliseconds: Self.quarantineRetryMilliseconds)
            }
            effects.insert(.contexts)
        }
    }

    private static var quarantineRetryMilliseconds: UInt64 { 100 }

    /// A quarantined device may translate again: as the last STE of its guest says. False: no such device here.
    package func release(_ device: Name, at now: Instant) -> Bool {
        guard let index = contextIndex(of: device) else { return false }
        advance(index, .release, at: now)
        return true
    }

    // MARK: Back to the host

    /// An operator's doing: takes a device from the guest, so that the host's driver can let it go. It aborts, is detached,
    /// and its owner is told, to close its own descriptor. False: no such device here.
    package func handBack(_ device: Name, at now: Instant) -> Bool {
        guard let index = contextIndex(of: device) else { return false }
        let key = state.contexts[index].key
        drainSource(of: key.vsmmu, at: now)
        let target = Target(installation: .abort, illegal: state.contexts[index].illegal)
        _ = install(target, ste: state.contexts[index].ste, at: index)
        if let failure = attempt({ () throws(BackendFailure) in try backend.detach(key.vsid, from: key.vsmmu) }) {
            // It is being reset: it is asked for again until it is so. What will not be better is told, once.
            leaving.removeAll { $0.device == device }
            leaving.append(Leaver(device: device, isRetried: failure.isTransient))
            if failure.isTransient {
                leaveRetry = now.advanced(byMilliseconds: Self.leaveRetryMilliseconds)
            } else {
                observer.saw(.notHandedBack(device: device, failure))
            }
            return true
        }
        tellGone(index)
        forget(key, device, at: now)
        giveBack(device, withheld: true)
        return true
    }

    /// Ends a quarantine; of a device that has not been in one lately, takes it from the guest. False: no such device here.
    package func letGo(_ device: Name, at now: Instant) -> Bool {
        guard let index = contextIndex(of: device) else { return false }
        // Who says this has seen a quarantine that may just have ended by itself: that is no wish to lose the device.
        switch state.contexts[index].health.state {
        case .quarantined, .recovered: return release(device, at: now)
        case .healthy, .suspect: return handBack(device, at: now)
        }
    }

    /// What has been asked for again, and not been done yet.
    func retryHandingBack(at now: Instant) {
        guard let retry = leaveRetry, retry <= now else { return }
        leaveRetry = nil
        for leaver in leaving where leaver.isRetried { _ = handBack(leaver.device, at: now) }
    }

    private static var leaveRetryMilliseconds: UInt64 { 100 }

    func contextIndex(of device: Name) -> Int? {
        state.contexts.indices.first { state.contexts[$0].device.name == device }
    }

    package var snapshot: SessionSnapshot {
        var snapshot = SessionSnapshot(
            id: context.id, vm: state.hello?.name, pid: context.peer.pid, uid: context.peer.uid)
        snapshot.vsmmus = UInt32(clamping: state.vsmmus.count)
        snapshot.contexts = UInt32(clamping: state.contexts.count)
        snapshot.maps = UInt32(clamping: state.maps.count)
        snapshot.mappedBytes = state.mappedBytes
        snapshot.counters = counts
        return snapshot
    }

    package func contextSnapshots() -> [ContextSnapshot] {
        state.contexts.indices.compactMap { contextSnapshot(at: $0) }
    }

    func contextSnapshot(at index: Int) -> ContextSnapshot? {
        let context = state.contexts[index]
        guard let vsmmu = state.vsmmus.index(of: context.key.vsmmu) else { return nil }
        let meter = meters.index(of: context.key).map { meters[$0] } ?? ContextMeter(key: context.key)
        var (word0, word1) = (UInt64(0), UInt64(0))
        if case .stage1(let first, let second) = context.installed { (word0, word1) = (first, second) }
        var snapshot = ContextSnapshot(
            vsmmu: context.key.vsmmu, vsid: context.key.vsid, device: context.device.name,
            smmu: context.device.smmu.name, physicalStream: context.device.streamID,
            state: context.installed.state, illegal: context.illegal, vsmmuEnabled: state.vsmmus[vsmmu].enabled,
            vsmmuFailed: state.vsmmus[vsmmu].failed, health: context.health, events: meter.events,
            stesInstalled: meter.stesInstalled, word0: word0, word1: word1)
        snapshot.stalls = meter.stalls
        return snapshot
    }
}

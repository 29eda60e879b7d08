import SMMUv3
package import Wire

// What comes from outside the session: another grant, an operator's quarantine, and what an operator sees.

extension Session {
    /// Another grant counts from now on; nil: nothing more may be had. What the session has it keeps.
    package func replaceGrant(_ grant: Grant?) { self.grant = grant }

    /// An operator's doing: a device goes to ABORT and stays there, whatever STEs its guest gives. False: no such device
    /// here.
    package func quarantine(_ device: Name) -> Bool {
        guard let index = contextIndex(of: device) else { return false }
        if !state.contexts[index].quarantined {
            commit(.health(state.contexts[index].key, .quarantined))
            tellHealth(of: index)
        }
        let target = Target(installation: .abort, illegal: state.contexts[index].illegal)
        if install(target, ste: state.contexts[index].ste, at: index) != nil {
            // At once: who says this has no clock.
            quarantineRetry = Instant(nanoseconds: 0)
        }
        return true
    }

    /// What the host has refused an operator is asked for again, until it is so or not wanted any more.
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
    package func release(_ device: Name) -> Bool {
        guard let index = contextIndex(of: device) else { return false }
        let key = state.contexts[index].key
        guard state.contexts[index].quarantined, let vsmmu = state.vsmmus.index(of: key.vsmmu) else { return true }
        commit(.health(key, .recovered))
        tellHealth(of: index)
        if state.vsmmus[vsmmu].failed { return true }
        let ste = state.contexts[index].ste
        let target: Target
        if !state.vsmmus[vsmmu].enabled {
            target = Target(installation: state.vsmmus[vsmmu].bypassed, illegal: false)
        } else if let ste {
            target = self.target(of: ste, for: index, state.vsmmus[vsmmu].advertised)
        } else {
            target = .aborting
        }
        _ = install(target, ste: ste, at: index)
        return true
    }

    private func contextIndex(of device: Name) -> Int? {
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

package import SMMUv3
package import Wire

/// What is watched of one context to tell how it is doing.
struct HealthWatch {
    var faults = StormWindow()
    var timeouts = StormWindow()
    /// The last time at which it was not calm.
    var lastTrouble = Instant(nanoseconds: 0)
    /// Storms that ``Session/settleHealth(at:)`` has not looked at yet.
    var storm: HealthReason?

    mutating func forget() {
        faults.forget()
        timeouts.forget()
        storm = nil
    }
}

/// Something that a backend has noticed of a device.
package struct DeviceTrouble: Hashable, Sendable {
    package var vsmmu: VSMMUID
    package var vsid: StreamID
    /// `atcTimeout` counts towards parking it; any other makes it suspect.
    package var reason: HealthReason

    package init(vsmmu: VSMMUID, vsid: StreamID, reason: HealthReason) {
        (self.vsmmu, self.vsid, self.reason) = (vsmmu, vsid, reason)
    }
}

extension Session {
    // MARK: What is noticed

    /// Counts a fault of a context; whether a sample of those of its kind is enough.
    func noteFault(isStall: Bool, of place: FaultPlace, at now: Instant) -> Bool {
        guard let meter = place.meter, let index = place.context else { return false }
        meters[meter].events += 1
        let state = current.contexts[index].health.state
        // A stalled transaction asks for a page, and is answered.
        if isStall { return false }
        if case .quarantined = state { return false }
        let storm = faultPolicy.storm
        let count = meters[meter].watch.faults.add(at: now, span: storm.milliseconds)
        if count >= storm.count {
            meters[meter].watch.storm = .eventStorm
            hasUnsettledHealth = true
        }
        // It is over when there are less than half as many.
        if count >= storm.count - storm.count / 2 { meters[meter].watch.lastTrouble = now }
        return faultPolicy.action == .sample && state == .suspect
            && current.contexts[index].health.reasons.contains(HealthReasons(.eventStorm))
    }

    /// A device is in trouble for another reason than its faults. `parks`: enough of this has it parked, if the policy says
    /// so.
    func noteTrouble(_ trouble: DeviceTrouble, parks: Bool, at now: Instant) {
        let key = ContextKey(trouble.vsmmu, trouble.vsid)
        guard let meter = meters.index(of: key), let index = state.contexts.index(of: key) else { return }
        meters[meter].watch.lastTrouble = now
        advance(index, .trouble(trouble.reason), at: now)
        guard parks, state.contexts[index].health.state != .quarantined else { return }
        let rate = faultPolicy.timeouts
        let count = meters[meter].watch.timeouts.add(at: now, span: rate.milliseconds)
        if count >= rate.count { advance(index, .storm(trouble.reason), at: now) }
    }

    /// A device did not answer one of the batch's ATC_INVs. Who it was can be said only where one alone was asked.
    func noteTimeout(of batch: borrowing CommandBatch, on vsmmu: VSMMUID, at now: Instant) {
        var streams: [StreamID] = []
        for command in batch.forwarded where command.opcode == .atcInv && !streams.contains(command.streamID) {
            streams.append(command.streamID)
        }
        for stream in streams {
            noteTrouble(
                DeviceTrouble(vsmmu: vsmmu, vsid: stream, reason: .atcTimeout), parks: streams.count == 1, at: now)
        }
    }

    /// Does what storms lead to, when all records that have been read have been told.
    func settleHealth(at now: Instant) {
        guard hasUnsettledHealth else { return }
        hasUnsettledHealth = false
        for meter in meters.indices {
            guard let storm = meters[meter].watch.storm else { continue }
            meters[meter].watch.storm = nil
            guard let index = state.contexts.index(of: meters[meter].key) else { continue }
            advance(index, .storm(storm), at: now)
        }
    }

    // MARK: What it leads to

    /// Gives a context's health an input, and does what it leads to.
    func advance(_ index: Int, _ input: ContextHealth.Input, at now: Instant) {
        var isAsBefore = true
        // A storm makes a healthy context suspect first.
        for _ in 0..<2 {
            let before = state.contexts[index].health
            guard let next = before.next(input, faultPolicy, at: now) else { break }
            isAsBefore = false
            let key = state.contexts[index].key
            commit(.health(key, next))
            if next.state == before.state && next.hold == before.hold { break }
            tellHealth(of: index, from: before.state, at: now)
            let meter = meters.index(of: key)
            switch next.state {
            case .quarantined:
                if let meter { meters[meter].watch.forget() }
                park(index, at: now)
            case .recovered:
                if let meter {
                    meters[meter].watch.forget()
                    meters[meter].watch.lastTrouble = now
                }
                if !reinstate(index) { recover(later: state.contexts[index].device.name, at: now) }
            case .suspect: if let meter { meters[meter].watch.lastTrouble = now }
            case .healthy: break
            }
        }
        // A storm that goes on only puts off the calm: who looks for it too early plans anew.
        if isAsBefore, case .storm = input { return }
        planHealth()
    }

    /// What the host refuses is asked for again.
    private func park(_ index: Int, at now: Instant) {
        let target = Target(installation: .abort, illegal: state.contexts[index].illegal)
        if install(target, ste: state.contexts[index].ste, at: index) != nil { quarantineRetry = now }
    }

    /// Without it the device would stay on ABORT: its guest knows of no reason to send its STE again.
    private func recover(later device: Name, at now: Instant) {
        if !recovering.contains(device) { recovering.append(device) }
        recoveryRetry = now.advanced(byMilliseconds: Self.recoveryRetryMilliseconds)
    }

    private static var recoveryRetryMilliseconds: UInt64 { 100 }

    /// What the host has refused to devices that have recovered is asked for again, until it is so or not wanted any more.
    func retryRecovery(at now: Instant) {
        guard let retry = recoveryRetry, retry <= now else { return }
        let devices = recovering
        (recovering, recoveryRetry) = ([], nil)
        for device in devices {
            guard let index = contextIndex(of: device), !state.contexts[index].quarantined else { continue }
            if !reinstate(index) { recover(later: device, at: now) }
            effects.insert(.contexts)
        }
    }

    /// A device may do again what its guest's last STE says. False: the host has refused it.
    private func reinstate(_ index: Int) -> Bool {
        let context = state.contexts[index]
        guard let vsmmu = state.vsmmus.index(of: context.key.vsmmu), !state.vsmmus[vsmmu].failed else { return true }
        let target: Target
        if !state.vsmmus[vsmmu].enabled {
            target = Target(installation: state.vsmmus[vsmmu].bypassed, illegal: false)
        } else if let ste = context.ste {
            target = self.target(of: ste, for: index, state.vsmmus[vsmmu].advertised)
        } else {
            target = .aborting
        }
        return install(target, ste: context.ste, at: index) == nil
    }

    /// Puts a notice on a context's health into the order of the events.
    private func tellHealth(of index: Int, from before: HealthNotice.State, at now: Instant) {
        let context = state.contexts[index]
        let health = context.health
        let notice = context.healthNotice
        if let lane = lanes.index(of: context.key.vsmmu) { lanes[lane].ring.append(.health(notice)) }
        effects.formUnion([.delivery, .contexts])
        faults.count(health)
        hasNewFaults = true
        var change = HealthChange(device: context.device.name, key: context.key, from: before, health: health)
        if let meter = meters.index(of: context.key) {
            change.faults = meters[meter].watch.faults.count(at: now, span: faultPolicy.storm.milliseconds)
        }
        observer.saw(.health(change))
    }

    // MARK: Time

    /// Contexts whose time on ABORT is over, or that have been calm for long enough.
    func timeHealth(at now: Instant) {
        guard let healthDeadline, healthDeadline <= now else { return }
        for index in state.contexts.indices {
            let health = state.contexts[index].health
            if let end = health.parkedUntil, end <= now { advance(index, .parkTimeOver, at: now) }
            if let end = calmEnd(of: index), end <= now { calmDown(index, at: now) }
        }
        planHealth()
    }

    /// Faults that wait in a source, because their owner takes none, are not seen: that is no calm.
    private func calmDown(_ index: Int, at now: Instant) {
        let key = state.contexts[index].key
        if hasRoomForEvents(of: key.vsmmu) { return advance(index, .calm, at: now) }
        if let meter = meters.index(of: key) { meters[meter].watch.lastTrouble = now }
    }

    /// Nil: it is healthy, or on ABORT.
    private func calmEnd(of index: Int) -> Instant? {
        let context = state.contexts[index]
        guard context.health.state == .suspect || context.health.state == .recovered,
            let meter = meters.index(of: context.key)
        else { return nil }
        return meters[meter].watch.lastTrouble.advanced(byMilliseconds: faultPolicy.calmTime(of: context.health))
    }

    /// Finds out when ``timeHealth(at:)`` has something to do.
    func planHealth() {
        healthDeadline = nil
        for index in state.contexts.indices {
            let end = Instant.earlier(state.contexts[index].health.parkedUntil, calmEnd(of: index))
            healthDeadline = Instant.earlier(healthDeadline, end)
        }
    }

    // MARK: Devices that come and go

    /// A device that goes takes its health along: to attach it anew is no way out of a quarantine.
    func shelveHealth(_ device: Name, _ health: ContextHealth) {
        if health.state == .healthy { return }
        if shelvedHealth.count >= Limits.entries { shelvedHealth.removeFirst() }
        shelvedHealth.append(ShelvedHealth(device: device, health: health))
    }

    /// The health of a device that was here before.
    func takeShelvedHealth(_ device: Name) -> ContextHealth? {
        shelvedHealth.firstIndex { $0.device == device }.map { shelvedHealth.remove(at: $0).health }
    }

    func isShelvedQuarantined(_ device: Name) -> Bool {
        shelvedHealth.contains { $0.device == device && $0.health.state == .quarantined }
    }
}

/// How a device was doing when it was detached.
struct ShelvedHealth {
    var device: Name
    var health: ContextHealth
}

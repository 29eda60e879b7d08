package import Wire

/// How a context is doing, why, and since when: healthy, suspect, quarantined, recovered, healthy.
///
/// A value that only ``next(_:_:at:)`` changes, and part of the session's state, so that a successor goes on with it.
package struct ContextHealth: Hashable, Sendable {
    /// Who keeps a quarantined device on ABORT.
    package enum Hold: Hashable, Sendable {
        case nobody
        /// The grant's policy, and the policy lets it come back.
        case policy
        /// Only an operator lets it come back.
        case byOperator
    }

    package private(set) var state = HealthNotice.State.healthy
    /// Of the last change.
    package private(set) var reason = HealthReason.none
    /// All that has made it worse since it was last healthy.
    package private(set) var reasons: HealthReasons = []
    package private(set) var since = Instant(nanoseconds: 0)
    package private(set) var hold = Hold.nobody
    /// How often the policy has parked it since it was last healthy.
    package private(set) var parks: UInt32 = 0
    /// When a parked device comes back; nil: not by time.
    package private(set) var parkedUntil: Instant?

    package init() {}

    /// What happens to it.
    package enum Input: Hashable, Sendable {
        /// Something that makes it suspect.
        case trouble(HealthReason)
        /// So much of it that the policy says what is done.
        case storm(HealthReason)
        /// No trouble for ``FaultPolicy/calmTime(of:)``.
        case calm
        /// ``parkedUntil`` has come.
        case parkTimeOver
        /// The vSMMU was reset.
        case reset
        case quarantine
        case release
        /// Another policy counts from now on.
        case policyChanged
    }

    /// What it becomes; nil: it stays as it is. One step: a storm makes a healthy context suspect, and parks a suspect one.
    package func next(_ input: Input, _ policy: FaultPolicy, at now: Instant) -> ContextHealth? {
        switch (input, state) {
        case (.trouble(let reason), .healthy), (.trouble(let reason), .recovered), (.storm(let reason), .healthy):
            changed(to: .suspect, reason, at: now)
        case (.trouble(let reason), .suspect): noting(reason)
        case (.storm(let reason), .suspect), (.storm(let reason), .recovered):
            if policy.action == .park {
                parked(reason, policy, at: now)
            } else {
                state == .recovered ? changed(to: .suspect, reason, at: now) : noting(reason)
            }
        case (.calm, .suspect), (.calm, .recovered): healthy(at: now)
        case (.parkTimeOver, .quarantined): if hold == .policy { recovered(.parkTime, at: now) } else { nil }
        case (.reset, .quarantined):
            if hold == .policy, policy.comesBack == .reset { recovered(.reset, at: now) } else { nil }
        case (.quarantine, _): if hold == .byOperator { nil } else { quarantined(at: now) }
        case (.release, .quarantined): recovered(.operatorOrder, at: now)
        case (.policyChanged, .quarantined): if hold == .policy { heldAnew(policy, at: now) } else { nil }
        // What is on ABORT is not looked at, what is healthy is calm, and nothing else holds anything.
        case (.trouble, .quarantined), (.storm, .quarantined), (.calm, _), (.parkTimeOver, _), (.reset, _),
            (.release, _),
            (.policyChanged, _):
            nil
        }
    }

    // MARK: Steps

    private func changed(to state: HealthNotice.State, _ reason: HealthReason, at now: Instant) -> ContextHealth {
        var next = self
        (next.state, next.reason, next.since) = (state, reason, now)
        (next.hold, next.parkedUntil) = (.nobody, nil)
        if reason.isTrouble { next.reasons.insert(HealthReasons(reason)) }
        return next
    }

    private func noting(_ reason: HealthReason) -> ContextHealth? {
        if reasons.contains(HealthReasons(reason)) { return nil }
        var next = self
        next.reasons.insert(HealthReasons(reason))
        return next
    }

    private func parked(_ reason: HealthReason, _ policy: FaultPolicy, at now: Instant) -> ContextHealth {
        var next = changed(to: .quarantined, reason, at: now)
        next.hold = .policy
        if next.parks < .max { next.parks += 1 }
        next.parkedUntil = next.end(by: policy)
        return next
    }

    private func quarantined(at now: Instant) -> ContextHealth {
        var next = changed(to: .quarantined, .operatorOrder, at: now)
        next.hold = .byOperator
        return next
    }

    private func recovered(_ reason: HealthReason, at now: Instant) -> ContextHealth {
        // An operator who releases a device is no reason to mistrust it.
        changed(to: .recovered, reason, at: now).keeping(reasons)
    }

    private func healthy(at now: Instant) -> ContextHealth {
        var next = changed(to: .healthy, .calm, at: now)
        (next.reasons, next.parks) = ([], 0)
        return next
    }

    private func heldAnew(_ policy: FaultPolicy, at now: Instant) -> ContextHealth? {
        if policy.action != .park { return recovered(.configuration, at: now) }
        var next = self
        next.parkedUntil = end(by: policy)
        return next.parkedUntil == parkedUntil ? nil : next
    }

    private func end(by policy: FaultPolicy) -> Instant? {
        policy.comesBack == .time ? since.advanced(byMilliseconds: policy.parkTime(parks)) : nil
    }

    private func keeping(_ reasons: HealthReasons) -> ContextHealth {
        var next = self
        next.reasons = reasons
        return next
    }
}

import BrokerCore
import Testing
import Wire

/// The states of a context's health: every input in every state.
@Suite("Health of a context") struct ContextHealthTests {
    static func policy(_ action: FaultPolicy.Action, _ comesBack: FaultPolicy.Return = .time) -> FaultPolicy {
        var policy = FaultPolicy()
        (policy.action, policy.comesBack) = (action, comesBack)
        (policy.parkMilliseconds, policy.maximumParkMilliseconds) = (1000, 5000)
        return policy
    }

    /// What it is after inputs, each a second after the one before, storms in two steps.
    private func after(_ inputs: [ContextHealth.Input], _ policy: FaultPolicy) -> ContextHealth {
        var health = ContextHealth()
        for (index, input) in inputs.enumerated() {
            for _ in 0..<2 {
                let now = Instant(nanoseconds: UInt64(index + 1) * 1_000_000_000)
                health = health.next(input, policy, at: now) ?? health
            }
        }
        return health
    }

    struct Row: Sendable, CustomStringConvertible {
        let inputs: [ContextHealth.Input]
        let action: FaultPolicy.Action
        var comesBack = FaultPolicy.Return.time
        let state: HealthNotice.State
        let reason: HealthReason
        var hold = ContextHealth.Hold.nobody
        var description: String { "\(action), \(comesBack): \(inputs)" }
    }

    private static let storm = ContextHealth.Input.storm(.eventStorm)
    private static let timeout = ContextHealth.Input.trouble(.atcTimeout)

    // A table: one line for each way.
    @Test(arguments: [
        Row(inputs: [], action: .park, state: .healthy, reason: .none),
        Row(inputs: [.calm, .release, .reset, .parkTimeOver], action: .park, state: .healthy, reason: .none),
        Row(inputs: [storm], action: .log, state: .suspect, reason: .eventStorm),
        Row(inputs: [storm, storm], action: .log, state: .suspect, reason: .eventStorm),
        Row(inputs: [storm], action: .sample, state: .suspect, reason: .eventStorm),
        Row(inputs: [storm, .calm], action: .log, state: .healthy, reason: .calm),
        Row(inputs: [storm], action: .park, state: .quarantined, reason: .eventStorm, hold: .policy),
        Row(inputs: [.storm(.atcTimeout)], action: .park, state: .quarantined, reason: .atcTimeout, hold: .policy),
        Row(inputs: [timeout], action: .park, state: .suspect, reason: .atcTimeout),
        Row(inputs: [.trouble(.slowATC)], action: .park, state: .suspect, reason: .slowATC),
        Row(inputs: [storm, .calm], action: .park, state: .quarantined, reason: .eventStorm, hold: .policy),
        Row(inputs: [storm, .parkTimeOver], action: .park, state: .recovered, reason: .parkTime),
        Row(inputs: [storm, .parkTimeOver, .calm], action: .park, state: .healthy, reason: .calm),
        Row(inputs: [storm, .parkTimeOver, timeout], action: .park, state: .suspect, reason: .atcTimeout),
        Row(
            inputs: [storm, .parkTimeOver, storm], action: .park, state: .quarantined, reason: .eventStorm,
            hold: .policy),
        Row(inputs: [storm, .reset], action: .park, state: .quarantined, reason: .eventStorm, hold: .policy),
        Row(inputs: [storm, .reset], action: .park, comesBack: .reset, state: .recovered, reason: .reset),
        Row(
            inputs: [storm, .reset], action: .park, comesBack: .byOperator, state: .quarantined, reason: .eventStorm,
            hold: .policy),
        Row(inputs: [storm, .release], action: .park, state: .recovered, reason: .operatorOrder),
        Row(inputs: [.quarantine], action: .log, state: .quarantined, reason: .operatorOrder, hold: .byOperator),
        Row(
            inputs: [.quarantine, storm, .parkTimeOver, .reset, .calm, .policyChanged], action: .park,
            comesBack: .reset, state: .quarantined, reason: .operatorOrder, hold: .byOperator),
        Row(
            inputs: [storm, .quarantine, .parkTimeOver], action: .park, state: .quarantined, reason: .operatorOrder,
            hold: .byOperator),
        Row(inputs: [.quarantine, .release], action: .log, state: .recovered, reason: .operatorOrder),
        Row(inputs: [.quarantine, .release, storm], action: .log, state: .suspect, reason: .eventStorm),
    ])
    func states(row: Row) {
        let health = after(row.inputs, Self.policy(row.action, row.comesBack))
        #expect(health.state == row.state)
        #expect(health.reason == row.reason)
        #expect(health.hold == row.hold)
    }

    @Test("Reasons are kept until it is healthy")
    func reasons() {
        let policy = Self.policy(.log)
        let inputs: [ContextHealth.Input] = [.trouble(.slowATC), .trouble(.atcTimeout), Self.storm]
        #expect(after(inputs, policy).reasons.known == [.eventStorm, .atcTimeout, .slowATC])
        #expect(after(inputs + [.quarantine, .release], policy).reasons.contains(HealthReasons(.operatorOrder)))
        #expect(after(inputs + [.calm], policy).reasons.isEmpty)
    }

    @Test("Each park since it was healthy takes twice as long, up to a bound")
    func doubling() throws {
        let policy = Self.policy(.park)
        var inputs: [ContextHealth.Input] = []
        for expected: UInt64 in [1000, 2000, 4000, 5000, 5000] {
            let health = after(inputs + [Self.storm], policy)
            #expect(health.parkedUntil == health.since.advanced(byMilliseconds: expected))
            inputs += [Self.storm, .parkTimeOver]
        }
        let health = after(inputs + [.calm, Self.storm], policy)
        #expect(health.parks == 1 && health.parkedUntil == health.since.advanced(byMilliseconds: 1000))
        var huge = policy
        (huge.parkMilliseconds, huge.maximumParkMilliseconds) = (1 << 40, .max)
        #expect(huge.parkTime(.max) == .max && huge.parkTime(0) == 1 << 40)
    }

    @Test("A policy that no longer parks, or for another time, counts for what is parked")
    func changedPolicy() throws {
        let health = after([Self.storm], Self.policy(.park))
        let now = Instant(nanoseconds: 9_000_000_000)
        let released = try #require(health.next(.policyChanged, Self.policy(.log), at: now))
        #expect(released.state == .recovered && released.reason == .configuration)
        let kept = try #require(health.next(.policyChanged, Self.policy(.park, .byOperator), at: now))
        #expect(kept.state == .quarantined && kept.parkedUntil == nil)
        #expect(health.next(.policyChanged, Self.policy(.park), at: now) == nil)
    }
}

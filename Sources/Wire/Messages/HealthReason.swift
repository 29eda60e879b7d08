/// Why a context's health changed: `enum smmu_broker_health_reason` of the header.
package enum HealthReason: UInt32, Hashable, Sendable, CaseIterable {
    case none = 0
    /// It faults more often than its grant takes for normal.
    case eventStorm = 1
    /// It did not answer an ATC invalidation in time.
    case atcTimeout = 2
    /// It answers ATC invalidations, but late.
    case slowATC = 3
    /// An operator said so.
    case operatorOrder = 4
    /// The host failed to do what the context needs.
    case hostFailure = 5
    /// It has been calm for long enough.
    case calm = 6
    /// Its time on ABORT is over.
    case parkTime = 7
    /// Its vSMMU was reset.
    case reset = 8
    /// The configuration no longer parks it.
    case configuration = 9

    /// Whether it is why things got worse.
    package var isTrouble: Bool {
        switch self {
        case .eventStorm, .atcTimeout, .slowATC, .operatorOrder, .hostFailure: true
        case .none, .calm, .parkTime, .reset, .configuration: false
        }
    }

    /// A word for metrics and JSON.
    package var name: String {
        switch self {
        case .none: "none"
        case .eventStorm: "event-storm"
        case .atcTimeout: "atc-timeout"
        case .slowATC: "slow-atc"
        case .operatorOrder: "operator"
        case .hostFailure: "host-failure"
        case .calm: "calm"
        case .parkTime: "park-time"
        case .reset: "reset"
        case .configuration: "configuration"
        }
    }
}

/// Several reasons at once: bit n is the reason n.
package struct HealthReasons: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package init(_ reason: HealthReason) { rawValue = reason == .none ? 0 : 1 << reason.rawValue }

    /// Those that this version knows, in the order of their numbers.
    package var known: [HealthReason] { HealthReason.allCases.filter { $0 != .none && contains(HealthReasons($0)) } }
}

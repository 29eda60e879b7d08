import BrokerCore
import SMMUv3
import Systemd
import Wire

extension HealthChange {
    /// What the journal has of it. Rare, and so it may make a string.
    func describe(in entry: inout NoticeEntry) {
        (entry.device, entry.vsmmu, entry.vsid) = (JournalName(device), key.vsmmu.rawValue, key.vsid.rawValue)
        (entry.health, entry.reason) = (health.state.name, health.reason.name)
        entry.count = health.reason == .eventStorm ? faults : 0
        entry.detail = why + howLong
    }

    private var why: String {
        switch health.reason {
        case .none: "no reason was given"
        case .eventStorm: "an event storm, \(faults) faults in a short time"
        case .atcTimeout: "it did not answer an ATC invalidation in time"
        case .slowATC: "it answers ATC invalidations late"
        case .operatorOrder: "an operator said so"
        case .hostFailure: "the host failed to do what it needs"
        case .calm: "it has been calm for long enough"
        case .parkTime: "its time on ABORT is over"
        case .reset: "its vSMMU was reset"
        case .configuration: "the configuration no longer parks it"
        }
    }

    private var howLong: String {
        guard health.state == .quarantined else { return "" }
        guard let end = health.parkedUntil else {
            return health.hold == .byOperator
                ? "; an operator releases it" : "; it comes back when its vSMMU is reset or an operator releases it"
        }
        let milliseconds = (end.nanoseconds - min(end.nanoseconds, health.since.nanoseconds)) / 1_000_000
        return "; it comes back in " + (milliseconds < 1000 ? "\(milliseconds) ms" : "\(milliseconds / 1000) s")
    }
}

import BrokerCore
import SMMUv3
package import Systemd
import Wire

/// What monitors and the journal were to have, and have had.
package struct FaultFlow: Sendable {
    package var monitors: [(id: UInt64, ledger: MonitorLedger)] = []
    package var endedMonitors = MonitorLedger()
    package var journal = JournalLoss()
    package init() {}

    var allMonitors: MonitorLedger {
        var sum = endedMonitors
        for monitor in monitors {
            sum.produced &+= monitor.ledger.produced
            sum.delivered &+= monitor.ledger.delivered
            sum.lost &+= monitor.ledger.lost
        }
        return sum
    }
}

// Faults and the health of devices, over all sessions, ended ones included.

extension Metrics {
    mutating func faults(
        _ faults: FaultCounters, _ ended: EndedSessions, _ sessions: [AdminSession], _ flow: FaultFlow
    ) {
        family("events_by_kind", "counter", "Event records read from the sources, by kind.")
        for index in 0..<FaultCounters.kinds where faults.events(at: index) > 0 {
            sample("events_by_kind_total", "kind=\"\(Self.kind(index))\"", faults.events(at: index))
        }
        family("merged_events", "counter", "Event records that monitors and the journal have in the count of another.")
        sample("merged_events_total", faults.merged)
        family("health_transitions", "counter", "Changes of devices' health, by what it became and why.")
        for state in HealthNotice.State.allCases {
            for reason in HealthReason.allCases where faults.changes(to: state, because: reason) > 0 {
                sample(
                    "health_transitions_total", "to=\"\(state.name)\",reason=\"\(reason.name)\"",
                    faults.changes(to: state, because: reason))
            }
        }
        losses(sessions.reduce(ended.counters) { $0 + $1.counters }, flow)
        family("monitor_events", "counter", "Faults that monitors were to have, by what became of them.")
        sample("monitor_events_total", "outcome=\"produced\"", flow.allMonitors.produced)
        sample("monitor_events_total", "outcome=\"delivered\"", flow.allMonitors.delivered)
        if flow.monitors.isEmpty { return }
        family("monitor_lost_events", "counter", "Faults that one monitor was too slow for.")
        for monitor in flow.monitors {
            sample("monitor_lost_events_total", "monitor=\"\(monitor.id)\"", monitor.ledger.lost)
        }
    }

    private mutating func losses(_ counters: AdminCounters, _ flow: FaultFlow) {
        let monitors = flow.allMonitors
        family("fault_losses", "counter", "Faults that did not reach a place, by place and reason.")
        for (place, reason, count) in [
            ("source", "overflow", counters.eventsLost), ("owner", "discarded", counters.eventsDiscarded),
            ("owner", "outdated", counters.eventsOutdated), ("monitor", "slow", monitors.lost),
            ("monitor", "ended", monitors.abandoned), ("journal", "rate-limit", counters.journalSuppressed),
            ("journal", "overflow", flow.journal.faults),
        ] { sample("fault_losses_total", "place=\"\(place)\",reason=\"\(reason)\"", count) }
        family("journal_lost_entries", "counter", "Entries of any kind that the journal was too slow for.")
        sample("journal_lost_entries_total", flow.journal.entries)
    }

    private static func kind(_ index: Int) -> String {
        if index == FaultCounters.kinds - 1 { return "other" }
        return EventID(rawValue: UInt8(index))?.name ?? "0x\(String(index, radix: 16))"
    }
}

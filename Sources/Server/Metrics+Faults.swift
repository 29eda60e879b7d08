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

extension MetricFamily {
    static func faults(_ totals: SeenTotals, _ flow: FaultFlow) -> [MetricFamily] {
        let (faults, counters, monitors) = (totals.faults, totals.counters, flow.allMonitors)
        let losses: [(place: String, reason: String, count: UInt64)] = [
            ("source", "overflow", counters.eventsLost), ("owner", "discarded", counters.eventsDiscarded),
            ("owner", "outdated", counters.eventsOutdated), ("monitor", "slow", monitors.lost),
            ("monitor", "ended", monitors.abandoned), ("journal", "rate-limit", counters.journalSuppressed),
            ("journal", "overflow", flow.journal.faults),
        ]
        return [
            MetricFamily(
                "merged_events", "counter", "Event records that monitors and the journal have in the count of another.",
                once: { $0.sample("_total", "", faults.merged) }),
            MetricFamily(
                "health_transitions", "counter", "Changes of devices' health, by what it became and why.",
                once: { transitions(faults, &$0) }),
            MetricFamily(
                "fault_losses", "counter", "Faults that did not reach a place, by place and reason.",
                once: { writer in
                    for loss in losses {
                        writer.sample("_total", "place=\"\(loss.place)\",reason=\"\(loss.reason)\"", loss.count)
                    }
                }),
            MetricFamily(
                "journal_lost_entries", "counter", "Entries of any kind that the journal was too slow for.",
                once: { $0.sample("_total", "", flow.journal.entries) }),
            MetricFamily(
                "monitor_events", "counter", "Faults that monitors were to have, by what became of them.",
                once: { writer in
                    writer.sample("_total", "outcome=\"produced\"", monitors.produced)
                    writer.sample("_total", "outcome=\"delivered\"", monitors.delivered)
                }),
            MetricFamily(
                "monitor_lost_events", "counter", "Faults that one monitor was too slow for.",
                once: { writer in
                    for monitor in flow.monitors {
                        writer.sample("_total", "monitor=\"\(monitor.id)\"", monitor.ledger.lost)
                    }
                }),
        ]
    }

    private static func transitions(_ faults: FaultCounters, _ writer: inout MetricsWriter) {
        for state in HealthNotice.State.allCases {
            for reason in HealthReason.allCases where faults.changes(to: state, because: reason) > 0 {
                writer.sample(
                    "_total", "to=\"\(state.name)\",reason=\"\(reason.name)\"",
                    faults.changes(to: state, because: reason))
            }
        }
    }

    static func host(_ heldBack: [HeldBack], _ totals: SeenTotals) -> [MetricFamily] {
        [
            MetricFamily(
                "held_back_devices", "gauge", "Devices that no session has and nobody gets, by why.",
                once: { writer in
                    for reason in AdminHeldDevice.Reason.allCases {
                        let count = heldBack.count { AdminHeldDevice($0).reason == reason }
                        writer.sample("", "reason=\"\(reason.name)\"", count)
                    }
                }),
            MetricFamily(
                "slow_host_calls", "counter", "Calls of the host that took 100 ms or more; pinning memory is none.",
                once: { $0.sample("_total", "", totals.slowCalls) }),
        ]
    }
}

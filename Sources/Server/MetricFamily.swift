import BrokerCore
import SMMUv3
import Wire

/// One family of metrics: its samples that are of no session, and then those of each session.
struct MetricFamily {
    let name: String
    let type: String
    let help: String
    var once: (inout MetricsWriter) -> Void = { _ in }
    var each: ((SeenSession, inout MetricsWriter) -> Void)?

    init(
        _ name: String, _ type: String, _ help: String, once: @escaping (inout MetricsWriter) -> Void = { _ in },
        each: ((SeenSession, inout MetricsWriter) -> Void)? = nil
    ) {
        (self.name, self.type, self.help, self.once, self.each) = (name, type, help, once, each)
    }

    private static func gauge(_ name: String, _ help: String, _ value: some BinaryInteger) -> MetricFamily {
        MetricFamily(name, "gauge", help, once: { $0.sample("", "", value) })
    }

    static func ofDaemon(_ status: AdminStatusReply, _ totals: SeenTotals) -> [MetricFamily] {
        let release = status.release?.description ?? ""
        let backend = status.backend?.description ?? ""
        let started = MetricsWriter.seconds(status.startedNanoseconds)
        let (applied, refused) = (status.reloads, status.refusedReloads)
        return [
            MetricFamily(
                "build", "info", "What the daemon is.",
                once: { $0.sample("_info", "version=\"\(release)\",backend=\"\(backend)\"", 1) }),
            MetricFamily(
                "start_time_seconds", "gauge", "When the daemon began, since 1970.",
                once: { $0.sample("", "", started) }),
            gauge("sessions", "Sessions at the moment.", totals.sessions),
            gauge("maximum_sessions", "Sessions that there may be.", status.maximumSessions),
            gauge("busy_sessions", "Sessions in one turn for more than a second.", totals.busy),
            gauge("monitors", "Monitors at the moment.", status.monitors),
            MetricFamily(
                "ended_sessions", "counter", "Sessions that have ended.",
                once: { $0.sample("_total", "", totals.ended) }),
            MetricFamily(
                "reloads", "counter", "Reloads of the configuration, by what came of them.",
                once: { writer in
                    writer.sample("_total", "outcome=\"applied\"", applied)
                    writer.sample("_total", "outcome=\"refused\"", refused)
                }),
        ]
    }

    private static let help: [String: String] = [
        "requests": "Requests of VMMs.", "refusals": "Requests that were refused.",
        "batches": "Batches of commands.", "commands": "Commands in them.",
        "ignored_commands": "Commands completed without reaching the backend.",
        "stes_installed": "STEs put into effect.",
        "resynchronizations": "vSMMUs invalidated as a whole after a failure.",
        "host_failures": "Calls of the host that failed.", "events": "Event records read from the sources.",
        "events_delivered": "Event records handed to VMMs.", "events_lost": "Event records lost by the sources.",
        "events_discarded": "Event records lost at a reset, with a vSMMU, or with a session.",
        "events_outdated": "Event records of before a reset that were kept out of a shared queue.",
        "journal_suppressed": "Event records kept out of the journal by the rate limit.",
    ]

    static func counters(_ totals: SeenTotals) -> [MetricFamily] {
        totals.counters.named.enumerated().flatMap { index, counter -> [MetricFamily] in
            let help = help[counter.name] ?? "Counted by that name."
            var families = [
                MetricFamily(counter.name, "counter", help, once: { $0.sample("_total", "", counter.value) })
            ]
            if totals.sessions > 0 {
                families.append(
                    MetricFamily(
                        "session_\(counter.name)", "counter", "By session: \(help)",
                        each: { seen, writer in writer.sample("_total", seen.labels, seen.counters[index].value) }))
            }
            return families
        }
    }

    // MARK: By kind

    private static let opcodes = Command.Opcode.allCases.map { (place: $0.place, label: "opcode=\"\($0.name)\"") }
    private static let kinds =
        EventID.allCases.map { (place: $0.place, label: "kind=\"\($0.name)\"") }
        + [(place: EventID.others, label: "kind=\"other\"")]

    static func tallies(_ totals: SeenTotals) -> [MetricFamily] {
        var families = [
            MetricFamily(
                "commands_by_opcode", "counter", "Commands taken from batches, of batches that failed too.",
                once: { writer in
                    for (place, label) in opcodes { writer.sample("_total", label, totals.tallies.opcodes[place]) }
                }),
            MetricFamily(
                "events_by_kind", "counter", "Event records read from the sources.",
                once: { writer in
                    for (place, label) in kinds { writer.sample("_total", label, totals.tallies.events[place]) }
                }),
        ]
        if totals.sessions == 0 { return families }
        families.append(
            MetricFamily(
                "session_commands_by_opcode", "counter", "By session: commands taken, of the kinds that there were.",
                each: { seen, writer in
                    for (place, label) in opcodes where seen.tallies.opcodes[place] > 0 {
                        writer.sample("_total", "\(seen.labels),\(label)", seen.tallies.opcodes[place])
                    }
                }))
        families.append(
            MetricFamily(
                "session_events_by_kind", "counter", "By session: event records, of the kinds that there were.",
                each: { seen, writer in
                    for (place, label) in kinds where seen.tallies.events[place] > 0 {
                        writer.sample("_total", "\(seen.labels),\(label)", seen.tallies.events[place])
                    }
                }))
        return families
    }

    // MARK: Latencies

    static func latencies(_ all: SessionLatencies) -> [MetricFamily] {
        [
            MetricFamily(
                "request_seconds", "histogram", "From when a session woke for a request until its reply was sent.",
                once: { writer in
                    writer.histogram(all.commands, "type=\"commands\",")
                    writer.histogram(all.stes, "type=\"ste_set\",")
                    writer.histogram(all.others, "type=\"other\",")
                }),
            MetricFamily(
                "event_delivery_seconds", "histogram",
                "From when a source was readable until its VMM had all events, once each time.",
                once: { $0.histogram(all.events, "") }),
        ]
    }

    // MARK: Sessions and contexts

    static var ofSessions: [MetricFamily] {
        [
            MetricFamily(
                "session_mapped_bytes", "gauge", "Guest memory that devices reach.",
                each: { $1.sample("", $0.labels, $0.session.mappedBytes) }),
            MetricFamily(
                "session_busy_seconds", "gauge", "How long it has been at what it does now.",
                each: { $1.sample("", $0.labels, MetricsWriter.seconds($0.session.busyNanoseconds)) }),
        ]
    }

    static func contexts(_ totals: SeenTotals) -> [MetricFamily] {
        var families = [
            MetricFamily(
                "contexts", "gauge", "Attached devices, by what happens to their traffic.",
                once: { for (state, count) in totals.states { $0.sample("", "state=\"\(state.name)\"", count) } }),
            MetricFamily(
                "context_health", "gauge", "Attached devices, by health.",
                once: { for (health, count) in totals.healths { $0.sample("", "health=\"\(health.name)\"", count) } }),
        ]
        if totals.states.allSatisfy({ $0.1 == 0 }) { return families }
        families.append(
            MetricFamily(
                "context_events", "counter", "Event records of one device.",
                each: { seen, writer in
                    for context in seen.contexts { writer.sample("_total", labels(seen, context), context.events) }
                }))
        families.append(
            MetricFamily(
                "context_stall_seconds", "summary", "How long a device's stalled transactions waited for answers.",
                each: { seen, writer in
                    for context in seen.contexts where context.stalls.count > 0 {
                        stalls(context.stalls, labels(seen, context), &writer)
                    }
                }))
        return families
    }

    private static func labels(_ seen: SeenSession, _ context: ContextSnapshot) -> String {
        "\(seen.labels),device=\"\(context.device)\""
    }

    private static func stalls(_ stalls: LatencyHistogram, _ labels: String, _ writer: inout MetricsWriter) {
        for (quantile, permille) in [("0.5", 500), ("0.99", 990), ("1", 1000)] as [(String, UInt64)] {
            let value = permille == 1000 ? stalls.maximum : stalls.quantile(permille: permille)
            writer.sample("", "\(labels),quantile=\"\(quantile)\"", MetricsWriter.seconds(value))
        }
        writer.sample("_count", labels, stalls.count)
        writer.sample("_sum", labels, MetricsWriter.seconds(stalls.sum))
    }
}

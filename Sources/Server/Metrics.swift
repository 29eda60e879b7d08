package import BrokerCore
package import Wire

/// What the daemon counts, as OpenMetrics text (version 1.0).
///
/// Counters without labels are of all sessions, those that have ended too, and so never go back; those with a session's
/// labels end with it.
package struct Metrics {
    package private(set) var text = ""

    /// `status`: what the host has said of itself.
    package init(
        _ status: AdminStatusReply, _ table: SessionTable, _ flow: FaultFlow = FaultFlow(), heldBack: [HeldBack] = [],
        at now: Instant
    ) {
        // A session's records are taken once, so that all lines speak of the same moment.
        let sessions = table.all.map {
            Seen(
                session: AdminSession($0, at: now), contexts: $0.contexts,
                slowCalls: $0.snapshot.counters.slowCalls)
        }
        let ended = table.ended
        daemon(status, sessions, ended)
        counters(sessions, ended)
        host(heldBack, sessions, ended)
        sessionGauges(sessions)
        contexts(sessions)
        faults(table.all.reduce(ended.faults) { $0 + $1.faults }, ended, sessions.map(\.session), flow)
        text += "# EOF\n"
    }

    private struct Seen {
        var session: AdminSession
        var contexts: [ContextSnapshot]
        var slowCalls: UInt64
        var labels: String {
            "session=\"\(session.id)\",vm=\"\(session.vm?.description ?? "")\""
        }
    }

    private static let prefix = "smmu_broker_"

    mutating func family(_ name: String, _ type: String, _ help: String) {
        text += "# TYPE \(Self.prefix)\(name) \(type)\n# HELP \(Self.prefix)\(name) \(help)\n"
    }

    mutating func sample(_ name: String, _ value: some BinaryInteger) { sample(name, "", value) }

    mutating func sample(_ name: String, _ labels: String, _ value: some BinaryInteger) {
        text += Self.prefix + name + (labels.isEmpty ? "" : "{\(labels)}") + " \(value)\n"
    }

    private mutating func gauge(_ name: String, _ help: String, _ value: some BinaryInteger) {
        family(name, "gauge", help)
        sample(name, value)
    }

    private mutating func daemon(_ status: AdminStatusReply, _ sessions: [Seen], _ ended: EndedSessions) {
        family("build", "info", "What the daemon is.")
        sample(
            "build_info",
            "version=\"\(status.release?.description ?? "")\",backend=\"\(status.backend?.description ?? "")\"", 1)
        family("start_time_seconds", "gauge", "When the daemon began, since 1970.")
        let (seconds, rest) = status.startedNanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        let milliseconds = "\(rest / 1_000_000)"
        text += "\(Self.prefix)start_time_seconds \(seconds)."
        text += String(repeating: "0", count: 3 - milliseconds.count) + milliseconds + "\n"
        gauge("sessions", "Sessions at the moment.", sessions.count)
        gauge("maximum_sessions", "Sessions that there may be.", status.maximumSessions)
        gauge("busy_sessions", "Sessions in one turn for more than a second.", sessions.count { $0.session.isStuck })
        gauge("monitors", "Monitors at the moment.", status.monitors)
        family("ended_sessions", "counter", "Sessions that have ended.")
        sample("ended_sessions_total", ended.count)
        family("reloads", "counter", "Reloads of the configuration, by what came of them.")
        sample("reloads_total", "outcome=\"applied\"", status.reloads)
        sample("reloads_total", "outcome=\"refused\"", status.refusedReloads)
    }

    private mutating func host(_ heldBack: [HeldBack], _ sessions: [Seen], _ ended: EndedSessions) {
        family("held_back_devices", "gauge", "Devices that no session has and nobody gets, by why.")
        for reason in AdminHeldDevice.Reason.allCases {
            sample(
                "held_back_devices", "reason=\"\(reason.name)\"",
                heldBack.count { AdminHeldDevice($0).reason == reason })
        }
        family("slow_host_calls", "counter", "Calls of the host that took 100 ms or more.")
        sample("slow_host_calls_total", sessions.reduce(ended.slowCalls) { $0 &+ $1.slowCalls })
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

    private mutating func counters(_ sessions: [Seen], _ ended: EndedSessions) {
        let total = sessions.reduce(ended.counters) { $0 + $1.session.counters }
        for (name, value) in total.named {
            let help = Self.help[name] ?? ""
            family(name, "counter", help)
            sample("\(name)_total", value)
            if sessions.isEmpty { continue }
            family("session_\(name)", "counter", "By session: \(help)")
            for seen in sessions {
                let value = seen.session.counters.named.first { $0.name == name }?.value ?? 0
                sample("session_\(name)_total", seen.labels, value)
            }
        }
    }

    private mutating func sessionGauges(_ sessions: [Seen]) {
        if sessions.isEmpty { return }
        family("session_mapped_bytes", "gauge", "Guest memory that devices reach.")
        for seen in sessions { sample("session_mapped_bytes", seen.labels, seen.session.mappedBytes) }
        family("session_busy_seconds", "gauge", "How long it has been at what it does now.")
        for seen in sessions {
            sample("session_busy_seconds", seen.labels, seen.session.busyNanoseconds / 1_000_000_000)
        }
    }

    private mutating func contexts(_ sessions: [Seen]) {
        family("contexts", "gauge", "Attached devices, by what happens to their traffic.")
        let all = sessions.flatMap(\.contexts)
        for state in ContextState.allCases {
            sample("contexts", "state=\"\(state.name)\"", all.count { $0.state == state })
        }
        family("context_health", "gauge", "Attached devices, by health.")
        for health in HealthNotice.State.allCases {
            sample("context_health", "health=\"\(health.name)\"", all.count { $0.health.state == health })
        }
        if all.isEmpty { return }
        family("context_events", "counter", "Event records of one device.")
        for seen in sessions {
            for context in seen.contexts {
                sample("context_events_total", "\(seen.labels),device=\"\(context.device)\"", context.events)
            }
        }
    }
}

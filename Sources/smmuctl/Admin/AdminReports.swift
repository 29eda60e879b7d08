import BrokerClient
import JSON
import SMMUv3
import Wire

/// How the daemon is doing, as text and as JSON.
struct StatusReport {
    let status: AdminStatusReply
    let files: [String]

    init(_ status: AdminClient.Status) { (self.status, files) = (status.reply, status.configurationFiles) }

    func text(_ style: Style) -> String {
        let counters = status.counters
        let release = "smmu-brokerd \(status.release?.description ?? "of an unknown release")"
        var table = TextTable()
        table.add("Process", "\(status.pid)")
        table.add("Since", "\(EventLine.timestamp(status.startedNanoseconds)) (\(duration(status.uptimeNanoseconds)))")
        table.add("Backend", status.backend?.description ?? "-")
        table.add("Epoch", status.epoch.rawValue.hexWord)
        table.add("Configuration", files.first.map(\.visible) ?? "built-in defaults")
        for file in files.dropFirst() { table.add("", file.visible) }
        table.add("Reloads", "\(status.reloads) done, \(status.refusedReloads) refused")
        table.add(
            "Sessions", "\(status.sessions) of at most \(status.maximumSessions), \(status.endedSessions) have ended")
        if status.busySessions > 0 {
            table.add("Busy", "\(status.busySessions) for more than a second", paint: style.bad)
        }
        table.add("Devices", "\(status.contexts) on \(status.vsmmus) vSMMUs")
        if status.heldBack > 0 {
            table.add("Held back", "\(status.heldBack) that nobody gets: see smmuctl list", paint: style.bad)
        }
        if status.suspectContexts > 0 || status.quarantinedContexts > 0 {
            table.add(
                "Health", "\(status.suspectContexts) devices suspect, \(status.quarantinedContexts) quarantined",
                paint: style.bad)
        }
        table.add("Monitors", "\(status.monitors)")
        table.add("Requests", "\(counters.requests), \(counters.refusals) refused")
        table.add(
            "Commands", "\(counters.commands) in \(counters.batches) batches, \(counters.ignoredCommands) ignored")
        table.add("STEs", "\(counters.stesInstalled) installed")
        table.add(
            "Events",
            "\(counters.events), \(counters.eventsDelivered) delivered, \(counters.eventsLost) lost by the source, "
                + "\(counters.eventsDiscarded) discarded",
            paint: style.bad(if: counters.eventsLost > 0))
        table.add(
            "Host failures", "\(counters.hostFailures), \(counters.resynchronizations) vSMMUs resynchronized",
            paint: style.bad(if: counters.hostFailures > 0))
        return ([style.bold(release)] + table.lines(indent: 2)).joined(separator: "\n")
    }

    var json: JSONValue {
        .object(
            JSONObject([
                ("release", .name(status.release)), ("pid", JSONValue(UInt64(status.pid))),
                ("started", .string(EventLine.timestamp(status.startedNanoseconds))),
                ("uptimeSeconds", JSONValue(status.uptimeNanoseconds / 1_000_000_000)),
                ("backend", .name(status.backend)), ("epoch", .hex(status.epoch.rawValue)),
                ("configurationFiles", .array(files.map { .string($0) })),
                ("reloads", JSONValue(UInt64(status.reloads))),
                ("refusedReloads", JSONValue(UInt64(status.refusedReloads))),
                ("sessions", JSONValue(UInt64(status.sessions))),
                ("maximumSessions", JSONValue(UInt64(status.maximumSessions))),
                ("endedSessions", JSONValue(status.endedSessions)),
                ("busySessions", JSONValue(UInt64(status.busySessions))),
                ("vsmmus", JSONValue(UInt64(status.vsmmus))), ("contexts", JSONValue(UInt64(status.contexts))),
                ("heldBack", JSONValue(UInt64(status.heldBack))),
                ("suspectContexts", JSONValue(UInt64(status.suspectContexts))),
                ("quarantinedContexts", JSONValue(UInt64(status.quarantinedContexts))),
                ("monitors", JSONValue(UInt64(status.monitors))), ("counters", status.counters.json),
            ]))
    }
}

/// All sessions, as a table and as JSON.
struct SessionListReport {
    let sessions: [AdminSession]
    var heldBack: [AdminHeldDevice] = []

    func text(_ style: Style, legend: Bool = true) -> String {
        var table = TextTable()
        let titles = [
            "SESSION", "VM", "PID", "GRANT", "VSMMUS", "DEVICES", "MEMORY", "COMMANDS", "EVENTS", "HEALTH", "STATE",
        ]
        if legend && !sessions.isEmpty { table.add(titles, paint: style.bold) }
        for session in sessions {
            table.add(
                [
                    "\(session.id)", session.vm?.description ?? "-", "\(session.pid)",
                    session.grant?.description ?? "-", "\(session.vsmmus)", "\(session.contexts)",
                    size(session.mappedBytes), "\(session.counters.commands)", "\(session.counters.events)",
                    session.healthText, session.stateText,
                ], paint: style.bad(if: session.isStuck || session.quarantinedContexts > 0))
        }
        var lines = table.lines(indent: 0)
        if legend {
            if !sessions.isEmpty { lines.append("") }
            lines.append("\(sessions.count) \(sessions.count == 1 ? "session" : "sessions").")
        }
        lines += heldBack.map { style.bad($0.sentence) }
        return lines.joined(separator: "\n")
    }

    var json: JSONValue {
        .object(
            JSONObject([
                ("sessions", .array(sessions.map(\.json))), ("heldBack", .array(heldBack.map(\.json))),
            ]))
    }
}

/// One session and its devices, as text and as JSON.
struct SessionReport {
    let shown: AdminClient.Shown

    func text(_ style: Style) -> String {
        let session = shown.session
        var table = TextTable()
        table.add("Process", "\(session.pid), uid \(session.uid)")
        table.add("Grant", session.grant?.description ?? "-")
        table.add("State", session.stateText, paint: style.bad(if: session.isStuck))
        table.add("Memory", "\(size(session.mappedBytes)) in \(session.maps) maps")
        for (name, value) in session.counters.named { table.add(Self.title(name), "\(value)") }
        let title = "Session \(session.id): \(session.vm?.description ?? "no HELLO yet")"
        return ([style.bold(title)] + table.lines(indent: 2) + [""] + devices(style)).joined(separator: "\n")
    }

    private func devices(_ style: Style) -> [String] {
        var table = TextTable()
        let titles = ["DEVICE", "VSMMU", "VSID", "SMMU", "STREAM", "STATE", "HEALTH", "STES", "EVENTS"]
        if !shown.contexts.isEmpty { table.add(titles, paint: style.bold) }
        for context in shown.contexts {
            let isBad = context.health == .quarantined || context.flags.contains(.vsmmuFailed)
            table.add(
                [
                    context.device?.description ?? "-", "\(context.vsmmu)", "\(context.vsid.rawValue)",
                    context.smmu?.description ?? "-", "\(context.physicalStream.rawValue)", context.stateText,
                    context.healthText, "\(context.stesInstalled)", "\(context.events)",
                ], paint: style.bad(if: isBad))
        }
        let count = shown.contexts.count
        let stalls = shown.contexts.filter { $0.stalls.count > 0 }.map {
            "Stalled transactions of \($0.device?.description ?? "-"): \($0.stalls.text)."
        }
        return table.lines(indent: 0) + (count > 0 ? [""] : []) + stalls + [
            "\(count) \(count == 1 ? "device" : "devices")."
        ]
    }

    /// `stes_installed` as "STEs installed".
    private static func title(_ name: String) -> String {
        let words = name.split(separator: "_").joined(separator: " ")
        return words.hasPrefix("stes") ? "STEs" + words.dropFirst(4) : words.prefix(1).uppercased() + words.dropFirst()
    }

    var json: JSONValue {
        var object = shown.session.jsonObject
        object["devices"] = .array(shown.contexts.map(\.json))
        return .object(object)
    }
}

/// `1.5 GiB`, for people.
func size(_ bytes: UInt64) -> String {
    var (value, unit) = (bytes, 0)
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    while value >= 1024, value % 1024 == 0 || value >= 10 * 1024 {
        value /= 1024
        unit += 1
    }
    return "\(value) \(units[unit])"
}

/// `2 d 3 h`, for people: the two largest units.
func duration(_ nanoseconds: UInt64) -> String {
    let seconds = nanoseconds / 1_000_000_000
    if seconds >= 86400 { return "\(seconds / 86400) d \(seconds / 3600 % 24) h" }
    if seconds >= 3600 { return "\(seconds / 3600) h \(seconds / 60 % 60) min" }
    if seconds >= 60 { return "\(seconds / 60) min \(seconds % 60) s" }
    if seconds > 0 { return "\(seconds) s" }
    return "\(nanoseconds / 1_000_000) ms"
}

extension AdminSession {
    var isStuck: Bool { busyNanoseconds > 1_000_000_000 }
    fileprivate var healthText: String {
        if quarantinedContexts > 0 { return "\(quarantinedContexts) quarantined" }
        return suspectContexts > 0 ? "\(suspectContexts) suspect" : "good"
    }
    fileprivate var stateText: String { isStuck ? "busy for \(duration(busyNanoseconds))" : "ready" }

    fileprivate var jsonObject: JSONObject {
        JSONObject([
            ("session", JSONValue(id)), ("vm", .name(vm)), ("grant", .name(grant)), ("pid", JSONValue(UInt64(pid))),
            ("uid", JSONValue(UInt64(uid))), ("vsmmus", JSONValue(UInt64(vsmmus))),
            ("contexts", JSONValue(UInt64(contexts))), ("maps", JSONValue(UInt64(maps))),
            ("suspectContexts", JSONValue(UInt64(suspectContexts))),
            ("quarantinedContexts", JSONValue(UInt64(quarantinedContexts))),
            ("mappedBytes", JSONValue(mappedBytes)), ("busyNanoseconds", JSONValue(busyNanoseconds)),
            ("counters", counters.json),
        ])
    }
    fileprivate var json: JSONValue { .object(jsonObject) }
}

extension AdminCounters {
    fileprivate var json: JSONValue { .object(JSONObject(named.map { ($0.name, JSONValue($0.value)) })) }
}

extension AdminLatency {
    /// What is known is in which power of two nanoseconds a quantile lies.
    fileprivate var text: String {
        "\(count) answered, half within \(Self.text(median)), 99 % within \(Self.text(percentile99)), the longest after "
            + Self.text(maximum)
    }

    /// `1.204 ms`.
    private static func text(_ nanoseconds: UInt64) -> String {
        let rest = String(nanoseconds / 1000 % 1000)
        return "\(nanoseconds / 1_000_000).\(String(repeating: "0", count: 3 - rest.count))\(rest) ms"
    }

    fileprivate var json: JSONValue {
        [
            "count": JSONValue(count), "p50Nanoseconds": JSONValue(median),
            "p99Nanoseconds": JSONValue(percentile99), "maximumNanoseconds": JSONValue(maximum),
        ]
    }
}

extension AdminContext {
    fileprivate var stateText: String {
        if flags.contains(.vsmmuFailed) { return "abort: vSMMU failed" }
        if flags.contains(.illegal) { return "abort: STE is ILLEGAL" }
        return state.name
    }

    /// `quarantined: event-storm, for 3 s, 27 s to go`.
    fileprivate var healthText: String {
        guard healthReason != .none else { return health.name }
        let rest = parkedNanoseconds > 0 ? ", \(duration(parkedNanoseconds)) to go" : ""
        return "\(health.name): \(healthReason.name), for \(duration(healthNanoseconds))\(rest)"
    }

    fileprivate var json: JSONValue {
        .object(
            JSONObject([
                ("device", .name(device)), ("vsmmu", JSONValue(UInt64(vsmmu.rawValue))),
                ("vsid", JSONValue(UInt64(vsid.rawValue))), ("smmu", .name(smmu)),
                ("physicalStream", JSONValue(UInt64(physicalStream.rawValue))), ("state", .string(state.name)),
                ("illegal", .bool(flags.contains(.illegal))), ("vsmmuEnabled", .bool(flags.contains(.vsmmuEnabled))),
                ("vsmmuFailed", .bool(flags.contains(.vsmmuFailed))), ("health", .string(health.name)),
                ("healthReason", .string(healthReason.name)),
                ("healthReasons", .array(healthReasons.known.map { .string($0.name) })),
                ("healthNanoseconds", JSONValue(healthNanoseconds)),
                ("parkedNanoseconds", JSONValue(parkedNanoseconds)),
                ("stesInstalled", JSONValue(stesInstalled)), ("events", JSONValue(events)),
                ("ste", .hexWords([word0, word1])), ("stalls", stalls.json),
            ]))
    }
}

extension Style {
    /// What marks a line that is bad, and leaves any other as it is.
    fileprivate func bad(if isBad: Bool) -> (String) -> String {
        { (text: String) -> String in isBad ? bad(text) : text }
    }
}

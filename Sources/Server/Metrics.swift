package import BrokerCore
import SMMUv3
package import Wire

/// What the daemon counts, as OpenMetrics text (version 1.0), made in bounded steps: one is a turn of the main loop.
///
/// Counters without a session's labels are of all sessions, those that have ended too, and so never go back; those with
/// them end with it.
package struct Metrics {
    /// Samples of one step, but for what is left of the session that it is at: at most six for each of its contexts.
    package static let samplesInStep = 512

    package private(set) var text = ""
    package private(set) var isComplete = false

    private let sessions: [SeenSession]
    private var families: [MetricFamily] = []
    private var family = 0
    private var session = 0

    /// `status`: what the host has said of itself. A session's records are taken here and once, so that all lines speak of
    /// the same moment.
    package init(
        _ status: AdminStatusReply, _ table: SessionTable, _ flow: FaultFlow = FaultFlow(), heldBack: [HeldBack] = [],
        at now: Instant
    ) {
        sessions = table.all.map { SeenSession($0, at: now) }
        let totals = SeenTotals(sessions, table.ended)
        families = MetricFamily.ofDaemon(status, totals) + MetricFamily.counters(totals)
        families += MetricFamily.tallies(totals) + MetricFamily.latencies(totals.latencies)
        if !sessions.isEmpty { families += MetricFamily.ofSessions }
        families += MetricFamily.contexts(totals) + MetricFamily.host(heldBack, totals)
        families += MetricFamily.faults(totals, flow)
    }

    /// Writes so many samples; false when the text is complete.
    package mutating func step() -> Bool {
        var writer = MetricsWriter()
        swap(&writer.text, &text)
        defer { swap(&writer.text, &text) }
        while family < families.count {
            let current = families[family]
            writer.name(current)
            if session == 0 {
                writer.begin(current)
                current.once(&writer)
            }
            if let each = current.each {
                while session < sessions.count, writer.samples < Self.samplesInStep {
                    each(sessions[session], &writer)
                    session += 1
                }
                if session < sessions.count { return true }
            }
            (family, session) = (family + 1, 0)
            if writer.samples >= Self.samplesInStep, family < families.count { return true }
        }
        if !isComplete { writer.text += "# EOF\n" }
        isComplete = true
        return false
    }

    /// All of it at once.
    package mutating func finish() -> String {
        while step() {}
        return text
    }
}

/// Text, and how many samples have been added to it.
struct MetricsWriter {
    var text = ""
    private(set) var samples = 0
    private var name = ""
    static let prefix = "smmu_broker_"

    /// Samples are of this family from now on.
    mutating func name(_ family: MetricFamily) { name = Self.prefix + family.name }

    mutating func begin(_ family: MetricFamily) {
        text += "# TYPE \(name) \(family.type)\n# HELP \(name) \(family.help)\n"
    }

    /// A sample of the family that was named; `suffix` is that of its type.
    mutating func sample(_ suffix: String = "", _ labels: String = "", _ value: String) {
        text += name + suffix + (labels.isEmpty ? "" : "{\(labels)}") + " \(value)\n"
        samples += 1
    }

    mutating func sample(_ suffix: String = "", _ labels: String = "", _ value: some BinaryInteger) {
        sample(suffix, labels, String(value))
    }

    /// All samples of one histogram; `labels` end with a comma, or are empty.
    mutating func histogram(_ histogram: LatencyHistogram, _ labels: String) {
        for index in 0..<LatencyHistogram.bounded {
            let bound = Self.seconds(LatencyHistogram.bound(index))
            sample("_bucket", "\(labels)le=\"\(bound)\"", histogram.count(upTo: index))
        }
        let count = histogram.count
        sample("_bucket", "\(labels)le=\"+Inf\"", count)
        let others = String(labels.dropLast())
        sample("_count", others, count)
        sample("_sum", others, Self.seconds(histogram.sum))
    }

    /// Nanoseconds as seconds, exactly: `0.000001024`.
    static func seconds(_ nanoseconds: UInt64) -> String {
        let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        let digits = String(rest)
        return "\(seconds).\(String(repeating: "0", count: 9 - digits.count))\(digits)"
    }
}

/// One session at the moment that all lines speak of.
struct SeenSession {
    let session: AdminSession
    let counters: [(name: String, value: UInt64)]
    let contexts: [ContextSnapshot]
    let tallies: SessionTallies
    let latencies: SessionLatencies
    let faults: FaultCounters
    let slowCalls: UInt64
    let labels: String

    init(_ handle: SessionHandle, at now: Instant) {
        session = AdminSession(handle, at: now)
        (contexts, tallies, latencies) = (handle.contexts, handle.tallies, handle.latencies)
        (faults, slowCalls) = (handle.faults, handle.snapshot.counters.slowCalls)
        counters = session.counters.named
        labels = "session=\"\(session.id)\",vm=\"\(session.vm?.description ?? "")\""
    }
}

/// All sessions together, ended ones included.
struct SeenTotals {
    let sessions: Int
    let busy: Int
    let ended: UInt64
    let counters: AdminCounters
    let tallies: SessionTallies
    let latencies: SessionLatencies
    let faults: FaultCounters
    let slowCalls: UInt64
    let states: [(ContextState, Int)]
    let healths: [(HealthNotice.State, Int)]

    init(_ all: [SeenSession], _ ended: EndedSessions) {
        (sessions, self.ended) = (all.count, ended.count)
        busy = all.count { $0.session.isStuck }
        counters = all.reduce(ended.counters) { $0 + $1.session.counters }
        tallies = all.reduce(ended.tallies) { $0 + $1.tallies }
        latencies = all.reduce(ended.latencies) { $0 + $1.latencies }
        faults = all.reduce(ended.faults) { $0 + $1.faults }
        slowCalls = all.reduce(ended.slowCalls) { $0 &+ $1.slowCalls }
        states = ContextState.allCases.map { state in
            (state, all.reduce(0) { $0 + $1.contexts.count { $0.state == state } })
        }
        healths = HealthNotice.State.allCases.map { health in
            (health, all.reduce(0) { $0 + $1.contexts.count { $0.health.state == health } })
        }
    }
}

import JSON
import SMMUv3
import Wire

/// One line for each thing that happened.
enum EventLine {
    static func text(_ event: MonitorEvent, _ style: Style) -> String {
        var words = [
            timestamp(event.time), event.vm?.description ?? "-", event.device?.description ?? "-",
            style.bad(event.record.name), "vsid \(event.vsid.rawValue)",
        ]
        if let substream = event.record.substreamID { words.append("ssid \(substream.rawValue)") }
        if event.record.hasAddress {
            words.append("\(event.record.read ? "read" : "write") at \(event.record.words[2].hex)")
        }
        if let tag = event.record.stallTag, event.record.hasAddress { words.append("stalled, tag \(tag)") }
        if event.faults > 1 { words.append(repetition(of: event)) }
        return words.joined(separator: "  ") + style.dim("  (\(event.record.meaning))")
    }

    /// `40 times in 2 s`, or of a sample `the last of 40 of its kind in 2 s`.
    private static func repetition(of event: MonitorEvent) -> String {
        let span = duration(event.time - min(event.time, event.firstTime))
        return event.isSample
            ? "the last of \(event.faults) of its kind in \(span)" : "\(event.faults) times in \(span)"
    }

    static func text(_ notice: MonitorNotice, _ style: Style) -> String {
        var words = [timestamp(notice.time), notice.vm?.description ?? "session \(notice.session)"]
        if let device = notice.device { words.append(device.description) }
        words.append(sentence(notice))
        return words.joined(separator: "  ")
    }

    static func text(lost loss: MonitorLoss, _ style: Style) -> String {
        let notices = loss.notices == 0 ? "" : " and \(loss.notices) notices"
        return style.bad("\(loss.faults) faults\(notices) left out: this command was too slow for them")
    }

    private static func sentence(_ notice: MonitorNotice) -> String {
        switch notice.kind {
        case .began: "session \(notice.session) began"
        case .ended: "session \(notice.session) ended"
        case .attached: "attached to vSMMU \(notice.vsmmu) as vsid \(notice.vsid.rawValue)"
        case .detached: "detached"
        case .eventsLost: "the source of vSMMU \(notice.vsmmu) lost \(notice.count) events"
        case .resynchronized: "the host failed; vSMMU \(notice.vsmmu) has been invalidated as a whole"
        case .vsmmuFailed: "vSMMU \(notice.vsmmu) failed: its devices abort until it is reset"
        case .deviceTimedOut: "a device of vSMMU \(notice.vsmmu) did not answer an ATC invalidation"
        case .health:
            notice.reason == .none ? "is \(notice.state.name)" : "is \(notice.state.name): \(notice.reason.sentence)"
        case nil: "notice \(notice.kindCode) of a newer broker"
        }
    }

    // MARK: JSON

    static func json(_ event: MonitorEvent) -> JSONValue {
        var object = JSONObject([
            ("kind", "event"), ("time", .string(timestamp(event.time))), ("session", JSONValue(event.session)),
            ("vm", .name(event.vm)), ("device", .name(event.device)),
            ("vsmmu", JSONValue(UInt64(event.vsmmu.rawValue))),
            ("generation", JSONValue(UInt64(event.generation.rawValue))),
            ("sequence", JSONValue(event.sequence.rawValue)), ("event", .string(event.record.name)),
            ("vsid", JSONValue(UInt64(event.vsid.rawValue))),
        ])
        if let substream = event.record.substreamID { object["ssid"] = JSONValue(UInt64(substream.rawValue)) }
        if event.record.hasAddress {
            object["iova"] = .hex(event.record.words[2])
            object["access"] = event.record.read ? "read" : "write"
        }
        object["words"] = .hexWords(event.record.words.array)
        object["faults"] = JSONValue(event.faults)
        if event.faults > 1 { object["first"] = .string(timestamp(event.firstTime)) }
        if event.isSample { object["sample"] = .bool(true) }
        return .object(object)
    }

    static func json(_ notice: MonitorNotice) -> JSONValue {
        .object(
            JSONObject([
                ("kind", .string(notice.kind.map { "\($0)" } ?? "\(notice.kindCode)")),
                ("time", .string(timestamp(notice.time))), ("session", JSONValue(notice.session)),
                ("vm", .name(notice.vm)), ("device", .name(notice.device)),
                ("vsmmu", JSONValue(UInt64(notice.vsmmu.rawValue))), ("vsid", JSONValue(UInt64(notice.vsid.rawValue))),
                ("count", JSONValue(notice.count)), ("health", .string(notice.state.name)),
                ("reason", .string(notice.reason.name)),
                ("reasons", .array(notice.reasons.known.map { .string($0.name) })),
            ]))
    }

    static func json(lost loss: MonitorLoss) -> JSONValue {
        ["kind": "lost", "count": JSONValue(loss.faults), "notices": JSONValue(loss.notices)]
    }

    // MARK: Time

    /// `2026-11-22T21:50:00.123456Z` of nanoseconds since 1970.
    static func timestamp(_ nanoseconds: UInt64) -> String {
        let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        let (days, second) = seconds.quotientAndRemainder(dividingBy: 86400)
        let (year, month, day) = date(ofDay: days)
        func digits(_ number: UInt64, _ count: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        return "\(digits(year, 4))-\(digits(month, 2))-\(digits(day, 2))T\(digits(second / 3600, 2)):"
            + "\(digits(second / 60 % 60, 2)):\(digits(second % 60, 2)).\(digits(rest / 1000, 6))Z"
    }

    /// The Gregorian date of a day since 1970, by eras of 400 years that begin in March, when the leap day is at the end.
    private static func date(ofDay days: UInt64) -> (year: UInt64, month: UInt64, day: UInt64) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }
}

extension EventRecord {
    /// Whether its InputAddr is one, with the direction of the access.
    fileprivate var hasAddress: Bool {
        let names = id?.fields.map(\.name) ?? []
        return names.contains("InputAddr") && names.contains("RnW")
    }
}

extension JSONValue {
    static func name(_ name: Name?) -> JSONValue { name.map { .string($0.description) } ?? .null }
}

extension HealthReason {
    /// For people, behind a colon.
    var sentence: String {
        switch self {
        case .none: "nobody said why"
        case .eventStorm: "an event storm"
        case .atcTimeout: "an ATC invalidation without an answer"
        case .slowATC: "late answers to ATC invalidations"
        case .operatorOrder: "an operator said so"
        case .hostFailure: "a failure of the host"
        case .calm: "it has been calm"
        case .parkTime: "its time on ABORT is over"
        case .reset: "its vSMMU was reset"
        case .configuration: "another configuration"
        }
    }
}

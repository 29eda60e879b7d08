import JSON

/// Rates as a table and as JSON.
struct RatesReport {
    let rates: Rates

    /// - Parameter rows: of the terminal; lines beyond them are left out.
    func lines(_ style: Style, rows: Int? = nil) -> [String] {
        let count = rates.sessions.count
        let seconds = Self.number(rates.interval)
        let title = "\(count) \(count == 1 ? "session" : "sessions"), rates per second over \(seconds) s"
        var table = TextTable()
        let titles = ["SESSION", "VM", "DEVICE", "REQUESTS", "COMMANDS", "STES", "EVENTS", "LOST", "BUSY"]
        if count > 0 { table.add(titles, paint: style.bold) }
        for session in rates.sessions {
            let isStuck = session.busyNanoseconds > 1_000_000_000
            let isBad = isStuck || session.lost > 0
            let numbers = [session.requests, session.commands, session.stes, session.events, session.lost]
            let busy = session.busyNanoseconds > 0 ? duration(session.busyNanoseconds) : "-"
            table.add(["\(session.id)", session.vm, ""] + numbers.map(Self.number) + [busy]) {
                isBad ? style.bad($0) : $0
            }
            for device in session.devices {
                table.add(["", "", device.device, "", "", Self.number(device.stes), Self.number(device.events)])
            }
        }
        let lines = [title] + (count > 0 ? [""] + table.lines(indent: 0) : [])
        return rows.map { Array(lines.prefix($0)) } ?? lines
    }

    /// With one digit behind the point below 100, without digits above.
    static func number(_ value: Double) -> String {
        guard value.isFinite, value < 1e15 else { return "-" }
        if value >= 99.95 { return "\(UInt64(value.rounded()))" }
        let tenths = UInt64((value * 10).rounded())
        return tenths == 0 && value > 0 ? "<0.1" : "\(tenths / 10).\(tenths % 10)"
    }

    var json: JSONValue {
        .object(
            JSONObject([
                ("interval", .double(rates.interval)), ("sessions", .array(rates.sessions.map(\.json))),
            ]))
    }
}

extension Rates.SessionRates {
    fileprivate var json: JSONValue {
        .object(
            JSONObject([
                ("session", JSONValue(id)), ("vm", .string(vm)), ("requests", .double(requests)),
                ("commands", .double(commands)), ("stes", .double(stes)), ("events", .double(events)),
                ("lost", .double(lost)), ("busyNanoseconds", JSONValue(busyNanoseconds)),
                (
                    "devices",
                    .array(
                        devices.map {
                            ["device": .string($0.device), "stes": .double($0.stes), "events": .double($0.events)]
                        })
                ),
            ]))
    }
}

import BrokerClient
import LinuxSystem
import Wire

/// All sessions with their devices at one time.
struct Snapshot {
    var time: MonotonicTime
    var sessions: [AdminClient.Shown]

    /// Asks for the sessions one after the other; one that ends meanwhile is left out.
    init(_ client: AdminClient) throws(BrokerError) {
        var shown: [AdminClient.Shown] = []
        for session in try client.sessions() {
            do { shown.append(try client.show(session.id)) } catch {
                if error.reason != .unknownSession { throw error }
            }
        }
        (time, sessions) = (.now, shown)
    }

    init(time: MonotonicTime, sessions: [AdminClient.Shown]) { (self.time, self.sessions) = (time, sessions) }
}

/// How much happened per second between two snapshots.
struct Rates: Equatable {
    var interval: Double
    var sessions: [SessionRates]

    struct SessionRates: Equatable {
        var id: UInt64
        var vm: String
        var requests: Double
        var commands: Double
        var stes: Double
        var events: Double
        var lost: Double
        /// How long it has been at what it does, in nanoseconds; 0: it waits.
        var busyNanoseconds: UInt64
        var devices: [DeviceRates]
    }

    struct DeviceRates: Equatable {
        var device: String
        var stes: Double
        var events: Double
    }

    /// A session or a device that is only in the second snapshot began between them, at 0. So did one whose counters went
    /// back: the broker was started anew and gave its number to another.
    init(from old: Snapshot, to new: Snapshot) {
        let nanoseconds = new.time > old.time ? new.time.nanoseconds - old.time.nanoseconds : 0
        let seconds = Double(nanoseconds) / 1e9
        func rate(_ new: UInt64, _ old: UInt64?) -> Double {
            let old = old ?? 0
            return seconds > 0 ? Double(new >= old ? new - old : new) / seconds : 0
        }
        interval = seconds
        sessions = new.sessions.map { shown in
            let (session, counters) = (shown.session, shown.session.counters)
            let before = old.sessions.first { $0.session.id == session.id && $0.session.pid == session.pid }
            let was = before?.session.counters
            return SessionRates(
                id: session.id, vm: session.vm?.description ?? "-", requests: rate(counters.requests, was?.requests),
                commands: rate(counters.commands, was?.commands),
                stes: rate(counters.stesInstalled, was?.stesInstalled), events: rate(counters.events, was?.events),
                lost: rate(counters.eventsLost, was?.eventsLost), busyNanoseconds: session.busyNanoseconds,
                devices: shown.contexts.map { context in
                    let was = before?.contexts.first { $0.device == context.device && $0.vsmmu == context.vsmmu }
                    return DeviceRates(
                        device: context.device?.description ?? "-",
                        stes: rate(context.stesInstalled, was?.stesInstalled), events: rate(context.events, was?.events)
                    )
                })
        }
    }
}

/// What `top` can sort by.
enum RateColumn: String, CaseIterable {
    case vm, requests, commands, stes, events, lost, busy
}

extension Rates {
    /// The largest first, names from A; equal ones by number and name.
    mutating func sort(by column: RateColumn) {
        func value(_ session: SessionRates) -> Double {
            switch column {
            case .vm: 0
            case .requests: session.requests
            case .commands: session.commands
            case .stes: session.stes
            case .events: session.events
            case .lost: session.lost
            case .busy: Double(session.busyNanoseconds)
            }
        }
        func value(_ device: DeviceRates) -> Double {
            switch column {
            case .stes: device.stes
            case .events: device.events
            default: 0
            }
        }
        sessions.sort { a, b in
            if value(a) != value(b) { return value(a) > value(b) }
            return column == .vm && a.vm != b.vm ? a.vm < b.vm : a.id < b.id
        }
        for index in sessions.indices {
            sessions[index].devices.sort { a, b in
                value(a) == value(b) ? a.device < b.device : value(a) > value(b)
            }
        }
    }
}

import Wire

/// Records that go into one packet: all events, all notices, or one count. Its memory is used again and again.
struct MonitorBatch {
    private(set) var events: [MonitorEvent] = []
    private(set) var notices: [MonitorNotice] = []
    private(set) var lost: MonitorLoss?
    /// Those that its events stand for.
    private(set) var faults: UInt64 = 0

    init() {
        events.reserveCapacity(AdminLimits.records)
        notices.reserveCapacity(AdminLimits.records)
    }

    var isEmpty: Bool { events.isEmpty && notices.isEmpty && lost == nil }

    mutating func clear() {
        events.removeAll(keepingCapacity: true)
        notices.removeAll(keepingCapacity: true)
        (lost, faults) = (nil, 0)
    }

    func accepts(_ record: MonitorRecord) -> Bool {
        if lost != nil { return false }
        switch record {
        case .event: return notices.isEmpty && events.count < AdminLimits.records
        case .notice: return events.isEmpty && notices.count < AdminLimits.records
        case .lost: return isEmpty
        }
    }

    mutating func add(_ record: MonitorRecord) {
        switch record {
        case .event(let event):
            events.append(event)
            faults &+= event.faults
        case .notice(let notice): notices.append(notice)
        case .lost(let loss): lost = loss
        }
    }

    /// Writes the packet and returns its length.
    func encode(_ sequence: UInt64, into packet: inout MutableRawSpan) -> Int {
        if let lost { return MonitorMessage.encode(sequence, lost: lost, into: &packet) }
        if !events.isEmpty { return MonitorMessage.encode(sequence, events: events.span, into: &packet) }
        return MonitorMessage.encode(sequence, notices: notices.span, into: &packet)
    }
}

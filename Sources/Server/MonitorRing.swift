package import Wire

/// One thing that a monitor is told.
package enum MonitorRecord: Hashable, Sendable {
    case event(MonitorEvent)
    case notice(MonitorNotice)
    /// So much would have been here.
    case lost(MonitorLoss)

    /// How many faults it stands for.
    package var faults: UInt64 {
        switch self {
        case .event(let event): event.faults
        case .notice: 0
        case .lost(let loss): loss.faults
        }
    }

    /// What is lost with it.
    var loss: MonitorLoss {
        switch self {
        case .event(let event): MonitorLoss(faults: event.faults)
        case .notice: MonitorLoss(notices: 1)
        case .lost(let loss): loss
        }
    }
}

/// Records for one monitor, oldest first, and a bounded number of them. What finds it full is counted where it would have
/// been: the last place is for the count.
package struct MonitorRing: Sendable {
    package let capacity: Int
    private var slots: [MonitorRecord] = []
    private var head = 0
    package private(set) var count = 0

    /// - Parameter capacity: at least 2. Memory is taken as it is filled.
    package init(capacity: Int) {
        precondition(capacity >= 2, "a place for records and one for their count")
        self.capacity = capacity
    }

    package var isEmpty: Bool { count == 0 }

    /// False: it found no room, and has been counted.
    @discardableResult
    package mutating func push(_ record: MonitorRecord) -> Bool {
        if count < capacity - 1 {
            append(record)
            return true
        }
        if count > 0, case .lost(var loss) = slots[index(count - 1)] {
            loss.faults &+= record.loss.faults
            loss.notices &+= record.loss.notices
            slots[index(count - 1)] = .lost(loss)
        } else {
            append(.lost(record.loss))
        }
        return false
    }

    /// Keeps the newest instead: what is oldest goes, and nobody counts it. For the past that is shown to newcomers.
    package mutating func pushDroppingOldest(_ record: MonitorRecord) {
        if count == capacity {
            head = index(1)
            count -= 1
        }
        append(record)
    }

    /// As many together.
    package mutating func pushDroppingOldest(_ records: [MonitorRecord]) {
        guard count == capacity else {
            for record in records { pushDroppingOldest(record) }
            return
        }
        // The oldest is where the newest goes.
        for place in records.indices {
            slots[head] = records[place]
            head = head &+ 1 == capacity ? 0 : head &+ 1
        }
    }

    package var first: MonitorRecord? { count > 0 ? slots[head] : nil }

    package mutating func pop() -> MonitorRecord? {
        guard count > 0 else { return nil }
        let record = slots[head]
        head = (head + 1) % slots.count
        count -= 1
        return record
    }

    /// All of them; they stay.
    package var records: [MonitorRecord] { (0..<count).map { slots[index($0)] } }

    /// `place` at most as many as there are slots.
    private func index(_ place: Int) -> Int {
        let index = head &+ place
        return index < slots.count ? index : index &- slots.count
    }

    private mutating func append(_ record: MonitorRecord) {
        if count < slots.count {
            slots[index(count)] = record
        } else {
            // Full as far as it has grown: with the oldest in front there is room behind the newest.
            if head != 0 { slots = Array(slots[head...] + slots[..<head]) }
            head = 0
            slots.append(record)
        }
        count += 1
    }
}

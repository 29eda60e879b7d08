package import SMMUv3
package import Wire

/// One vSMMU's events that wait for their owner: records in a ring, and what has its place between them.
///
/// The backend reads straight into the ring. Nothing is dropped: who reads stops while it is full. Records are numbered
/// one after the other; only a loss leaves numbers out. The ring grows as it is needed, and never shrinks.
package struct EventRing {
    package static let capacity = 1024
    /// What it has at first.
    package static let firstCapacity = 64
    /// Notices that may wait before reading stops. Beyond it losses are added up, and health replaces its context's last.
    package static let noticeCapacity = 64
    /// Notices that may wait at all.
    package static let noticeLimit = 1024

    package enum Notice: Hashable, Sendable {
        case lost(LossNotice)
        case health(HealthNotice)
        case deviceGone(HealthNotice)
    }

    /// What is in its place before the record at `position`.
    fileprivate struct Marker {
        enum Content { case notice(Notice), generation(Generation) }
        var position: UInt64
        var content: Content
    }

    package let vsmmu: VSMMUID
    /// A power of two of slots, or none.
    private var records: [EventRecord] = []
    private var markers: [Marker] = []
    /// Count records from the beginning; the ring holds those from `head` to `tail`.
    private var head: UInt64 = 0
    private var tail: UInt64 = 0
    /// Of the oldest that waits.
    private var headSequence = EventSequence(0)
    package private(set) var headGeneration = Generation(0)
    /// Of the next record.
    package private(set) var nextSequence = EventSequence(0)
    /// The last reading took all the room that there was: there may be more.
    package private(set) var wantsMore = false
    /// What the last ``encodeNext(into:)`` wrote.
    private var pending = Pending.none

    private enum Pending { case none, records(Int), notice }

    package init(of vsmmu: VSMMUID) { self.vsmmu = vsmmu }

    /// Records.
    package var count: Int { Int(tail - head) }
    package var isEmpty: Bool {
        head == tail && markers.allSatisfy { if case .generation = $0.content { true } else { false } }
    }
    package var hasRoom: Bool { count < Self.capacity && markers.count < Self.noticeCapacity }

    private func slot(_ position: UInt64) -> Int { Int(position & UInt64(records.count &- 1)) }
}

// MARK: - Filling

extension EventRing {
    /// Lets `read` fill the free slots up to the end of the ring or the oldest record, and numbers what it gives. A loss
    /// comes before the records, and uses up the numbers that it counts.
    package mutating func fill(_ read: (inout MutableSpan<EventRecord>) -> EventsRead) -> EventsRead {
        guard hasRoom else { return EventsRead(count: 0) }
        if wantsMore || count == records.count { grow() }
        let start = slot(tail)
        let free = min(records.count - count, records.count - start)
        var slots = records.mutableSpan
        // The toolchain has no other name for it: `extracting` has been renamed to this.
        var part = slots._mutatingExtracting(start..<start + free)
        var result = read(&part)
        result.count = min(max(result.count, 0), free)
        wantsMore = result.count == free
        if result.lost > 0 { appendLoss(result.lost, .kernelQueue) }
        tail += UInt64(result.count)
        nextSequence = EventSequence(nextSequence.rawValue &+ UInt64(result.count))
        return result
    }

    private mutating func grow() {
        if records.count == Self.capacity { return }
        let size = records.isEmpty ? Self.firstCapacity : min(records.count * 4, Self.capacity)
        var larger = Array(repeating: EventRecord(), count: size)
        for position in head..<tail { larger[Int(position & UInt64(size - 1))] = records[slot(position)] }
        records = larger
    }

    /// The record `index` of the last ``fill(_:)``, which gave `count`.
    package func record(_ index: Int, ofLast count: Int) -> EventRecord {
        records[slot(tail - UInt64(count) + UInt64(index))]
    }

    /// Records that are missing behind the newest: they use up their numbers.
    package mutating func appendLoss(_ count: UInt64, _ place: LossNotice.Place) {
        nextSequence = EventSequence(nextSequence.rawValue &+ count)
        if markers.count >= Self.noticeCapacity {
            for index in markers.indices.reversed() where markers[index].position == tail {
                guard case .notice(.lost(var notice)) = markers[index].content, notice.place == place else { continue }
                notice.count &+= count
                markers[index].content = .notice(.lost(notice))
                return
            }
        }
        add(.notice(.lost(LossNotice(count: count, place: place))))
    }

    /// A notice without a number of its own.
    package mutating func append(_ notice: Notice) {
        guard markers.count >= Self.noticeCapacity, let last = replaced(by: notice) else { return add(.notice(notice)) }
        markers[last].content = .notice(notice)
    }

    /// What follows is of another generation.
    package mutating func begin(_ generation: Generation) {
        if let last = markers.last, last.position == tail, case .generation = last.content { markers.removeLast() }
        add(.generation(generation))
    }

    private mutating func add(_ content: Marker.Content) { markers.append(Marker(position: tail, content: content)) }

    /// The last notice on the same context's health; with very many of them, the last on any.
    private func replaced(by notice: Notice) -> Int? {
        guard case .health(let new) = notice else { return nil }
        return markers.lastIndex {
            guard case .notice(.health(let old)) = $0.content else { return false }
            return old.vsid == new.vsid || markers.count >= Self.noticeLimit
        }
    }
}

// MARK: - Delivering

extension EventRing {
    /// What is oldest.
    package enum Front { case nothing, records, notice(Notice) }

    package mutating func front() -> Front {
        while let marker = markers.first, marker.position == head {
            switch marker.content {
            case .notice(let notice): return .notice(notice)
            case .generation(let generation):
                headGeneration = generation
                markers.removeFirst()
            }
        }
        return head == tail ? .nothing : .records
    }

    /// Records of one generation, without a gap, that lie one behind the other from ``head`` on.
    private func run(_ most: Int) -> Range<Int> {
        let start = slot(head)
        let next = min(tail, markers.first?.position ?? tail)
        return start..<start + min(most, Int(next - head), records.count - start)
    }

    /// Encodes the oldest packet: up to 128 records of one generation, or one notice. 0 when there is none. It stays
    /// until ``dropDelivered()``.
    package mutating func encodeNext(into packet: inout MutableRawSpan) -> Int {
        let front = front()
        let header = EventHeader(sequence: headSequence, vsmmu: vsmmu, generation: headGeneration)
        switch front {
        case .nothing:
            pending = .none
            return 0
        case .notice(let notice):
            pending = .notice
            return notice.encode(header, into: &packet)
        case .records:
            let run = run(Limits.events)
            pending = .records(run.count)
            return header.encode(records.span.extracting(run), into: &packet)
        }
    }

    /// What the last ``encodeNext(into:)`` wrote has been sent. Returns how many records that was.
    package mutating func dropDelivered() -> Int {
        defer { pending = .none }
        switch pending {
        case .none: return 0
        case .notice:
            dropNotice()
            return 0
        case .records(let count):
            drop(count)
            return count
        }
    }

    /// Hands `body` the oldest records, and drops as many of them as it says that it has taken. Only while the front is
    /// records.
    package mutating func hand(_ body: (Span<EventRecord>) -> Int) -> Int {
        let run = run(Self.capacity)
        let taken = min(max(body(records.span.extracting(run)), 0), run.count)
        drop(taken)
        return taken
    }

    /// Drops the notice that is oldest.
    package mutating func dropNotice() {
        if case .notice(.lost(let notice)) = markers.removeFirst().content {
            headSequence = EventSequence(headSequence.rawValue &+ notice.count)
        }
    }

    private mutating func drop(_ count: Int) {
        head += UInt64(count)
        headSequence = EventSequence(headSequence.rawValue &+ UInt64(count))
    }

    /// Drops everything; returns how many records that was.
    package mutating func dropAll() -> Int {
        defer {
            (head, headSequence, pending) = (tail, nextSequence, .none)
            markers.removeAll()
        }
        return count
    }
}

extension EventRing.Notice {
    fileprivate func encode(_ header: EventHeader, into packet: inout MutableRawSpan) -> Int {
        switch self {
        case .lost(let notice): header.encode(notice, into: &packet)
        case .health(let notice): header.encodeHealth(notice, into: &packet)
        case .deviceGone(let notice): header.encodeDeviceGone(notice, into: &packet)
        }
    }
}

package import SMMUv3
package import Wire

/// The owner's events that wait for delivery: records in a ring of fixed size, and the notices between them.
///
/// The backend reads straight into the ring. Nothing is dropped: who reads stops while it is full.
package struct EventRing {
    package static let capacity = 1024
    /// Notices that may wait before reading stops; those of health beyond it replace their context's last one.
    package static let noticeCapacity = 64
    /// Notices that may wait at all.
    package static let lossCapacity = 1024

    /// Whose a record is, beside the record itself.
    fileprivate struct Tag {
        var vsmmu = VSMMUID(0)
        var generation = Generation(0)
        var sequence = EventSequence(0)
    }

    /// Something that is not a record, in its place before the record at `position`.
    fileprivate struct Marker {
        var position: UInt64
        var header: EventHeader
        var notice: Notice
    }

    package enum Notice: Hashable, Sendable {
        case lost(LossNotice)
        case health(HealthNotice)
        case deviceGone(HealthNotice)
    }

    private var records: [EventRecord] = []
    private var tags: [Tag] = []
    private var markers: [Marker] = []
    /// Count records from the beginning; the ring holds those from `head` to `tail`.
    private var head: UInt64 = 0
    private var tail: UInt64 = 0
    /// What the last ``encodeNext(for:into:)`` wrote.
    private var pending = Pending.none

    private enum Pending { case none, records(Int), marker }

    package init() {}

    /// Allocates what it needs for good. Before it, nothing fits.
    package mutating func prepare() {
        guard records.isEmpty else { return }
        records = Array(repeating: EventRecord(), count: Self.capacity)
        tags = Array(repeating: Tag(), count: Self.capacity)
        markers.reserveCapacity(Self.noticeCapacity)
    }

    package var isEmpty: Bool { head == tail && markers.isEmpty }
    package var count: Int { Int(tail - head) }
    package var hasRoom: Bool {
        !records.isEmpty && count < Self.capacity && markers.count < Self.noticeCapacity
    }

    private static func slot(_ position: UInt64) -> Int { Int(position % UInt64(capacity)) }
}

// MARK: - Filling

extension EventRing {
    /// Lets `read` fill the free slots up to the end of the ring or the oldest record, and numbers what it gives from
    /// `sequence` on. A loss comes before the records, and uses up the numbers it covers. Returns the read, with the
    /// number of its first record.
    package mutating func fill(
        from vsmmu: VSMMUID, _ generation: Generation, numberedFrom sequence: EventSequence,
        _ read: (inout MutableSpan<EventRecord>) -> EventsRead
    ) -> (read: EventsRead, first: EventSequence) {
        guard hasRoom else { return (EventsRead(count: 0), sequence) }
        let start = Self.slot(tail)
        let free = min(Self.capacity - count, Self.capacity - start)
        var slots = records.mutableSpan
        // The toolchain has no other name for it: `extracting` has been renamed to this.
        var part = slots._mutatingExtracting(start..<start + free)
        var result = read(&part)
        result.count = min(max(result.count, 0), free)
        if result.lost > 0 {
            appendLoss(
                result.lost, .kernelQueue, EventHeader(sequence: sequence, vsmmu: vsmmu, generation: generation))
        }
        let first = EventSequence(sequence.rawValue &+ result.lost)
        for index in 0..<result.count {
            tags[start + index] = Tag(
                vsmmu: vsmmu, generation: generation, sequence: EventSequence(first.rawValue &+ UInt64(index)))
        }
        tail += UInt64(result.count)
        return (result, first)
    }

    /// The record `index` of the last ``fill(from:_:numberedFrom:_:)``, which gave `count`.
    package func record(_ index: Int, ofLast count: Int) -> EventRecord {
        records[Self.slot(tail - UInt64(count) + UInt64(index))]
    }

    /// Whether ``appendLoss(_:_:_:)`` is bounded by what waits already.
    package var hasRoomForLoss: Bool { markers.count < Self.lossCapacity }

    /// Records that are missing behind the newest; `header` has the number of the first of them.
    package mutating func appendLoss(_ count: UInt64, _ place: LossNotice.Place, _ header: EventHeader) {
        markers.append(
            Marker(position: tail, header: header, notice: .lost(LossNotice(count: count, place: place))))
    }

    /// A notice without a number of its own: its header carries that of the next record.
    package mutating func append(_ notice: Notice, _ header: EventHeader) {
        if markers.count >= Self.noticeCapacity, let last = markers.lastIndex(where: { $0.repeats(notice, header) }) {
            markers[last].notice = notice
        } else {
            markers.append(Marker(position: tail, header: header, notice: notice))
        }
    }
}

extension EventRing.Marker {
    /// Whether it tells of the same context's health.
    fileprivate func repeats(_ other: EventRing.Notice, _ otherHeader: EventHeader) -> Bool {
        guard case .health(let mine) = notice, case .health(let new) = other else { return false }
        return mine.vsid == new.vsid && header.vsmmu == otherHeader.vsmmu
    }
}

// MARK: - Delivering

extension EventRing {
    /// Drops what `subscription` does not want from the front, and encodes the oldest packet of the rest: up to 128
    /// records of one vSMMU and generation, or one notice. 0 when there is none. It stays until ``dropDelivered()``.
    package mutating func encodeNext(
        for subscription: SessionState.Subscription, into packet: inout MutableRawSpan
    ) -> Int {
        pending = .none
        while !isEmpty {
            if let marker = markers.first, marker.position == head {
                if !subscription.wants(marker.header.vsmmu) {
                    markers.removeFirst()
                    continue
                }
                pending = .marker
                return marker.encode(into: &packet)
            }
            let tag = tags[Self.slot(head)]
            if !subscription.wants(tag.vsmmu) {
                head += 1
                continue
            }
            return encodeRecords(tag, into: &packet)
        }
        return 0
    }

    private mutating func encodeRecords(_ tag: Tag, into packet: inout MutableRawSpan) -> Int {
        let start = Self.slot(head)
        let nextMarker = markers.first?.position ?? tail
        let most = min(Limits.events, Int(min(tail, nextMarker) - head), Self.capacity - start)
        var count = 1
        while count < most && tags[start + count].follows(tag, by: count) { count += 1 }
        pending = .records(count)
        let header = EventHeader(sequence: tag.sequence, vsmmu: tag.vsmmu, generation: tag.generation)
        return header.encode(records.span.extracting(start..<start + count), into: &packet)
    }

    /// What the last ``encodeNext(for:into:)`` wrote has been sent. Returns how many records that was.
    package mutating func dropDelivered() -> Int {
        defer { pending = .none }
        switch pending {
        case .none: return 0
        case .marker:
            markers.removeFirst()
            return 0
        case .records(let count):
            head += UInt64(count)
            return count
        }
    }
}

extension EventRing.Tag {
    fileprivate func follows(_ first: EventRing.Tag, by count: Int) -> Bool {
        vsmmu == first.vsmmu && generation == first.generation
            && sequence.rawValue == first.sequence.rawValue &+ UInt64(count)
    }
}

extension EventRing.Marker {
    fileprivate func encode(into packet: inout MutableRawSpan) -> Int {
        switch notice {
        case .lost(let notice): header.encode(notice, into: &packet)
        case .health(let notice): header.encodeHealth(notice, into: &packet)
        case .deviceGone(let notice): header.encodeDeviceGone(notice, into: &packet)
        }
    }
}

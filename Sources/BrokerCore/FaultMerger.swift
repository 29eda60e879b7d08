package import SMMUv3
package import Wire

/// Makes one of many identical faults, for the journal and for monitors: the first is told at once, and those that follow
/// within a second become one with their count. The owner has each of them all the same.
///
/// A table of fixed size: where there is no place left the oldest of four is told at once to make one. Whatever is taken
/// comes out again, in ``Merged/count``.
package struct FaultMerger: Sendable {
    /// What makes two faults the same.
    package struct Key: Hashable, Sendable {
        package var context: ContextKey
        package var generation: Generation
        /// Of the event record.
        package var number: UInt8
        /// SSV and SubstreamID; 0 in a sample.
        package var substream: UInt32
        /// In pages of 4 KiB; 0 in a sample.
        package var page: UInt64
        /// Faults of one kind, whatever their addresses: a sample of a storm.
        package var isSample: Bool

        package init(_ record: EventRecord, of context: ContextKey, _ generation: Generation, isSample: Bool) {
            (self.context, self.generation, number, self.isSample) = (context, generation, record.number, isSample)
            substream = isSample ? 0 : UInt32(truncatingIfNeeded: record.words[0] &>> 11) & 0x1f_ffff
            page = isSample ? 0 : record.words[2] &>> 12
        }

        /// The same for equal keys. Its upper bits say in which set of the table.
        fileprivate var hash: UInt64 {
            var mixed = page &+ UInt64(number) &* 0x9e37_79b9 ^ UInt64(substream) &<< 24
            mixed ^= UInt64(context.vsid.rawValue) &<< 32 ^ UInt64(context.vsmmu.rawValue) &<< 56
            return (mixed ^ mixed &>> 31) &* 0x9e37_79b9_7f4a_7c15
        }

        /// As by its fields, and cheaper: one jump.
        @inline(__always)
        package static func == (a: Self, b: Self) -> Bool {
            let same = (a.page ^ b.page) | UInt64(a.substream ^ b.substream) | UInt64(a.number ^ b.number)
            return same == 0 && a.context == b.context && a.generation.rawValue == b.generation.rawValue
                && a.isSample == b.isSample
        }
    }

    /// Faults that are told as one.
    package struct Merged: Hashable, Sendable {
        package var key: Key
        /// The last of them, and its number.
        package var record: EventRecord
        package var sequence: EventSequence
        package var count: UInt64
        package var first: Instant
        package var last: Instant

        package init(
            key: Key, record: EventRecord, sequence: EventSequence, count: UInt64, first: Instant, last: Instant
        ) {
            (self.key, self.record, self.sequence) = (key, record, sequence)
            (self.count, self.first, self.last) = (count, first, last)
        }
    }

    /// For how long faults become one.
    package static let milliseconds: UInt64 = 1000
    private static let ways = 4
    private static let capacity = 64

    private struct Entry {
        /// Its count is of those that have not been told.
        var merged: Merged
        var end: Instant

        /// Field by field: as a whole it would be put together elsewhere first.
        @inline(__always)
        mutating func begin(_ record: EventRecord, _ sequence: EventSequence, _ key: Key, at now: Instant) {
            (merged.key, merged.record, merged.sequence) = (key, record, sequence)
            (merged.count, merged.first, merged.last) = (0, now, now)
            end = FaultMerger.end(from: now)
        }
    }

    /// What is looked at to find an entry, so that a set is one line of the cache: most faults are like none that is there.
    private struct Tag {
        /// Of its key, and 1; 0: the entry is free.
        var hash: UInt64 = 0
        /// Later than that of any that is older, and than 0.
        var last: UInt64 = 0
    }

    private var tags: [Tag] = []
    private var entries: [Entry] = []
    /// Not later than the end of the first entry that has something to tell.
    package private(set) var deadline: Instant?

    package init() {}

    /// Where faults of a key are; nil: a fault of it is to ``begin(_:_:_:at:)``.
    @inline(__always)
    package func index(of key: Key) -> Int? {
        if tags.isEmpty { return nil }
        let hash = key.hash
        var index = Self.start(of: hash)
        let end = index &+ Self.ways
        while index < end {
            if tags[index].hash == hash | 1 && entries[index].merged.key == key { return index }
            index &+= 1
        }
        return nil
    }

    /// Takes the first of its key, which is to be told by itself. Returns what was in its place and has not been told.
    @inline(__always)
    package mutating func begin(
        _ record: EventRecord, _ sequence: EventSequence, _ key: Key, at now: Instant
    ) -> Merged? {
        if entries.isEmpty { prepare() }
        let hash = key.hash
        let start = Self.start(of: hash)
        var (victim, oldest, index) = (start, tags[start].last, start &+ 1)
        while index < start &+ Self.ways {
            let last = tags[index].last
            if last < oldest { (victim, oldest) = (index, last) }
            index &+= 1
        }
        let evicted = tags[victim].hash != 0 && entries[victim].merged.count > 0 ? entries[victim].merged : nil
        tags[victim] = Tag(hash: hash | 1, last: now.nanoseconds | 1)
        entries[victim].begin(record, sequence, key, at: now)
        return evicted
    }

    private static func start(of hash: UInt64) -> Int { Int(hash &>> 60) &* ways }

    /// Adds a fault to those at `index`. Returns what is to be told because of it. `most`: so many become one at most, even
    /// within a second.
    package mutating func add(
        _ record: EventRecord, _ sequence: EventSequence, to index: Int, most: UInt64, at now: Instant
    ) -> Merged? {
        tags[index].last = now.nanoseconds | 1
        if entries[index].merged.count == 0 {
            entries[index].merged.first = now
            if entries[index].end <= now {
                // Nothing for a while: this one is a first again.
                entries[index].end = Self.end(from: now)
                (entries[index].merged.record, entries[index].merged.sequence) = (record, sequence)
                entries[index].merged.last = now
                var merged = entries[index].merged
                merged.count = 1
                return merged
            }
            deadline = deadline.map { min($0, entries[index].end) } ?? entries[index].end
        }
        (entries[index].merged.record, entries[index].merged.sequence) = (record, sequence)
        entries[index].merged.last = now
        entries[index].merged.count += 1
        if entries[index].merged.count < most { return nil }
        let merged = entries[index].merged
        entries[index].merged.count = 0
        return merged
    }

    /// The next one whose second is over; nil when there is none, and then ``deadline`` is exact.
    package mutating func takeDue(at now: Instant) -> Merged? {
        guard let deadline, deadline <= now else { return nil }
        var next: Instant?
        for index in entries.indices where tags[index].hash != 0 && entries[index].merged.count > 0 {
            if entries[index].end <= now {
                let merged = entries[index].merged
                entries[index].merged.count = 0
                entries[index].end = Self.end(from: now)
                return merged
            }
            next = next.map { min($0, entries[index].end) } ?? entries[index].end
        }
        self.deadline = next
        return nil
    }

    /// One that `isMeant`, at any time, because what it names goes; nil when there is none.
    package mutating func take(where isMeant: (ContextKey) -> Bool) -> Merged? {
        for index in entries.indices where tags[index].hash != 0 && isMeant(entries[index].merged.key.context) {
            tags[index] = Tag()
            if entries[index].merged.count > 0 { return entries[index].merged }
        }
        return nil
    }

    private static func end(from now: Instant) -> Instant { now.advanced(byMilliseconds: milliseconds) }

    /// All the memory that it ever has.
    private mutating func prepare() {
        let key = Key(EventRecord(), of: ContextKey(VSMMUID(0), StreamID(0)), Generation(0), isSample: false)
        let none = Merged(
            key: key, record: EventRecord(), sequence: EventSequence(0), count: 0, first: Instant(nanoseconds: 0),
            last: Instant(nanoseconds: 0))
        tags = Array(repeating: Tag(), count: Self.capacity)
        entries = Array(repeating: Entry(merged: none, end: Instant(nanoseconds: 0)), count: Self.capacity)
    }
}

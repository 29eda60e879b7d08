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

        /// In which set of the table.
        fileprivate var set: Int {
            var mixed = page &+ UInt64(number) &* 0x9e37_79b9 ^ UInt64(substream) &<< 24
            mixed ^= UInt64(context.vsid.rawValue) &<< 32 ^ UInt64(context.vsmmu.rawValue) &<< 56
            mixed = (mixed ^ mixed &>> 31) &* 0x9e37_79b9_7f4a_7c15
            return Int(mixed &>> 60)
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
    }

    /// What is to be told because of one fault.
    package struct Outcome: Sendable {
        /// Of another key, whose place was taken.
        package var evicted: Merged?
        /// Of its own.
        package var told: Merged?
    }

    /// For how long faults become one.
    package static let milliseconds: UInt64 = 1000
    private static let ways = 4
    private static let capacity = 64

    private struct Entry {
        /// Its count is of those that have not been told.
        var merged: Merged
        var end: Instant
        var isUsed = false
    }

    private var entries: [Entry] = []
    /// Not later than the end of the first entry that has something to tell.
    package private(set) var deadline: Instant?

    package init() {}

    /// Takes a fault. `most`: so many become one at most, even within a second.
    package mutating func take(
        _ record: EventRecord, _ sequence: EventSequence, _ key: Key, most: UInt64, at now: Instant
    ) -> Outcome {
        if entries.isEmpty { prepare() }
        let start = key.set * Self.ways
        var victim = start
        for index in start..<start + Self.ways {
            if entries[index].isUsed, entries[index].merged.key == key {
                return add(record, sequence, to: index, most: most, at: now)
            }
            if isOlder(index, than: victim) { victim = index }
        }
        let merged = Merged(key: key, record: record, sequence: sequence, count: 1, first: now, last: now)
        let old = entries[victim]
        entries[victim] = Entry(merged: merged, end: Self.end(from: now), isUsed: true)
        entries[victim].merged.count = 0
        return Outcome(evicted: old.isUsed && old.merged.count > 0 ? old.merged : nil, told: merged)
    }

    private mutating func add(
        _ record: EventRecord, _ sequence: EventSequence, to index: Int, most: UInt64, at now: Instant
    ) -> Outcome {
        if entries[index].merged.count == 0 {
            entries[index].merged.first = now
            if entries[index].end <= now {
                // Nothing for a while: this one is a first again.
                entries[index].end = Self.end(from: now)
                (entries[index].merged.record, entries[index].merged.sequence) = (record, sequence)
                entries[index].merged.last = now
                var merged = entries[index].merged
                merged.count = 1
                return Outcome(told: merged)
            }
            deadline = deadline.map { min($0, entries[index].end) } ?? entries[index].end
        }
        (entries[index].merged.record, entries[index].merged.sequence) = (record, sequence)
        entries[index].merged.last = now
        entries[index].merged.count += 1
        if entries[index].merged.count < most { return Outcome() }
        let merged = entries[index].merged
        entries[index].merged.count = 0
        return Outcome(told: merged)
    }

    /// The next one whose second is over; nil when there is none, and then ``deadline`` is exact.
    package mutating func takeDue(at now: Instant) -> Merged? {
        guard let deadline, deadline <= now else { return nil }
        var next: Instant?
        for index in entries.indices where entries[index].isUsed && entries[index].merged.count > 0 {
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
        for index in entries.indices where entries[index].isUsed && isMeant(entries[index].merged.key.context) {
            entries[index].isUsed = false
            if entries[index].merged.count > 0 { return entries[index].merged }
        }
        return nil
    }

    private func isOlder(_ index: Int, than other: Int) -> Bool {
        if !entries[other].isUsed { return false }
        return !entries[index].isUsed || entries[index].merged.last < entries[other].merged.last
    }

    private static func end(from now: Instant) -> Instant { now.advanced(byMilliseconds: milliseconds) }

    /// All the memory that it ever has.
    private mutating func prepare() {
        let key = Key(EventRecord(), of: ContextKey(VSMMUID(0), StreamID(0)), Generation(0), isSample: false)
        let none = Merged(
            key: key, record: EventRecord(), sequence: EventSequence(0), count: 0, first: Instant(nanoseconds: 0),
            last: Instant(nanoseconds: 0))
        entries = Array(repeating: Entry(merged: none, end: Instant(nanoseconds: 0)), count: Self.capacity)
    }
}

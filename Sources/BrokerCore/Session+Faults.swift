import SMMUv3
import Wire

// What the journal and monitors are told of a fault. The owner's way is Session+Events.swift.

extension Session {
    /// One record that has been read from a source: counted, and told with those like it.
    func tell(
        _ record: EventRecord, _ sequence: EventSequence, of vsmmu: VSMMUID, _ generation: Generation, at now: Instant
    ) {
        guard state.hello != nil else { return }
        let key = ContextKey(vsmmu, record.streamID)
        faults.count(record)
        hasNewFaults = true
        if let tag = record.stallTag { stalls.add(StallTag(UInt32(tag)), of: key, at: now) }
        let isSample = noteFault(record, of: key, at: now)
        let identity = FaultMerger.Key(record, of: key, generation, isSample: isSample)
        if record.stallTag != nil {
            // Each is answered by itself.
            return tell(
                FaultMerger.Merged(key: identity, record: record, sequence: sequence, count: 1, first: now, last: now),
                at: now)
        }
        let most = isSample ? max(1, faultPolicy.sampling) : UInt64(UInt32.max)
        let outcome = merger.take(record, sequence, identity, most: most, at: now)
        if let evicted = outcome.evicted { tell(evicted, at: now) }
        if let told = outcome.told { tell(told, at: now) }
    }

    /// Faults, one or several that were merged, to the journal and to monitors.
    private func tell(_ merged: FaultMerger.Merged, at now: Instant) {
        guard let hello = state.hello else { return }
        let key = merged.key.context
        let verdict = admitToJournal(key, merged.count, at: now)
        if !verdict.journal { counts.journalSuppressed &+= merged.count }
        faults.merged &+= merged.count - 1
        hasNewFaults = true
        observer.sawFault(
            ObservedFault(
                session: context.id, vm: hello.name, vsmmu: key.vsmmu, generation: merged.key.generation,
                sequence: merged.sequence, record: merged.record,
                device: state.contexts.index(of: key).map { state.contexts[$0].device.name }, journal: verdict.journal,
                suppressed: verdict.suppressed, count: merged.count, isSample: merged.key.isSample,
                age: now.nanoseconds &- merged.last.nanoseconds,
                span: merged.last.nanoseconds &- merged.first.nanoseconds))
    }

    /// What has been counted; nil when it is as it was the last time.
    package func takeFaults() -> FaultCounters? {
        guard hasNewFaults else { return nil }
        hasNewFaults = false
        return faults
    }

    /// What has been merged for long enough.
    func tellMerged(at now: Instant) {
        while let merged = merger.takeDue(at: now) { tell(merged, at: now) }
    }

    /// What has been merged of contexts that go, or get other names.
    func tellMerged(at now: Instant, where isMeant: (ContextKey) -> Bool) {
        while let merged = merger.take(where: isMeant) { tell(merged, at: now) }
    }

    // MARK: The journal's limit

    /// A context has its limit, and all of them have one together: attaching a device anew gives no more.
    private func admitToJournal(
        _ key: ContextKey, _ count: UInt64, at now: Instant
    ) -> (journal: Bool, suppressed: UInt64) {
        let contexts = UInt64(clamping: max(1, grant?.quota.contexts ?? 1))
        let (burst, overflow) = journalLimit.burst.multipliedReportingOverflow(by: contexts)
        let whole = JournalLimit(
            burst: overflow ? .max : burst, intervalMilliseconds: journalLimit.intervalMilliseconds)
        guard let index = meters.index(of: key) else {
            return Self.admit(count, &strayJournal, journalLimit, &wholeJournal, whole, at: now)
        }
        return Self.admit(count, &meters[index].journal, journalLimit, &wholeJournal, whole, at: now)
    }

    private static func admit(
        _ count: UInt64, _ meter: inout JournalMeter, _ limit: JournalLimit, _ all: inout JournalMeter,
        _ whole: JournalLimit, at now: Instant
    ) -> (journal: Bool, suppressed: UInt64) {
        let verdict = meter.count(count, at: now, limit)
        if !verdict.journal || all.count(at: now, whole).journal { return verdict }
        meter.takeBack(verdict, count)
        return (false, 0)
    }
}

import SMMUv3
import Wire

// What the journal and monitors are told of a fault. The owner's way is Session+Events.swift.

extension Session {
    /// Whose a fault is. Found once for all faults of a stream that follow each other: nothing is told of comes or goes
    /// while the records of one reading are told.
    struct Faulting {
        let vsmmu: VSMMUID
        let generation: Generation
        fileprivate var place: FaultPlace?

        init(_ vsmmu: VSMMUID, _ generation: Generation) { (self.vsmmu, self.generation) = (vsmmu, generation) }
    }

    /// Where a context, and what is counted of it, are among the others; nil where there is none.
    struct FaultPlace {
        var key: ContextKey
        var context: Int?
        var meter: Int?
    }

    private func place(of key: ContextKey) -> FaultPlace {
        FaultPlace(key: key, context: current.contexts.index(of: key), meter: meters.index(of: key))
    }

    /// One record that has been read from a source: counted, and told with those like it.
    func tell(_ record: EventRecord, _ sequence: EventSequence, of faulting: inout Faulting, at now: Instant) {
        guard current.hello != nil else { return }
        let key = ContextKey(faulting.vsmmu, record.streamID)
        let place = faulting.place.flatMap { $0.key == key ? $0 : nil } ?? place(of: key)
        faulting.place = place
        eventKinds.add(at: record.place)
        metersChanged = true
        let tag = record.stallTag
        if let tag { noteStall(StallTag(UInt32(tag)), of: key, at: now) }
        let isSample = noteFault(isStall: tag != nil, of: place, at: now)
        let identity = FaultMerger.Key(record, of: key, faulting.generation, isSample: isSample)
        // Each that is stalled is answered by itself.
        if tag == nil {
            if let index = merger.index(of: identity) {
                let most = isSample ? max(1, faultPolicy.sampling) : UInt64(UInt32.max)
                if let told = merger.add(record, sequence, to: index, most: most, at: now) {
                    tell(told, of: place, at: now)
                }
                return
            }
            if let evicted = merger.begin(record, sequence, identity, at: now) { tell(evicted, at: now) }
        }
        pass(record, sequence, faulting.generation, isSample: isSample, count: 1, of: place, at: now)
    }

    private func tell(_ merged: FaultMerger.Merged, at now: Instant) {
        tell(merged, of: place(of: merged.key.context), at: now)
    }

    /// Several that were merged.
    private func tell(_ merged: FaultMerger.Merged, of place: FaultPlace, at now: Instant) {
        if merged.count > 1 {
            faults.merged &+= merged.count - 1
            hasNewFaults = true
        }
        pass(
            merged.record, merged.sequence, merged.key.generation, isSample: merged.key.isSample, count: merged.count,
            age: now.nanoseconds &- merged.last.nanoseconds, span: merged.last.nanoseconds &- merged.first.nanoseconds,
            of: place, at: now)
    }

    /// Faults, one or several that were merged, to the journal and to monitors. Here, and not in one piece, so that the one
    /// that most faults are goes without being copied together first.
    @inline(__always)
    private func pass(
        _ record: EventRecord, _ sequence: EventSequence, _ generation: Generation, isSample: Bool, count: UInt64,
        age: UInt64 = 0, span: UInt64 = 0, of place: FaultPlace, at now: Instant
    ) {
        guard let hello = current.hello else { return }
        let verdict = admitToJournal(place.meter, count, at: now)
        if !verdict.journal { counts.journalSuppressed &+= count }
        hasKeptFaults = true
        var fault = ObservedFault(
            session: context.id, vm: hello.name, vsmmu: place.key.vsmmu, generation: generation, sequence: sequence,
            record: record, device: place.context.map { current.contexts[$0].device.name }, journal: verdict.journal,
            suppressed: verdict.suppressed, count: count, isSample: isSample, age: age, span: span)
        // It is as large as the rest, and few have it.
        if verdict.journal { fault.background = background(of: place.key, at: now) }
        observer.sawFault(fault)
    }

    /// Nothing more is told for now.
    package func passFaultsOn() {
        guard hasKeptFaults else { return }
        hasKeptFaults = false
        observer.sawAllFaults()
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
        _ meter: Int?, _ count: UInt64, at now: Instant
    ) -> (journal: Bool, suppressed: UInt64) {
        let verdict =
            meter.map { meters[$0].journal.count(count, at: now, journalLimit) }
            ?? strayJournal.count(count, at: now, journalLimit)
        if !verdict.journal || wholeJournal.count(at: now, wholeLimit).journal { return verdict }
        if let meter {
            meters[meter].journal.takeBack(verdict, count)
        } else {
            strayJournal.takeBack(verdict, count)
        }
        return (false, 0)
    }

    private var wholeLimit: JournalLimit {
        let contexts = UInt64(clamping: max(1, grant?.quota.contexts ?? 1))
        let (burst, overflow) = journalLimit.burst.multipliedReportingOverflow(by: contexts)
        return JournalLimit(
            burst: overflow ? .max : burst, intervalMilliseconds: journalLimit.intervalMilliseconds)
    }
}

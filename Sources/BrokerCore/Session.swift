import SMMUv3
package import Wire

/// One session: takes packets, decides by the rules, has the backend do what is allowed, and writes the reply.
///
/// For one thread. It makes no system call and reads no clock.
@usableFromInline
package final class Session {
    /// Everything a session is made with.
    package struct Context {
        package var id: SessionID
        package var peer: PeerIdentity
        /// The grant that admits the peer; nil: HELLO is refused with NOT_GRANTED.
        package var grant: Grant?
        package var epoch: Epoch
        package var directory: any DeviceDirectory
        package var backend: any TranslationBackend
        package var observer: any SessionObserver
        package var ledger: any Ledger
        package var journalLimit: JournalLimit
        /// nil: there are no shared event queues.
        package var queues: (any EventQueueMapper)?

        package init(
            id: SessionID, peer: PeerIdentity, grant: Grant?, epoch: Epoch, directory: any DeviceDirectory,
            backend: any TranslationBackend, observer: any SessionObserver, ledger: any Ledger = NoLedger(),
            journalLimit: JournalLimit = JournalLimit(), queues: (any EventQueueMapper)? = nil
        ) {
            (self.id, self.peer, self.grant, self.epoch) = (id, peer, grant, epoch)
            (self.directory, self.backend, self.observer, self.ledger) = (directory, backend, observer, ledger)
            self.queues = queues
            self.journalLimit = journalLimit
        }
    }

    /// What is to be sent for a packet, and what became of its descriptors.
    package struct Answer: Hashable, Sendable {
        /// Bytes of the reply.
        package var byteCount: Int
        /// Whether the session keeps the packet's descriptors; else they are to be closed before the reply is sent.
        package var keepsFiles = false
        /// A descriptor to send along; its owner closes it afterwards.
        package var descriptor: ResourceID?
        package var effects: Effects = []
        package init(byteCount: Int) { self.byteCount = byteCount }
    }

    let context: Context
    var backend: any TranslationBackend { context.backend }
    var observer: any SessionObserver { context.observer }
    /// The one that counts now; nil: nothing more may be had.
    var grant: Grant?
    /// The one that counts now.
    package var journalLimit: JournalLimit

    /// Changed by ``commit(_:)`` alone.
    package var state: SessionState { current }
    private(set) var current = SessionState()
    /// One for each vSMMU, and for those that are gone as long as the owner has not taken all of their events.
    var lanes = SortedTable<EventLane>()
    /// Where the next packet is looked for first, so that no vSMMU's events hold up another's.
    var nextLane = 0
    /// Whose packet the last one was.
    var pendingLane: VSMMUID?
    /// One for each context.
    var meters = SortedTable<ContextMeter>()
    /// One for each vSMMU.
    var invalidations = SortedTable<InvalidationLog>()
    /// Of records that name no context.
    var strayJournal = JournalMeter()
    /// Of all records together.
    var wholeJournal = JournalMeter()
    /// ``contextSnapshots()`` gives other counts than before; the session's loop looks now and then.
    package var metersChanged = false
    /// Transactions that wait for an answer.
    var stalls = StallDeadlines()
    /// Identical faults, for the journal and for monitors.
    var merger = FaultMerger()
    /// Of the last grant that there was.
    var faultPolicy: FaultPolicy
    /// A storm waits for ``settleHealth(at:)``.
    var hasUnsettledHealth = false
    /// When a context's health may change by itself; nil: never.
    var healthDeadline: Instant?
    /// Of devices that have been detached and were not healthy.
    var shelvedHealth: [ShelvedHealth] = []
    /// When to try again what a quarantine wants and the host has refused; nil: there is nothing.
    var quarantineRetry: Instant?
    /// Devices that have recovered and that the host has not let translate again; and when to try again.
    var recovering: [Name] = []
    var recoveryRetry: Instant?
    /// Devices that the host is to have back, and that could not be detached yet; and when to try again.
    var leaving: [Leaver] = []
    var leaveRetry: Instant?
    /// There has been a HELLO that was granted.
    package var hasBegun: Bool { state.hello != nil }
    package var counters: SessionCounters { counts }
    package var faultCounters: FaultCounters { faults }
    package var tallies: SessionTallies { SessionTallies(opcodes: batch.opcodes, events: eventKinds) }
    /// Brings what was copied when `before` counted up to date: what is large is copied only when it has changed.
    package func copyTallies(into tallies: inout SessionTallies, since before: SessionCounters) {
        if counts.requests != before.requests { tallies.opcodes = batch.opcodes }
        if counts.events != before.events { tallies.events = eventKinds }
    }
    var eventKinds = FixedCounters<20>()
    /// Not itself `package`, so that the compiler sees who has it in hand, and checks nothing at run time.
    var counts = SessionCounters()
    var faults = FaultCounters()
    /// Since ``takeFaults()``.
    var hasNewFaults = false
    /// The observer may have kept faults, until ``passFaultsOn()``.
    var hasKeptFaults = false

    // Reused, so that a request allocates nothing once they have grown to what the session needs.
    var batch = CommandBatch()
    var reports: [ContextReport] = []
    var named: [Bool] = []

    var effects: Effects = []
    var discarded: [ResourceID] = []
    /// For records that the ring has no room for; allocated when there are some.
    var scratch: [EventRecord] = []
    var ending = Ending()

    package init(_ context: Context) {
        self.context = context
        (grant, journalLimit) = (context.grant, context.journalLimit)
        faultPolicy = context.grant?.faults ?? FaultPolicy()
    }

    /// The one door for every change of state: noted first, then made, and both before the reply is written (I7).
    func commit(_ change: Change) {
        context.ledger.commit(change)
        current.apply(change)
    }

    /// Does one request. `truncated`: the packet, or its descriptors, did not arrive whole. Writes the one reply to
    /// `reply`, which has room for the largest packet.
    package func handle(
        _ packet: RawSpan, files: [ReceivedFile], descriptorsTruncated: Bool, at now: Instant,
        reply: inout MutableRawSpan
    ) -> Answer {
        let header = RequestHeader(peekingAt: packet)
        counts.requests += 1
        var answer: Answer
        do throws(Refusal) {
            let request = try Self.decode(packet, files: files.count, truncated: descriptorsTruncated)
            answer = try perform(request, Call(header: header, now: now), packet, files, &reply)
        } catch {
            counts.refusals += 1
            observer.saw(.refused(RequestType(rawValue: header.type), error.reason ?? .none, error.text))
            answer = Answer(byteCount: error.encode(to: header, into: &reply))
        }
        if backend.hasNotices { hearOfHost(at: now) }
        answer.effects.formUnion(takeEffects())
        return answer
    }

    /// What a handler needs of a request beside its own fields.
    struct Call {
        var header: RequestHeader
        var now: Instant
    }

    private static func decode(_ packet: RawSpan, files: Int, truncated: Bool) throws(Refusal) -> Request {
        do throws(WireFault) {
            let request = try Request(decoding: packet)
            try request.checkDescriptors(count: files, truncated: truncated)
            return request
        } catch { throw Refusal(error) }
    }

    /// What has come about since it was asked last: of requests and reads it is part of the answer.
    package func takeEffects() -> Effects {
        passFaultsOn()
        defer { effects = [] }
        return effects
    }

    func discard(_ resource: ResourceID) {
        discarded.append(resource)
        effects.insert(.discarded)
    }

    /// Whether ``takeDiscarded()`` gives any.
    package var hasDiscarded: Bool { !discarded.isEmpty }

    /// Descriptors that the session needed and does no more, to be closed.
    package func takeDiscarded() -> [ResourceID] {
        if discarded.isEmpty { return [] }
        defer { discarded = [] }
        return discarded
    }

    /// What has changed that the session's loop has to look at.
    @usableFromInline
    package struct Effects: OptionSet, Hashable, Sendable {
        @usableFromInline package let rawValue: UInt8
        @inlinable package init(rawValue: UInt8) { self.rawValue = rawValue }
        /// As every option set has it. Here, because the general one is not specialised for other targets, and the
        /// session's loop asks a few times for each request.
        @inlinable package func contains(_ other: Effects) -> Bool { rawValue & other.rawValue == other.rawValue }
        /// ``Session/eventSources``.
        @inlinable package static var eventSources: Effects { Effects(rawValue: 1) }
        /// Something is there to be delivered.
        @inlinable package static var delivery: Effects { Effects(rawValue: 2) }
        /// Descriptors that the session no longer needs: ``Session/takeDiscarded()``.
        @inlinable package static var discarded: Effects { Effects(rawValue: 4) }
        /// ``Session/contextSnapshots()`` gives something new.
        @inlinable package static var contexts: Effects { Effects(rawValue: 8) }
        /// ``Session/sockets``.
        @inlinable package static var subscriptions: Effects { Effects(rawValue: 16) }
    }
}

/// Where every change is noted before its reply is sent.
package protocol Ledger: AnyObject {
    func commit(_ change: Change)
}

/// Keeps nothing.
package final class NoLedger: Ledger {
    package init() {}
    package func commit(_ change: Change) {}
}

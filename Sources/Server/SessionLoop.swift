import BrokerCore
import EventLoop
import LinuxSystem
import Wire

/// One session in its thread: a loop, the VMM's socket, the session and its backend, and the descriptors of both.
///
/// Whatever is ready gets one bounded turn: a request, a source's events, the owner's socket, a deadline. Other threads
/// see what was published after the last turn, and reach it by ``SessionOrder``s.
final class SessionLoop {
    let loop: EventLoop
    let handle: SessionHandle
    private let owner: SessionOwner
    private let configuration: LiveConfiguration
    let session: Session
    let descriptors: DescriptorTable
    /// Goes before the socket does.
    private var client: Watch?
    let connection: Connection
    let delivery: EventDelivery
    /// When the loop wakes for the session's deadline, at the latest.
    private var alarm: (timer: TimerID, at: Instant)?
    private var contextsChanged = true
    /// Where posted work finds this.
    private var address: SessionAddress?
    private let patience: Patience
    /// Until when the client has to have said HELLO; nil when it has, or need not.
    private var helloDeadline: Instant?
    /// Until when it has to have made room for the reply that waits.
    private var replyDeadline: Instant?
    private(set) var isEnding = false
    /// When the counts of contexts may be published again: making them allocates.
    private var nextMeters = Instant(nanoseconds: 0)
    private static let meterMilliseconds: UInt64 = 100
    /// Since when the owner has had something to be delivered; nil: it has all.
    private var undeliveredSince: Instant?
    /// Events that the owner had been handed at the end of the last turn.
    private var delivered: UInt64 = 0

    init(_ owner: SessionOwner, _ socket: consuming SeqPacketSocket, _ setup: SessionSetup) throws(Errno) {
        loop = try EventLoop()
        (self.owner, configuration, patience) = (owner, setup.configuration, setup.patience)
        let grant = owner.grant.grant(for: owner.peer, by: setup.configuration)
        handle = SessionHandle(id: owner.id, peer: owner.peer, grant: grant?.name ?? "", poster: loop.poster)
        descriptors = DescriptorTable()
        session = Session(
            Session.Context(
                id: owner.id, peer: owner.peer, grant: grant, epoch: setup.epoch, directory: setup.directory,
                backend: setup.makeBackend(descriptors), observer: setup.makeObserver(owner.id, owner.peer),
                journalLimit: setup.configuration.journalLimit, queues: SharedEventQueues(descriptors)))
        connection = try Connection(socket)
        delivery = try EventDelivery(session, descriptors, on: loop)
        client = try Watch(connection.descriptor, for: .readable, on: loop) { [unowned self] in clientReady($0) }
        delivery.sourceReady = { [unowned self] in sourceReady($0) }
        delivery.subscriberReady = { [unowned self] in subscriberReady($0, $1) }
        let address = SessionAddress(self)
        (self.address, loop.owner) = (address, address)
        if case .policy = owner.grant { expectHello() }
    }

    private func expectHello() {
        let deadline = Instant(loop.now).advanced(byMilliseconds: patience.hello)
        helloDeadline = deadline
        setAlarm(deadline)
    }

    /// Serves until the session has ended.
    func run() throws(Errno) {
        // What the loop calls does not keep this alive.
        try withExtendedLifetime(self) { () throws(Errno) in try loop.run() }
    }

    // MARK: Turns

    /// The VMM's socket: one request, or the rest of the last one's reply, or its end.
    private func clientReady(_ readiness: Readiness) {
        let now = beginTurn()
        defer { endTurn() }
        if readiness.contains(.hangup) || readiness.contains(.error) { return end(at: now) }
        do throws(Errno) {
            if connection.hasUnsentReply {
                guard try connection.sendReply(descriptors) else { return }
                replyDeadline = nil
                client?.wait(for: .readable)
            } else {
                try serve(at: now)
            }
        } catch { end(at: now) }
    }

    private func serve(at now: Instant) throws(Errno) {
        switch try connection.receive(for: session, descriptors, at: now) {
        case .nothing: break
        case .closed: end(at: now)
        case .answered(let effects):
            // What has to be closed is closed before the reply says so (P5, P23).
            settle(effects)
            if helloDeadline != nil, session.hasBegun {
                helloDeadline = nil
                handle.noteBegun()
            }
            if try !connection.sendReply(descriptors) { waitForRoom(at: now) }
            if effects.contains(.delivery) { delivery.deliver() }
        }
    }

    /// While a reply waits no request is read, and what has been passed along with those may hold the client's own end:
    /// then nobody would ever hang up.
    private func waitForRoom(at now: Instant) {
        client?.wait(for: .writable)
        let deadline = now.advanced(byMilliseconds: patience.reply)
        replyDeadline = deadline
        setAlarm(deadline)
    }

    /// Whether the client has left undone for too long what others wait for.
    private func hasLostPatience(at now: Instant) -> Bool {
        for deadline in [helloDeadline, replyDeadline] {
            guard let deadline else { continue }
            if deadline <= now { return true }
            setAlarm(deadline)
        }
        return false
    }

    private func sourceReady(_ vsmmu: VSMMUID) {
        let now = beginTurn()
        let effects = delivery.read(vsmmu, at: now)
        settle(effects)
        if effects.contains(.delivery) { delivery.deliver() }
        endTurn()
    }

    private func subscriberReady(_ socket: ResourceID, _ readiness: Readiness) {
        _ = beginTurn()
        if readiness.contains(.hangup) || readiness.contains(.error) {
            delivery.dropSubscriber(socket)
        }
        delivery.deliver()
        settle([.subscriptions, .discarded])
        endTurn()
    }

    private func alarmRang() {
        alarm = nil
        let now = beginTurn()
        if isEnding {
            attemptEnd(at: now)
        } else if hasLostPatience(at: now) {
            end(at: now)
        } else {
            // Everything that may be due: a deadline of the session's, or a watch for which there was no room.
            let effects = session.timeout(at: now)
            settle(effects.union([.eventSources, .subscriptions]))
            delivery.deliver()
        }
        endTurn()
    }

    /// Does what has been posted.
    func obey(_ order: SessionOrder) {
        if isEnding {
            if case .explain(_, let mailbox) = order { mailbox.put(.ended) }
            return
        }
        let now = beginTurn()
        switch order {
        case .regrant:
            session.replaceGrant(owner.grant.grant(for: owner.peer, by: configuration), at: now)
            session.journalLimit = configuration.journalLimit
        case .quarantine(let device): _ = session.quarantine(device, at: now)
        case .release(let device): _ = session.release(device, at: now)
        case .handBack(let device): _ = session.handBack(device, at: now)
        case .letGo(let device): _ = session.letGo(device, at: now)
        case .explain(let request, let mailbox):
            mailbox.put(session.explain(request, at: now).map { .known($0) } ?? .noContext)
        case .stop:
            flush()
            end(at: now)
        }
        if !isEnding {
            settle([.eventSources, .discarded, .contexts])
            delivery.deliver()
        }
        endTurn()
    }

    // MARK: What a turn leads to

    private func beginTurn() -> Instant {
        let now = Instant(loop.now)
        handle.beginTurn(at: now)
        return now
    }

    private func endTurn() {
        session.passFaultsOn()
        if !isEnding {
            setAlarm(session.deadline)
            // What delivering has led to: subscribers that have gone, sockets of vSMMUs that had gone before.
            settle(session.takeEffects())
            closeDiscarded()
            followMeters()
        }
        let contexts = contextsChanged ? session.contextSnapshots() : nil
        contextsChanged = false
        let snapshot = session.snapshot
        handle.endTurn(snapshot, turnTime(snapshot.counters), contexts: contexts, faults: session.takeFaults()) {
            session.copyTallies(into: &$0, since: $1)
        }
    }

    /// Counts of contexts that change with each event are published now and then.
    private func followMeters() {
        guard session.metersChanged else { return }
        let now = Instant(loop.now)
        if now < nextMeters { return setAlarm(nextMeters) }
        session.metersChanged = false
        contextsChanged = true
        nextMeters = now.advanced(byMilliseconds: Self.meterMilliseconds)
    }

    private func turnTime(_ counters: SessionCounters) -> TurnTime {
        var time = TurnTime(begin: Instant(loop.now), end: Instant(.now))
        if session.hasUndelivered {
            if undeliveredSince == nil { undeliveredSince = time.begin }
        } else if undeliveredSince != nil || counters.eventsDelivered != delivered {
            time.eventsWaited = time.end.since(undeliveredSince ?? time.begin)
            undeliveredSince = nil
        }
        delivered = counters.eventsDelivered
        return time
    }

    /// Follows the session in what it watches, and closes what it no longer needs: in this order, because a descriptor
    /// must not be closed while it is watched.
    private func settle(_ effects: Session.Effects) {
        if effects.contains(.eventSources) || effects.contains(.subscriptions) { follow() }
        if effects.contains(.discarded) { closeDiscarded() }
        if effects.contains(.contexts) { contextsChanged = true }
    }

    private func closeDiscarded() {
        guard session.hasDiscarded else { return }
        for id in session.takeDiscarded() { descriptors.remove(id.rawValue) }
    }

    private func follow() {
        do {
            try delivery.followSources()
            try delivery.followSubscriptions()
        } catch {
            // The host has no descriptor or no memory for a watch. The events wait where they are.
            setAlarm(Instant(loop.now).advanced(byMilliseconds: 1000))
        }
    }

    /// Wakes the loop at `deadline`, if it does not wake before: waking too early costs a turn and nothing else.
    private func setAlarm(_ deadline: Instant?) {
        guard let deadline else { return }
        if let alarm {
            if alarm.at <= deadline { return }
            loop.cancel(alarm.timer)
        }
        let timer = loop.schedule(at: MonotonicTime(nanoseconds: deadline.nanoseconds)) { [unowned self] _ in
            alarmRang()
        }
        alarm = (timer, deadline)
    }

    // MARK: The end

    /// What the owner's sockets take without waiting, before the daemon goes.
    private func flush() {
        do throws(Errno) { _ = try connection.sendReply(descriptors) } catch {}
        delivery.flush()
    }

    /// The VMM is gone, or the daemon is about to be: nothing more is read, devices abort, memory is unmapped (P24).
    private func end(at now: Instant) {
        if isEnding { return }
        isEnding = true
        client = nil
        delivery.stopReading()
        if let alarm { loop.cancel(alarm.timer) }
        alarm = nil
        attemptEnd(at: now)
    }

    /// A device that is being reset is busy: the session says when to try again.
    private func attemptEnd(at now: Instant) {
        contextsChanged = true
        if let retry = session.end(at: now) { return setAlarm(retry) }
        delivery.close()
        closeDiscarded()
        loop.stop()
    }
}

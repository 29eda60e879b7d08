import BrokerCore
import EventLoop
import LinuxSystem
import Wire

/// The way of a session's events: from the descriptors that announce them, through the rings in the session, into the
/// owner's sockets and shared queues (P25). One that is full stops the reading of the sources that go there, and nothing
/// else.
final class EventDelivery {
    private final class Source {
        let id: Session.EventSource
        private let watch: Watch
        /// A copy of the backend's: that one may be closed by whoever owns it, at any time.
        private let fd: OwnedFD

        init(
            _ id: Session.EventSource, _ fd: consuming OwnedFD, on loop: EventLoop,
            _ ready: @escaping (Readiness) -> Void
        ) throws(Errno) {
            self.id = id
            watch = try Watch(fd.raw, for: .readable, on: loop, ready)
            self.fd = fd
        }

        /// Changes nothing when it is so already.
        func read(_ reads: Bool) { watch.wait(for: reads ? .readable : .none) }
    }

    private final class Subscriber {
        let id: ResourceID
        private let watch: Watch
        let socket: SeqPacketSocket

        init(
            _ id: ResourceID, _ fd: consuming OwnedFD, on loop: EventLoop, _ ready: @escaping (Readiness) -> Void
        ) throws(Errno) {
            self.id = id
            watch = try Watch(fd.raw, for: .none, on: loop, ready)
            socket = SeqPacketSocket(adopting: fd)
            // Nobody reads it: what lies in it could be the ends of sockets whose hang-up is waited for.
            try socket.stopReceiving()
        }

        func waitForRoom(_ waits: Bool) { watch.wait(for: waits ? .writable : .none) }
    }

    /// Packets for the owner in one turn: requests have theirs in between.
    static let packetsInTurn = 8
    private static let flushRounds = 64

    private let session: Session
    private let descriptors: DescriptorTable
    private let loop: EventLoop
    private let packet: PrivatePages
    private var sources: [Source] = []
    private var subscribers: [Subscriber] = []

    /// What to do when a source, or a subscriber's socket, is ready.
    var sourceReady: (VSMMUID) -> Void = { _ in }
    var subscriberReady: (ResourceID, Readiness) -> Void = { _, _ in }

    init(_ session: Session, _ descriptors: DescriptorTable, on loop: EventLoop) throws(Errno) {
        (self.session, self.descriptors, self.loop) = (session, descriptors, loop)
        packet = try PrivatePages(count: EventHeader.byteCount + Limits.events * 32)
    }

    /// Watches the sources that the session has now. Throws when the host has no room for another watch; those that are
    /// missing are found at the next call.
    func followSources() throws(Errno) {
        let wanted = session.eventSources
        sources.removeAll { !wanted.contains($0.id) }
        for id in wanted where !sources.contains(where: { $0.id == id }) { sources.append(try source(id)) }
    }

    /// Watches the subscribers that the session has now. Throws as above.
    func followSubscriptions() throws(Errno) {
        let wanted = session.sockets
        subscribers.removeAll { !wanted.contains($0.id) }
        for id in wanted where !subscribers.contains(where: { $0.id == id }) {
            let fd = try descriptors.duplicate(id.rawValue)
            subscribers.append(
                try Subscriber(id, fd, on: loop) { [unowned self] readiness in subscriberReady(id, readiness) })
        }
    }

    private func source(_ id: Session.EventSource) throws(Errno) -> Source {
        let fd = try descriptors.duplicate(id.descriptor.rawValue)
        // Called directly: each object in between is one more to be counted for each event.
        let source = try Source(id, fd, on: loop) { [ready = sourceReady] _ in ready(id.vsmmu) }
        source.read(session.hasRoomForEvents(of: id.vsmmu))
        return source
    }

    /// Moves what a source has into its vSMMU's ring.
    func read(_ vsmmu: VSMMUID, at now: Instant) -> Session.Effects {
        let effects = session.readSource(of: vsmmu, at: now)
        adjustReading()
        return effects
    }

    /// Hands the owner what its queues and sockets take. With more left for a socket than one turn allows, the socket's
    /// room calls again; a queue takes all at once, or the session's deadline does.
    func deliver() {
        let now = Instant(loop.now)
        session.fillQueues(at: now)
        if subscribers.isEmpty { return adjustReading() }
        if sendInTurn() { session.fillQueues(at: now) }
        adjustReading()
    }

    /// Sends each socket its share of a turn; true: something has been sent, behind which there may be more for a queue.
    private func sendInTurn() -> Bool {
        var hasSent = false
        var gone: [ResourceID] = []
        for subscriber in subscribers {
            let (outcome, sent) = send(Self.packetsInTurn, to: subscriber)
            if sent > 0 { hasSent = true }
            if case .gone = outcome { gone.append(subscriber.id) } else { subscriber.waitForRoom(outcome == .more) }
        }
        for id in gone { dropSubscriber(id) }
        // What they did not take may go to another now.
        if !gone.isEmpty { for subscriber in subscribers { subscriber.waitForRoom(true) } }
        return hasSent
    }

    /// Hands the owner what its queues and sockets take, once and for all: reads the sources too, because nobody will
    /// again.
    func flush() {
        // Each round either empties the rings or ends this; a device that faults for ever does not keep it going for ever.
        for _ in 0..<Self.flushRounds {
            for source in sources { _ = session.readSource(of: source.id.vsmmu, at: Instant(loop.now)) }
            session.fillQueues(at: Instant(loop.now))
            var isDone = true
            for subscriber in subscribers {
                let (outcome, sent) = send(.max, to: subscriber)
                if outcome == .empty, sent > 0 { isDone = false }
            }
            if isDone { return }
        }
    }

    private enum Outcome { case empty, more, gone }

    private func send(_ packets: Int, to subscriber: Subscriber) -> (outcome: Outcome, sent: Int) {
        var sent = 0
        while true {
            let count = packet.write { bytes in session.nextDelivery(to: subscriber.id, into: &bytes) }
            if count == 0 { return (.empty, sent) }
            if sent == packets { return (.more, sent) }
            do throws(Errno) {
                let taken = try packet.read(count) { bytes throws(Errno) in try subscriber.socket.send(bytes) }
                if !taken { return (.more, sent) }
            } catch { return (.gone, sent) }
            session.delivered()
            sent += 1
        }
    }

    /// The owner has closed its socket, or it takes no packet ever: what is for it waits for another.
    func dropSubscriber(_ id: ResourceID) {
        subscribers.removeAll { $0.id == id }
        session.subscriberGone(id)
        adjustReading()
    }

    /// Reads no source any more.
    func stopReading() { sources = [] }

    /// Lets go of everything, before the session's descriptors are closed.
    func close() {
        sources = []
        subscribers = []
    }

    private func adjustReading() {
        for source in sources { source.read(session.hasRoomForEvents(of: source.id.vsmmu)) }
    }
}

extension Instant {
    init(_ time: MonotonicTime) { self.init(nanoseconds: time.nanoseconds) }
}

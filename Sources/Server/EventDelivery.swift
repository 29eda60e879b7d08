import BrokerCore
import EventLoop
import LinuxSystem
import Wire

/// The way of a session's events: from the descriptors that announce them, through the owner's ring in the session, into
/// the owner's socket (P25). A socket that is full stops the reading of sources, and nothing else.
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
    private var subscriber: Subscriber?
    private var readsSources = true

    /// What to do when a source, or the subscriber's socket, is ready.
    var sourceReady: (VSMMUID) -> Void = { _ in }
    var subscriberReady: (Readiness) -> Void = { _ in }

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

    /// Watches the subscriber that the session has now. Throws as above.
    func followSubscription() throws(Errno) {
        let wanted = session.subscription
        if wanted == subscriber?.id { return }
        subscriber = nil
        guard let wanted else { return }
        let fd = try descriptors.duplicate(wanted.rawValue)
        subscriber = try Subscriber(wanted, fd, on: loop) { [unowned self] readiness in subscriberReady(readiness) }
    }

    private func source(_ id: Session.EventSource) throws(Errno) -> Source {
        let fd = try descriptors.duplicate(id.descriptor.rawValue)
        // Called directly: each object in between is one more to be counted for each event.
        let source = try Source(id, fd, on: loop) { [ready = sourceReady] _ in ready(id.vsmmu) }
        source.read(readsSources)
        return source
    }

    /// Moves what a source has into the owner's ring.
    func read(_ vsmmu: VSMMUID, at now: Instant) -> Session.Effects {
        let effects = session.readSource(of: vsmmu, at: now)
        adjustReading()
        return effects
    }

    /// Hands the owner what its socket takes. With more left than one turn allows, the socket's room calls again.
    func deliver() {
        guard let subscriber else { return }
        let outcome = send(Self.packetsInTurn, to: subscriber)
        if case .gone = outcome { return dropSubscriber() }
        subscriber.waitForRoom(outcome == .more)
        adjustReading()
    }

    /// Hands the owner what its socket takes, once and for all: reads the sources too, because nobody will again.
    func flush() {
        guard let subscriber else { return }
        // Each round either empties the ring or ends this; a device that faults for ever does not keep it going for ever.
        for _ in 0..<Self.flushRounds {
            for source in sources { _ = session.readSource(of: source.id.vsmmu, at: Instant(loop.now)) }
            if send(.max, to: subscriber) != .empty { return }
        }
    }

    private enum Outcome { case empty, more, gone }

    private func send(_ packets: Int, to subscriber: Subscriber) -> Outcome {
        var sent = 0
        while true {
            let count = packet.write { bytes in session.nextDelivery(into: &bytes) }
            if count == 0 { return .empty }
            if sent == packets { return .more }
            do throws(Errno) {
                let taken = try packet.read(count) { bytes throws(Errno) in try subscriber.socket.send(bytes) }
                if !taken { return .more }
            } catch { return .gone }
            session.delivered()
            sent += 1
        }
    }

    /// The owner has closed its socket, or it takes no packet ever: what is in the ring waits for another.
    func dropSubscriber() {
        subscriber = nil
        session.subscriberGone()
        adjustReading()
    }

    /// Reads no source any more.
    func stopReading() { sources = [] }

    /// Lets go of everything, before the session's descriptors are closed.
    func close() {
        sources = []
        subscriber = nil
    }

    private func adjustReading() {
        let reads = session.hasRoomForEvents
        if reads == readsSources { return }
        readsSources = reads
        for source in sources { source.read(reads) }
    }
}

extension Instant {
    init(_ time: MonotonicTime) { self.init(nanoseconds: time.nanoseconds) }
}

package import BrokerCore
package import EventLoop
import Synchronization
import Wire

/// What other threads know of a session, and how they reach it.
package final class SessionHandle: Sendable {
    package let id: SessionID
    package let peer: PeerIdentity
    /// The name of the grant it is under; empty without one.
    package let grant: String
    /// Its loop. Post, and never wait.
    package let poster: LoopPoster
    private let published: Mutex<Published>
    /// When the turn in hand began, in nanoseconds; 0 between turns.
    private let turnBegan = Atomic<UInt64>(0)
    private let begun = Atomic(false)

    private struct Published {
        var snapshot: SessionSnapshot
        var contexts: [ContextSnapshot] = []
        var faults = FaultCounters()
    }

    package init(id: SessionID, peer: PeerIdentity, grant: String, poster: LoopPoster) {
        (self.id, self.peer, self.grant, self.poster) = (id, peer, grant, poster)
        published = Mutex(Published(snapshot: SessionSnapshot(id: id, vm: nil, pid: peer.pid, uid: peer.uid)))
    }

    /// What was published last.
    package var snapshot: SessionSnapshot { published.withLock { $0.snapshot } }
    package var contexts: [ContextSnapshot] { published.withLock { $0.contexts } }
    package var faults: FaultCounters { published.withLock { $0.faults } }
    /// When the session's thread went into what it is doing now; nil when it waits for something to do.
    package var busySince: Instant? {
        let began = turnBegan.load(ordering: .relaxed)
        return began == 0 ? nil : Instant(nanoseconds: began)
    }

    package func beginTurn(at now: Instant) { turnBegan.store(max(now.nanoseconds, 1), ordering: .relaxed) }

    /// There has been a HELLO that was granted. True before the client has its reply, so that whoever connects next finds it.
    package var hasBegun: Bool { begun.load(ordering: .acquiring) }
    package func noteBegun() { begun.store(true, ordering: .releasing) }

    /// `contexts`, `faults`: nil when they are as before.
    package func endTurn(_ snapshot: SessionSnapshot, contexts: [ContextSnapshot]?, faults: FaultCounters? = nil) {
        published.withLock { published in
            published.snapshot = snapshot
            if let contexts { published.contexts = contexts }
            if let faults { published.faults = faults }
        }
        turnBegan.store(0, ordering: .relaxed)
    }
}

/// All sessions, for whoever wants to see or reach them.
package final class SessionTable: Sendable {
    private struct Contents {
        var handles: [SessionHandle] = []
        var isClosed = false
        var ended = EndedSessions()
    }
    private let contents = Mutex(Contents())
    package init() {}

    package func insert(_ handle: SessionHandle) { contents.withLock { $0.handles.append(handle) } }
    package func remove(_ id: SessionID) {
        contents.withLock { contents in
            guard let index = contents.handles.firstIndex(where: { $0.id == id }) else { return }
            contents.ended.add(contents.handles.remove(at: index))
        }
    }
    /// What those did that are no longer there.
    package var ended: EndedSessions { contents.withLock { $0.ended } }
    /// In the order in which they began.
    package var all: [SessionHandle] { contents.withLock { $0.handles } }
    package func handle(_ id: SessionID) -> SessionHandle? {
        contents.withLock { $0.handles.first { $0.id == id } }
    }

    /// Whether the daemon ends: a session that finds this when it begins ends at once.
    package var isClosed: Bool { contents.withLock { $0.isClosed } }
    /// From then on sessions that begin end at once; those there are, for the caller to end.
    package func close() -> [SessionHandle] {
        contents.withLock { contents in
            contents.isClosed = true
            return contents.handles
        }
    }
}

package import BrokerCore
import EventLoop
package import LinuxSystem
import Synchronization

/// The thread of one session, in which everything of the session is made, used and destroyed.
package final class SessionThread {
    /// Why a session did not come to be.
    package typealias Ended = @Sendable (SessionID, Errno?) -> Void

    package let owner: SessionOwner
    private var thread: Thread?

    private init(_ owner: SessionOwner, _ thread: consuming Thread) {
        self.owner = owner
        self.thread = consume thread
    }

    /// Starts a session for whoever is at the other end of `socket`.
    ///
    /// - Parameter ended: Called in the thread, once, as the last thing: without an error when the session has ended, with
    ///   one when the host had no room for it.
    package static func start(
        _ owner: SessionOwner, _ socket: consuming SeqPacketSocket, _ setup: SessionSetup, ended: @escaping Ended
    ) throws(Errno) -> SessionThread {
        let handover = Handover(socket)
        let thread = try Thread.start(name: "session-\(owner.id)", stackSize: stackSize) {
            ended(owner.id, run(owner, handover, setup))
        }
        return SessionThread(owner, thread)
    }

    /// Waits for its end.
    package func join() { thread.take()?.join() }

    /// Bytes. What is not touched takes no room.
    private static let stackSize = 256 << 10

    private static func run(_ owner: SessionOwner, _ handover: Handover, _ setup: SessionSetup) -> Errno? {
        guard let socket = handover.take() else { return nil }
        do throws(Errno) {
            let session = try SessionLoop(owner, socket, setup)
            setup.table.insert(session.handle)
            defer { setup.table.remove(owner.id) }
            // Grants that changed, and a stop that was called for, before there was anybody to tell.
            session.obey(setup.table.isClosed ? .stop : .regrant)
            try session.run()
            return nil
        } catch { return error }
    }
}

/// A socket on its way to another thread.
private final class Handover: Sendable {
    private let socket: Mutex<SeqPacketSocket?>

    init(_ socket: consuming SeqPacketSocket) { self.socket = Mutex(consume socket) }

    func take() -> SeqPacketSocket? { socket.withLock { socket in socket.take() } }
}

import BrokerCore
import EventLoop
package import Wire

/// What others ask of a session. They post it, and never wait for it.
package enum SessionOrder: Sendable {
    /// The grants have changed: the session looks up its own.
    case regrant
    /// A device goes to ABORT and stays there.
    case quarantine(Name)
    /// It may translate again.
    case release(Name)
    /// It is taken from its guest, for the host.
    case handBack(Name)
    /// The one or the other: out of its quarantine, or from its guest.
    case letGo(Name)
    /// The daemon ends, or an operator ends the session.
    case stop
}

extension SessionHandle {
    /// Has the session do something in its own thread, after the turn in hand. A session that ends meanwhile does not.
    package func order(_ order: SessionOrder) {
        poster.post { loop in
            if let address = loop.owner as? SessionAddress { address.session.obey(order) }
        }
    }
}

/// What a loop knows its session by, and the session owns. The loop's reference is weak, and an object with a weak
/// reference to it counts all its references the slow way: better this one than the session.
final class SessionAddress {
    unowned let session: SessionLoop
    init(_ session: SessionLoop) { self.session = session }
}

package import Wire

/// One session: takes packets, decides by the rules, has the backend do what is allowed, and writes the reply.
///
/// For one thread. It makes no system call and reads no clock.
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

        package init(
            id: SessionID, peer: PeerIdentity, grant: Grant?, epoch: Epoch, directory: any DeviceDirectory,
            backend: any TranslationBackend, observer: any SessionObserver, ledger: any Ledger = NoLedger()
        ) {
            (self.id, self.peer, self.grant, self.epoch) = (id, peer, grant, epoch)
            (self.directory, self.backend, self.observer, self.ledger) = (directory, backend, observer, ledger)
        }
    }

    /// What is to be sent for a packet, and what became of its descriptors.
    package struct Answer: Hashable, Sendable {
        /// Bytes of the reply.
        package var byteCount: Int
        /// Which of the packet's descriptors the session keeps; the others are to be closed before the reply is sent.
        package var keepsFirst = false
        package var keepsSecond = false
        /// A descriptor to send along; its owner closes it afterwards.
        package var descriptor: ResourceID?
        package var effects: Effects = []
        package init(byteCount: Int) { self.byteCount = byteCount }
    }

    // To be filled in: what the session's loop calls.

    package init(_ context: Context) { self.context = context }
    private let context: Context

    /// Does one request. `truncated`: the packet, or its descriptors, did not arrive whole. Writes the one reply to
    /// `reply`, which has room for the largest packet.
    package func handle(
        _ packet: RawSpan, files: [ReceivedFile], descriptorsTruncated: Bool, at now: Instant,
        reply: inout MutableRawSpan
    ) -> Answer { Answer(byteCount: 0) }

    /// A descriptor to watch for each vSMMU that has one.
    package struct EventSource: Hashable, Sendable {
        package var vsmmu: VSMMUID
        package var descriptor: ResourceID
    }
    package var eventSources: [EventSource] { [] }
    /// False while the owner's ring is full: then sources are not to be read, until something has been delivered.
    package var hasRoomForEvents: Bool { true }
    /// Reads what a source has and the ring has room for, a bounded amount.
    package func readSource(of vsmmu: VSMMUID, at now: Instant) -> Effects { [] }

    /// The socket to deliver events to; nil while nobody has subscribed, or its peer has gone.
    package var subscription: ResourceID? { nil }
    /// Encodes the oldest undelivered packet; 0 when there is none. It stays until ``delivered()``.
    package func nextDelivery(into packet: inout MutableRawSpan) -> Int { 0 }
    /// The packet of the last ``nextDelivery(into:)`` has been sent.
    package func delivered() {}
    /// The subscriber has gone: keeps everything for the next one.
    package func subscriberGone() {}
    /// Descriptors that the session needed and does no more, to be closed.
    package func takeDiscarded() -> [ResourceID] { [] }

    /// The first time at which ``timeout(at:)`` has something to do.
    package var deadline: Instant? { nil }
    package func timeout(at now: Instant) -> Effects { [] }

    /// Another grant counts from now on; nil: nothing more may be had.
    package func replaceGrant(_ grant: Grant?) {}
    /// An operator's doing: a device goes to ABORT and stays there, or may translate again. False: no such device here.
    package func quarantine(_ device: Name) -> Bool { false }
    package func release(_ device: Name) -> Bool { false }

    /// The client is gone, or the daemon ends. Devices to ABORT, then memory, then objects. Nil when everything is done;
    /// else when to call again, because a device was busy.
    package func end(at now: Instant) -> Instant? { nil }

    package var snapshot: SessionSnapshot {
        SessionSnapshot(id: context.id, vm: nil, pid: context.peer.pid, uid: context.peer.uid)
    }
    package func contextSnapshots() -> [ContextSnapshot] { [] }

    /// What has changed that the session's loop has to look at.
    package struct Effects: OptionSet, Hashable, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        /// ``Session/eventSources``.
        package static let eventSources = Effects(rawValue: 1)
        /// ``Session/subscription``, or something is there to be delivered.
        package static let delivery = Effects(rawValue: 2)
        /// Descriptors that the session no longer needs: ``Session/takeDiscarded()``.
        package static let discarded = Effects(rawValue: 4)
        /// ``Session/contextSnapshots()`` gives something new.
        package static let contexts = Effects(rawValue: 8)
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

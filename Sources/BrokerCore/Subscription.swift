package import Wire

extension SessionState {
    /// Where the events of a vSMMU go, or of all that have no subscription of their own.
    package struct Subscription: Hashable, Sendable, Keyed {
        /// Or ``VSMMUID/every``.
        package let key: VSMMUID
        package var delivery: Delivery

        package enum Delivery: Hashable, Sendable {
            case socket(ResourceID)
            case queue(SharedQueue)
        }

        package init(of key: VSMMUID, _ delivery: Delivery) { (self.key, self.delivery) = (key, delivery) }

        /// The socket that packets go to: of a queue, those of notices.
        package var socket: ResourceID? {
            switch delivery {
            case .socket(let socket): socket
            case .queue(let queue): queue.notices
            }
        }

        func forEachResource(_ body: (ResourceID) -> Void) {
            if case .queue(let queue) = delivery {
                for resource in [queue.records, queue.registers, queue.signal] { body(resource) }
            }
            if let socket { body(socket) }
        }
    }

    /// An event queue in memory that the owner shares.
    package struct SharedQueue: Hashable, Sendable {
        /// Memory with the records.
        package var records: ResourceID
        /// Memory with PROD and CONS.
        package var registers: ResourceID
        /// An eventfd.
        package var signal: ResourceID
        /// A socket for all that is no record.
        package var notices: ResourceID?
        package var place: EventsSubscribeRequest.Queue

        package init(
            records: ResourceID, registers: ResourceID, signal: ResourceID, notices: ResourceID?,
            place: EventsSubscribeRequest.Queue
        ) {
            (self.records, self.registers, self.signal) = (records, registers, signal)
            (self.notices, self.place) = (notices, place)
        }
    }
}

import CSMMUBroker
package import LinuxSystem
package import SMMUv3
package import Wire

/// The client's end of an event socket.
package final class EventReceiver {
    /// One packet of it.
    package struct Delivery: Hashable, Sendable {
        package var header: EventHeader
        package var content: Content

        package init(header: EventHeader, content: Content) { (self.header, self.content) = (header, content) }

        package enum Content: Hashable, Sendable {
            case events([EventRecord])
            case lost(LossNotice)
            case health(HealthNotice)
            case deviceGone(HealthNotice)
            case epoch(Epoch)
        }
    }

    /// What ``next(waitingAtMost:)`` came back with.
    package enum Outcome: Hashable, Sendable {
        case delivery(Delivery)
        /// Nothing came in time.
        case nothing
        /// The broker has closed the socket.
        case ended
    }

    private let socket: SeqPacketSocket
    private var buffer = [UInt8](repeating: 0, count: Limits.packet)

    package init(adopting socket: consuming SeqPacketSocket) { self.socket = socket }

    /// To be watched by a loop of the caller's; readable when ``next(waitingAtMost:)`` has something.
    package var descriptor: Int32 { socket.fd.raw }

    /// The next packet. `milliseconds`: how long to wait for one; nil: as long as it takes.
    package func next(waitingAtMost milliseconds: Int32? = 0) throws(BrokerError) -> Outcome {
        // Spans are of variables, and not of a class's fields.
        var buffer: [UInt8] = []
        swap(&buffer, &self.buffer)
        defer { swap(&buffer, &self.buffer) }
        let count: Int
        do throws(Errno) {
            guard try socket.waitReadable(milliseconds: milliseconds) else { return .nothing }
            var span = buffer.mutableSpan
            // SAFETY: bytes, of which any bits are some.
            var bytes = unsafe span.mutableBytes
            guard let received = try socket.receive(into: &bytes) else { return .nothing }
            count = received.byteCount
        } catch {
            if error == .connectionReset { return .ended }
            throw BrokerError(error, "Cannot receive events")
        }
        if count == 0 { return .ended }
        // SAFETY: as above.
        return .delivery(try Self.decode(unsafe buffer.span.bytes.extracting(first: min(count, buffer.count))))
    }

    private static func decode(_ packet: RawSpan) throws(BrokerError) -> Delivery {
        do throws(WireFault) {
            let message = try EventMessage(decoding: packet)
            let content: Delivery.Content =
                switch message.body {
                case .events(let records): .events(records.array(in: packet))
                case .lost(let notice): .lost(notice)
                case .health(let notice): .health(notice)
                case .deviceGone(let notice): .deviceGone(notice)
                case .epoch(let epoch): .epoch(epoch)
                }
            return Delivery(header: message.header, content: content)
        } catch {
            throw BrokerError(error)
        }
    }
}

extension BrokerConnection {
    /// Subscribes to the events of a vSMMU, or of all, and returns the end at which they come out.
    package func subscribe(to vsmmu: VSMMUID = .every) throws(BrokerError) -> EventReceiver {
        let pair: SeqPacketSocket.Pair
        do { pair = try SeqPacketSocket.pair() } catch { throw BrokerError(error, "Cannot make sockets for events") }
        let raw = pair.second.fd.raw
        try request { client in
            // SAFETY: the call keeps no pointer.
            unsafe smmu_broker_client_events_subscribe_socket(client.pointer, vsmmu.rawValue, raw)
        }
        return EventReceiver(adopting: pair.closingSecond())
    }

    /// Has the events of a vSMMU put into a queue of 2^`log2` records at `base` of `memory`, with PROD at `registers` of
    /// the same memory, and `signal` signalled. `notices`: a socket for all that is no record.
    package func subscribe(
        to vsmmu: VSMMUID, queueIn memory: borrowing OwnedFD, at queue: EventsSubscribeRequest.Queue,
        signalling signal: borrowing EventFD, notices: Int32? = nil
    ) throws(BrokerError) {
        let shared = smmu_broker_shared_queue(
            records_fd: memory.raw, registers_fd: memory.raw, signal_fd: signal.fd.raw, notices_fd: notices ?? -1,
            base: queue.base, registers: queue.registers, log2: queue.log2, reserved: 0)
        try request { client in
            // SAFETY: the call keeps no pointer.
            unsafe withUnsafePointer(to: shared) { shared in
                unsafe smmu_broker_client_events_subscribe_queue(client.pointer, vsmmu.rawValue, shared)
            }
        }
    }
}

package import LinuxSystem
package import Wire

/// The operator's end of a monitor's socket.
package final class MonitorReceiver {
    /// One packet of it.
    package enum Delivery: Hashable, Sendable {
        case events([MonitorEvent])
        case notices([MonitorNotice])
        /// This monitor was too slow for so much.
        case lost(MonitorLoss)
        /// Nothing came in time.
        case nothing
        /// There is no more: the past has been told, or the daemon has ended.
        case ended
    }

    private let socket: SeqPacketSocket
    private var buffer = [UInt8](
        repeating: 0, count: MonitorMessage.byteCount + AdminLimits.records * MonitorEvent.byteCount)

    package init(adopting socket: consuming SeqPacketSocket) { self.socket = socket }

    /// The next packet. `milliseconds`: how long to wait for one; nil: as long as it takes.
    package func next(waitingAtMost milliseconds: Int32? = nil) throws(BrokerError) -> Delivery {
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
            count = min(received.byteCount, bytes.byteCount)
        } catch {
            if error == .connectionReset { return .ended }
            throw BrokerError(error, "Cannot receive from the monitor's socket")
        }
        if count == 0 { return .ended }
        // SAFETY: as above.
        let packet = unsafe buffer.span.bytes.extracting(first: count)
        do throws(WireFault) {
            switch try MonitorMessage(decoding: packet).body {
            case .events(let records): return .events(records.array(in: packet))
            case .notices(let records): return .notices(records.array(in: packet))
            case .lost(let loss): return .lost(loss)
            }
        } catch { throw BrokerError(error) }
    }
}

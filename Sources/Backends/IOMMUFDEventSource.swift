import BrokerCore
import IOMMUFD
import LinuxSystem
import SMMUv3

/// The event queue of a vSMMU, the queue of its stalled transactions, and the descriptor to wait for both.
///
/// That one is an epoll of their own descriptors and of one that is readable while records have been taken out of the kernel
/// and not been given on. Nobody else has the queues' own, so that the kernel lets them go.
final class IOMMUFDEventSource {
    let resource: ResourceID
    private let queue: EventQueue
    private let stalls: IOMMUFDStalls?
    private let remainder: EventFD
    private var signalled = false
    /// Why it is not read any more: its descriptor would be readable for ever.
    private(set) var failure: IOMMUError?
    /// Errors in passing, one after the other.
    private var hiccups = 0
    private static let mostHiccups = 64

    init(of queue: EventQueue, and stalls: IOMMUFDStalls?, in descriptors: DescriptorTable) throws(IOMMUError) {
        (self.queue, self.stalls) = (queue, stalls)
        do throws(Errno) {
            remainder = try EventFD()
            let epoll = try Epoll()
            try epoll.add(queue.raw, .readable, data: 0)
            try epoll.add(remainder.fd.raw, .readable, data: 1)
            if let stalls { try epoll.add(stalls.queue.raw, .readable, data: 2) }
            resource = ResourceID(rawValue: descriptors.insert(epoll.intoDescriptor()))
        } catch { throw IOMMUError(error, .eventQueue, "make descriptors for an event queue") }
    }

    /// Events first, then transactions of `streams` that stall. Nothing after a failure.
    func read(into slots: inout MutableSpan<EventRecord>, _ streams: [IOMMUFDStream]) -> EventsRead {
        var read = EventsRead(count: 0)
        if failure != nil { return read }
        do throws(IOMMUError) {
            let reading = try queue.read(into: &slots)
            (read.count, read.lost) = (reading.count, reading.lost &+ (stalls?.takeLost() ?? 0))
            while let stalls, read.count < slots.count, let record = try stalls.read(streams) {
                slots[read.count] = record
                read.count += 1
            }
            try signalRemainder()
            hiccups = 0
        } catch {
            hiccups += 1
            if !error.isTransient || hiccups > Self.mostHiccups { failure = error }
        }
        return read
    }

    /// Tries again after a failure.
    func restart() { (failure, hiccups) = (nil, 0) }

    /// Has the descriptor be readable while records have been taken out of the kernel, by whomever.
    func signalRemainder() throws(IOMMUError) {
        let remains = queue.hasRemainder || stalls?.hasRemainder ?? false
        if remains == signalled { return }
        do throws(Errno) {
            if remains { try remainder.signal() } else { try remainder.take() }
        } catch { throw IOMMUError(error, .readEvents, "signal that events remain") }
        signalled = remains
    }
}

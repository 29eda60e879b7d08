import BrokerCore
import IOMMUFD
import LinuxSystem
import SMMUv3

/// The event queue of a vSMMU, and the descriptor to wait for it.
///
/// That one is an epoll of two: the queue's own, and one that is readable while records have been taken out of the kernel
/// and not been given on. Nobody else has the queue's own, so that the kernel lets it go.
final class IOMMUFDEventSource {
    let resource: ResourceID
    private let queue: EventQueue
    private let remainder: EventFD
    private var signalled = false

    init(of queue: EventQueue, in descriptors: DescriptorTable) throws(IOMMUError) {
        self.queue = queue
        do throws(Errno) {
            remainder = try EventFD()
            let epoll = try Epoll()
            try epoll.add(queue.raw, .readable, data: 0)
            try epoll.add(remainder.fd.raw, .readable, data: 1)
            resource = ResourceID(rawValue: descriptors.insert(epoll.intoDescriptor()))
        } catch { throw IOMMUError(error, .eventQueue, "make descriptors for an event queue") }
    }

    func read(into slots: inout MutableSpan<EventRecord>) -> EventsRead {
        do throws(IOMMUError) {
            let reading = try queue.read(into: &slots)
            try signal(queue.hasRemainder)
            return EventsRead(count: reading.count, lost: reading.lost)
        } catch {
            // The records are where they were, and the descriptor is still readable.
            return EventsRead(count: 0)
        }
    }

    private func signal(_ remains: Bool) throws(IOMMUError) {
        if remains == signalled { return }
        do throws(Errno) {
            if remains { try remainder.signal() } else { try remainder.take() }
        } catch { throw IOMMUError(error, .readEvents, "signal that events remain") }
        signalled = remains
    }
}

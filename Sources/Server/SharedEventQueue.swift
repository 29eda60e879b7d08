import BrokerCore
import LinuxSystem
import SMMUv3
import Wire

/// An event queue in memory that a VMM shares: the pages with its records, the page with PROD and CONS, and the eventfd.
final class SharedEventQueue: SharedEventMemory {
    private let records: Mapping
    private let registers: Mapping
    private let signaller: EventSignaller
    /// In their mappings.
    private let base: UInt64
    private let producer: UInt64

    private static let pageSize: UInt64 = 4096
    private static let recordBytes: UInt64 = 32

    /// Maps no more pages than it needs.
    init(_ queue: SessionState.SharedQueue, _ descriptors: DescriptorTable) throws(Errno) {
        let place = queue.place
        base = place.base % Self.pageSize
        producer = place.registers % Self.pageSize
        records = try Self.map(
            queue.records, from: place.base - base, base + Self.recordBytes << UInt64(place.log2), descriptors)
        registers = try Self.map(queue.registers, from: place.registers - producer, producer + 8, descriptors)
        signaller = try EventSignaller(adopting: try descriptors.duplicate(queue.signal.rawValue))
    }

    private static func map(
        _ file: ResourceID, from offset: UInt64, _ bytes: UInt64, _ descriptors: DescriptorTable
    ) throws(Errno) -> Mapping {
        let count = (bytes + pageSize - 1) / pageSize * pageSize
        guard let count = Int(exactly: count) else { throw .invalid }
        return try Mapping(try descriptors.duplicate(file.rawValue), offset: offset, count: count, writable: true)
    }

    // Both words lie in the mapping, aligned: EventQueueRules has seen to it.
    func loadProducer() -> UInt32 { registers.loadAcquiring(at: producer) ?? 0 }
    func loadConsumer() -> UInt32 { registers.loadAcquiring(at: producer + 4) ?? 0 }
    func publish(_ new: UInt32) { _ = registers.storeReleasing(new, at: producer) }

    func write(_ new: Span<EventRecord>, at index: Int) {
        // SAFETY: a record is four words, of which all bytes are its value.
        let bytes = unsafe new.bytes
        _ = records.write(bytes, from: 0, count: bytes.byteCount, at: base + UInt64(index) * Self.recordBytes)
    }

    /// A descriptor that turns out to be unfit is the VMM's own loss: PROD says all that the signal does.
    func signal() {
        do throws(Errno) { try signaller.signal() } catch {}
    }
}

/// Maps event queues of the descriptors of one session.
final class SharedEventQueues: EventQueueMapper {
    private let descriptors: DescriptorTable
    init(_ descriptors: DescriptorTable) { self.descriptors = descriptors }

    func map(_ queue: SessionState.SharedQueue) throws(BackendFailure) -> any SharedEventMemory {
        do throws(Errno) { return try SharedEventQueue(queue, descriptors) } catch {
            throw BackendFailure(
                Status(rawValue: UInt32(bitPattern: error.code)), "map the event queue",
                advice: error == .notPermitted
                    ? "the file is sealed against writing, pass one without F_SEAL_WRITE and F_SEAL_FUTURE_WRITE"
                    : "the kernel says \(error), check the daemon's limits of memory and descriptors",
                isTransient: error == .again)
        }
    }
}

import CIOMMUFD
import LinuxSystem
package import SMMUv3

/// A vEVENTQ: events of a guest's streams, as the hardware recorded them, with the guest's StreamIDs.
package final class EventQueue {
    private let viommu: VIOMMU
    private let id: UInt32
    /// nil only while this is going: the kernel keeps the queue as long as its descriptor is open.
    private var descriptor: OwnedFD?
    private var sequence = EventQueueSequence()
    /// Bytes of the last read, of which those before `position` have been dealt with.
    private var bytes = [UInt8](repeating: 0, count: EventQueue.recordsAtOnce * EventQueue.recordBytes)
    private var position = 0
    private var filled = 0

    private static let headerBytes = 8
    private static let recordBytes = 40
    private static let recordsAtOnce = 64

    package init(in viommu: VIOMMU, depth: UInt32) throws(IOMMUError) {
        self.viommu = viommu
        do throws(Errno) {
            let handle = try viommu.kernel.allocateEventQueue(in: viommu.id, depth: depth)
            id = handle.id
            descriptor = Optional(handle.descriptor)
        } catch { throw IOMMUError(error, .eventQueue, "make an event queue") }
    }

    deinit {
        descriptor = nil
        do throws(Errno) {
            try viommu.kernel.destroy(id)
        } catch {
            assert(error == .notFound || error == .busy, "event queue \(id): \(error)")
        }
    }
}

extension EventQueue {
    /// Its descriptor's number, to wait for; readable while there are records.
    package var raw: Int32 { descriptor?.raw ?? -1 }

    /// Whether records have been read from the kernel and not been given out: then the descriptor may not be readable
    /// although there are some.
    package var hasRemainder: Bool { position < filled }

    /// What ``read(into:)`` gave.
    package struct Reading: Hashable, Sendable {
        package var count: Int
        /// Records that were lost before the first of them, exactly.
        package var lost: UInt64
    }

    /// Moves records into `slots`, oldest first. It ends before a gap, so that `lost` is always at the front; a reading of
    /// nothing at all means that the queue is empty.
    package func read(into slots: inout MutableSpan<EventRecord>) throws(IOMMUError) -> Reading {
        var reading = Reading(count: 0, lost: 0)
        while reading.count < slots.count {
            // What has been moved is given before an error is.
            if position == filled {
                do throws(IOMMUError) { try refill() } catch {
                    if reading.count > 0 || reading.lost > 0 { break }
                    throw error
                }
            }
            guard let next = peek() else {
                if position == filled || reading.count > 0 || reading.lost > 0 { break }
                // The kernel gives whole entries only: nothing behind this can be trusted.
                position = filled
                throw IOMMUError(.protocolError, .readEvents, "read events")
            }
            // Looked at with a copy: a gap behind what has been moved is for the next call.
            var ahead = sequence
            let lost = next.isMarker ? ahead.marker(next.sequence) : ahead.record(next.sequence)
            if lost > 0 && reading.count > 0 { break }
            sequence = ahead
            reading.lost += lost
            position += next.isMarker ? Self.headerBytes : Self.recordBytes
            if next.isMarker { continue }
            slots[reading.count] = next.record
            reading.count += 1
        }
        return reading
    }

    private func refill() throws(IOMMUError) {
        (position, filled) = (0, 0)
        guard descriptor != nil else { return }
        do throws(Errno) {
            filled = min(max(try viommu.kernel.readEvents(raw: self.raw, into: &bytes), 0), bytes.count)
        } catch { throw IOMMUError(error, .readEvents, "read events") }
    }

    private struct Entry {
        var isMarker: Bool
        var sequence: UInt32
        var record: EventRecord
    }

    /// The entry at `position`; nil when no whole one is there.
    private func peek() -> Entry? {
        guard filled - position >= Self.headerBytes else { return nil }
        let flags = word32(position)
        let number = word32(position + 4)
        if flags & UInt32(CIOMMUFD_VEVENT_LOST_EVENTS) != 0 {
            return Entry(isMarker: true, sequence: number, record: EventRecord(0, 0, 0, 0))
        }
        guard filled - position >= Self.recordBytes else { return nil }
        let record = EventRecord(
            word64(position + 8), word64(position + 16), word64(position + 24), word64(position + 32))
        return Entry(isMarker: false, sequence: number, record: record)
    }

    /// Of the header: the machine's byte order, which is little-endian on all that this runs on.
    private func word32(_ offset: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32(8 * $1) }
    }

    private func word64(_ offset: Int) -> UInt64 {
        (0..<8).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
    }
}

/// What the sequence numbers of a vEVENTQ say of records that were lost (linux/iommufd.h, iommufd_vevent_header).
///
/// They count from 0 to 2^31 − 1 and then from 0 again, records that were dropped included. A LOST marker bears the number
/// of the last one that was.
package struct EventQueueSequence: Hashable, Sendable {
    private var previous: UInt32 = 0x7fff_ffff

    package init() {}

    /// How many records are missing before the record with this number.
    package mutating func record(_ number: UInt32) -> UInt64 {
        defer { previous = number & 0x7fff_ffff }
        return UInt64((number &- previous &- 1) & 0x7fff_ffff)
    }

    /// How many are missing up to this marker.
    package mutating func marker(_ number: UInt32) -> UInt64 {
        defer { previous = number & 0x7fff_ffff }
        return UInt64((number &- previous) & 0x7fff_ffff)
    }
}

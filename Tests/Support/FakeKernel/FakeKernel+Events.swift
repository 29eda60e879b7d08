package import IOMMUFD
package import LinuxSystem
package import SMMUv3

/// A vEVENTQ.
final class FakeEventQueue {
    let descriptor: FakeDescriptor
    let depth: Int
    var records: [(sequence: UInt32, record: EventRecord)] = []
    /// The number of the last event that was dropped, while nothing has followed it.
    var marker: UInt32?
    var nextSequence: UInt32 = 0

    init(_ descriptor: FakeDescriptor, depth: UInt32) { (self.descriptor, self.depth) = (descriptor, Int(depth)) }

    /// Each event has a number, dropped ones too; they wrap below 2^31.
    func append(_ record: EventRecord) {
        let wasEmpty = records.isEmpty && marker == nil
        let sequence = nextSequence
        nextSequence = (nextSequence + 1) & 0x7fff_ffff
        if records.count < depth {
            // What was lost before it shows as a gap from now on.
            marker = nil
            records.append((sequence, record))
        } else {
            marker = sequence
        }
        if wasEmpty { descriptor.signal() }
    }
}

extension FakeKernel {
    package func allocateEventQueue(in viommu: UInt32, depth: UInt32) throws(Errno) -> QueueHandle {
        try enter(.eventQueue)
        guard case .viommu? = objects[viommu]?.kind else { throw .notFound }
        if !(1...524_288).contains(depth) { throw .invalid }
        if queue(of: viommu) != nil { throw .exists }
        let pipe = try FakeDescriptor.make()
        let id = insert(.queue(viommu: viommu, FakeEventQueue(pipe.kernel, depth: depth)), using: [viommu])
        return QueueHandle(id: id, descriptor: pipe.owner)
    }

    private func queue(of viommu: UInt32) -> FakeEventQueue? {
        for object in objects.values { if case .queue(viommu, let queue) = object.kind { return queue } }
        return nil
    }

    private func queue(raw: Int32) throws(Errno) -> FakeEventQueue {
        for object in objects.values {
            if case .queue(_, let queue) = object.kind, queue.descriptor.isSame(as: raw) { return queue }
        }
        throw .badDescriptor
    }

    /// Whole records that fit; 0, and no error, when there are none.
    package func readEvents(raw descriptor: Int32, into bytes: inout [UInt8]) throws(Errno) -> Int {
        try enter(.readEvents)
        if !garbage.isEmpty {
            let count = min(garbage.count, bytes.count)
            for index in 0..<count { bytes[index] = garbage[index] }
            garbage = []
            return count
        }
        let queue = try queue(raw: descriptor)
        if bytes.count < 8 { throw .invalid }
        var count = 0
        while let next = queue.records.first {
            if bytes.count - count < 40 {
                if count == 0 { throw .invalid }
                return count
            }
            Self.put([UInt64(next.sequence) << 32], at: count, into: &bytes)
            Self.put((0..<4).map { next.record.words[$0] }, at: count + 8, into: &bytes)
            queue.records.removeFirst()
            count += 40
        }
        if let marker = queue.marker {
            if bytes.count - count < 8 { return count }
            Self.put([1 | UInt64(marker) << 32], at: count, into: &bytes)
            queue.marker = nil
            count += 8
        }
        FakeDescriptor.quieten(descriptor)
        return count
    }

    static func put(_ words: [UInt64], at offset: Int, into bytes: inout [UInt8]) {
        for (index, word) in words.enumerated() {
            for byte in 0..<8 { bytes[offset + index * 8 + byte] = UInt8(truncatingIfNeeded: word >> UInt64(byte * 8)) }
        }
    }

    // MARK: What hardware records

    /// An event of a device. False: the kernel keeps it to its log.
    @discardableResult
    package func raise(_ record: EventRecord, by device: FakeDevice) -> Bool {
        guard let vsid = device.latched, case .nested(let viommu, _, _) = device.installed,
            let queue = queue(of: viommu), Self.isForwarded(record)
        else { return false }
        var record = record
        record.streamID = vsid
        queue.append(record)
        return true
    }

    private static func isForwarded(_ record: EventRecord) -> Bool {
        let kinds: [UInt64] = [0x04, 0x06, 0x08, 0x0a, 0x10, 0x11, 0x12, 0x13]
        return kinds.contains(record.words[0] & 0xff) && !record.stage2 && record.stallTag == nil
    }

    /// Has a vIOMMU's next event be numbered `sequence`.
    package func numberNextEvent(_ sequence: UInt32, in viommu: UInt32) {
        queue(of: viommu)?.nextSequence = sequence
    }

    /// All of them, the oldest first as long as none is destroyed.
    package var viommus: [UInt32] {
        objects.compactMap { if case .viommu = $0.value.kind { $0.key } else { nil } }.sorted()
    }
}

import BrokerCore
import IOMMUFD
import SMMUv3

/// The stalled transactions of a vSMMU: tags of our own, because the kernel keeps the hardware's and gives a cookie for
/// each.
final class IOMMUFDStalls {
    let queue: FaultQueue
    private var waiting: [Stall?] = []
    /// Where to look for a free tag: a tag is used again as late as possible, so that a late answer meets nobody.
    private var next = 0

    /// Faults that have been taken out of the queue without anybody being told of them; those before ``position`` have been
    /// told of since.
    private var kept: [Kept] = []
    private var position = 0
    /// Those that ``kept`` had no room for.
    private var lost: UInt64 = 0

    private struct Kept {
        var fault: FaultQueue.Fault
        /// The guest's number of a device whose transaction has ended: its cookie is another's by now. nil: it waits.
        var ended: StreamID?
    }

    private struct Stall {
        /// The device's number in the iommufd.
        var device: UInt32
        var cookie: UInt32
    }

    /// Transactions that may wait. Those beyond it are aborted at once, and told to the guest so.
    static let capacity = 4096

    init(_ queue: FaultQueue) { self.queue = queue }

    /// Whether there are records that no descriptor tells of.
    var hasRemainder: Bool { position < kept.count || lost > 0 || queue.hasRemainder }

    /// The record of the oldest transaction that nobody knows of; nil: there is none. One that has ended meanwhile has no
    /// tag. Those of devices that are not there any more have been answered by the kernel.
    func read(_ streams: [IOMMUFDStream]) throws(IOMMUError) -> EventRecord? {
        while let (fault, ended) = try takeOldest() {
            if let ended { return Self.record(of: fault, ended) }
            guard let stream = streams.first(where: { $0.bound.id == fault.device }) else {
                _ = try queue.answer(fault.cookie, retry: false)
                continue
            }
            var record = Self.record(of: fault, stream.vsid)
            record.stallTag = try tag(for: fault)
            return record
        }
        return nil
    }

    private static func record(of fault: FaultQueue.Fault, _ vsid: StreamID) -> EventRecord {
        var record = EventRecord(.translation, stream: vsid)
        record.substreamID = fault.substream
        (record.inputAddress, record.read) = (fault.address, fault.read)
        (record.instruction, record.privileged) = (fault.instruction, fault.privileged)
        record.setClass(.input)
        return record
    }

    private func takeOldest() throws(IOMMUError) -> (fault: FaultQueue.Fault, ended: StreamID?)? {
        guard position < kept.count else {
            guard let fault = try queue.next() else { return nil }
            return (fault, nil)
        }
        let oldest = kept[position]
        position += 1
        if position == kept.count {
            kept.removeAll(keepingCapacity: true)
            position = 0
        }
        return (oldest.fault, oldest.ended)
    }

    /// nil: there is none left, and the transaction has been aborted.
    private func tag(for fault: FaultQueue.Fault) throws(IOMMUError) -> UInt16? {
        if waiting.isEmpty { waiting = Array(repeating: nil, count: Self.capacity) }
        for step in 0..<Self.capacity {
            let tag = (next + step) % Self.capacity
            guard waiting[tag] == nil else { continue }
            waiting[tag] = Stall(device: fault.device, cookie: fault.cookie)
            next = tag + 1
            return UInt16(tag)
        }
        _ = try queue.answer(fault.cookie, retry: false)
        return nil
    }

    /// False: nothing of the device waits under this tag.
    func answer(_ tag: UInt32, of stream: IOMMUFDStream, retry: Bool) throws(IOMMUError) -> Bool {
        guard let index = Int(exactly: tag), index < waiting.count, let stall = waiting[index],
            stall.device == stream.bound.id
        else { return false }
        let known = try queue.answer(stall.cookie, retry: retry)
        waiting[index] = nil
        return known
    }

    /// Aborts all that wait, of one device or of all, whether anybody has been told of them or not. The records of those
    /// come without a tag.
    func terminate(_ stream: IOMMUFDStream?, of streams: [IOMMUFDStream]) throws(IOMMUError) {
        for index in waiting.indices {
            guard let stall = waiting[index], stream == nil || stall.device == stream?.bound.id else { continue }
            _ = try queue.answer(stall.cookie, retry: false)
            waiting[index] = nil
        }
        for index in position..<kept.count where stream == nil || kept[index].fault.device == stream?.bound.id {
            try end(index, among: streams)
        }
        dropTaken()
        // A device that stalls for ever does not keep this going for ever.
        for _ in 0..<Self.capacity {
            guard let fault = try queue.next() else { return }
            // First of all: if the kernel refuses the answer it is still known.
            kept.append(Kept(fault: fault, ended: nil))
            let isBeyond = kept.count > Self.capacity
            if isBeyond || stream == nil || fault.device == stream?.bound.id {
                try end(kept.count - 1, among: streams)
            }
            if isBeyond {
                kept.removeLast()
                lost += 1
            }
        }
    }

    private func end(_ index: Int, among streams: [IOMMUFDStream]) throws(IOMMUError) {
        if kept[index].ended != nil { return }
        guard let stream = streams.first(where: { $0.bound.id == kept[index].fault.device }) else { return }
        _ = try queue.answer(kept[index].fault.cookie, retry: false)
        kept[index].ended = stream.vsid
    }

    private func dropTaken() {
        kept.removeFirst(position)
        position = 0
    }

    /// Records that there was no room for, once all before them have been given out.
    func takeLost() -> UInt64 {
        if position < kept.count { return 0 }
        defer { lost = 0 }
        return lost
    }

    /// A device is attached to something else, or gone: the kernel has aborted what waited, and gives the cookies to others.
    func forget(_ stream: IOMMUFDStream) {
        for index in waiting.indices where waiting[index]?.device == stream.bound.id { waiting[index] = nil }
        dropTaken()
        while let fault = queue.nextRead() { kept.append(Kept(fault: fault, ended: nil)) }
        for index in kept.indices where kept[index].fault.device == stream.bound.id && kept[index].ended == nil {
            kept[index].ended = stream.vsid
        }
    }
}

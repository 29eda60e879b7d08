import BrokerCore
import SMMUModel
import SMMUv3
import Wire

extension ModelVSMMU {
    private static let queue = QueuePointers(log2Size: ModelLayout.eventQueueLog2)

    private var prod: UInt32 { smmu.registers.eventQueueProd & Self.queue.pointerMask }
    private var cons: UInt32 { smmu.registers.eventQueueCons & Self.queue.pointerMask }

    /// What follows each access: gives new records the guest's number, notes what the queue has lost, and signals.
    @inline(__always)
    func collectEvents() {
        if prod != events.renumbered { renumber() }
        events.noteLosses(smmu.lostEvents, at: prod)
        if prod != cons || events.hasLosses { events.signal(true) }
    }

    /// A record gets its vSID when it is made: it stays what it was when the device is detached or bound anew.
    private func renumber() {
        while events.renumbered != prod {
            let address = address(of: events.renumbered)
            if let word = smmu.memory.own.loadWord(at: address) {
                let streamID = StreamID(UInt32(truncatingIfNeeded: word >> 32))
                if let stream = streams.first(where: { $0.streamID == streamID }) {
                    let renumbered = word & 0xffff_ffff | UInt64(stream.vsid.rawValue) << 32
                    _ = smmu.memory.own.storeWord(renumbered, at: address)
                }
            }
            events.renumbered = Self.queue.advance(events.renumbered) & Self.queue.pointerMask
        }
    }

    /// Moves records out, oldest first. It stops where some were lost: the next call says how many before it goes on.
    func readEvents(into slots: inout MutableSpan<EventRecord>) -> EventsRead {
        var read = EventsRead(count: 0, lost: events.takeLoss(at: cons))
        while read.count < slots.count, cons != prod, !events.hasLoss(at: cons) {
            slots[read.count] = record(at: cons)
            read.count += 1
            smmu.registers.eventQueueCons = Self.queue.advance(smmu.registers.eventQueueCons)
        }
        // OVACKFLG follows OVFLG: what was lost has been counted.
        smmu.registers.eventQueueCons =
            cons | smmu.registers.eventQueueProd & SoftwareSMMU<ModelMemory>.overflowFlag
        // Records of stalled transactions wait for room.
        smmu.writePendingEvents()
        collectEvents()
        if cons == prod, !events.hasLosses { events.signal(false) }
        return read
    }

    private func record(at pointer: UInt32) -> EventRecord {
        let address = address(of: pointer)
        var record = EventRecord()
        for word in 0..<4 { record.words[word] = smmu.memory.own.loadWord(at: address + UInt64(word * 8)) ?? 0 }
        return record
    }

    private func address(of pointer: UInt32) -> UInt64 {
        stage2.layout.eventQueue + UInt64(Self.queue.index(pointer) * QueuePointers.eventBytes)
    }
}

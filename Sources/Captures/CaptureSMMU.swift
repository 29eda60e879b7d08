package import SMMUModel
package import SMMUv3

/// A software SMMU in the state that a capture recorded, with queues of its own, and asked the capture's way.
package struct CaptureSMMU: ~Copyable {
    package var smmu: SoftwareSMMU<CaptureMemory>
    /// A page each at most, 256 commands and 128 events, or as many as IDR1 allows.
    private let commandQueue: QueuePointers
    private let eventQueue: QueuePointers

    package init(_ capture: borrowing Capture) {
        let memory = CaptureMemory(pages: capture.pages)
        let queues = memory.queues
        let ids = IDRegisters(capture.registers)
        commandQueue = QueuePointers(log2Size: min(8, ids.commandQueueLog2Size))
        eventQueue = QueuePointers(log2Size: min(7, ids.eventQueueLog2Size))
        smmu = SoftwareSMMU(memory: memory, ids: ids)
        smmu.registers.cr1 = capture.registers.cr1
        smmu.registers.cr2 = capture.registers.cr2
        smmu.registers.gbpa = capture.registers.gbpa
        smmu.registers.streamTableBase = capture.registers.strtabBase
        smmu.registers.streamTableBaseConfig = capture.registers.strtabBaseConfig
        smmu.registers.commandQueueBase = queues | UInt64(commandQueue.log2Size)
        smmu.registers.eventQueueBase = (queues &+ 0x1000) | UInt64(eventQueue.log2Size)
        // The queues are on whatever the capture says: generated ones have them off.
        smmu.registers.cr0 = capture.registers.cr0
        smmu.registers.eventQueueEnabled = true
        smmu.registers.commandQueueEnabled = true
    }

    /// The answer to a row's question, in the capture's words; the record is what the event queue received.
    package mutating func answer(
        streamID: UInt32, substreamID: UInt32?, address: UInt64, write: Bool
    ) -> CaptureAnswer {
        let transaction = Transaction(
            StreamID(streamID), address, substreamID: substreamID.map { SubstreamID($0) }, write: write)
        let result = smmu.translate(transaction)
        let record = takeEvent()
        switch result {
        case .translated(let translation):
            return .ok(
                pa: translation.pa, permissions: CapturePermissions(translation.permissions),
                stage: Int(translation.stages.rawValue))
        case .bypassed(let pa): return .bypass(pa: pa)
        case .aborted: return .abort
        case .faulted(let termination): return .fault(event: termination.record.name, record: record)
        case .stalled(let stalled, let tag):
            // Nobody waits for this transaction: it must not keep the tag from later ones.
            _ = smmu.execute(.resume(StreamID(streamID), tag: tag, .terminate))
            while smmu.takeResumption() != nil {}
            return .fault(event: stalled.name, record: record)
        // Cannot happen: one transaction at a time waits, and there is at least one tag.
        case .backpressured: return .fault(event: "backpressure", record: record)
        }
    }

    /// Puts a command into the command queue and has it executed; the error at which the queue stopped, if it did.
    package mutating func execute(_ command: Command) -> CommandQueueError? {
        let queue = commandQueue
        let prod = smmu.registers.commandQueueProd
        let location = smmu.memory.queues &+ UInt64(queue.index(prod) * QueuePointers.commandBytes)
        _ = smmu.memory.storeWord(command.d0, at: location)
        _ = smmu.memory.storeWord(command.d1, at: location &+ 8)
        smmu.registers.commandQueueProd = queue.advance(prod)
        smmu.processCommandQueue()
        guard smmu.registers.isActive(.commandQueue) else { return nil }
        let error = CommandQueueError(rawValue: UInt8(smmu.registers.commandQueueCons.bits(30, 24)))
        // As a driver does: the bad command is skipped, and the queue goes on.
        smmu.registers.commandQueueCons = queue.advance(smmu.registers.commandQueueCons) & ~0x7f00_0000
        smmu.registers.acknowledge(.commandQueue)
        return error ?? .illegal
    }

    /// The one record that the last transaction left in the event queue; empty when there is none.
    private mutating func takeEvent() -> [UInt8] {
        let queue = eventQueue
        let cons = smmu.registers.eventQueueCons
        guard !queue.isEmpty(prod: smmu.registers.eventQueueProd, cons: cons) else { return [] }
        let location = smmu.memory.queues &+ 0x1000 &+ UInt64(queue.index(cons) * QueuePointers.eventBytes)
        smmu.registers.eventQueueCons = queue.advance(cons)
        return (0..<UInt64(4)).flatMap { word -> [UInt8] in
            let value = smmu.memory.loadWord(at: location &+ word * 8) ?? 0
            return (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
        }
    }
}

extension IDRegisters {
    package init(_ registers: CaptureRegisters) {
        let idr = registers.idr
        self.init(
            idr0: idr[0], idr1: idr[1], idr2: idr[2], idr3: idr[3], idr4: idr[4], idr5: idr[5], iidr: registers.iidr,
            aidr: registers.aidr)
    }
}

extension CapturePermissions {
    /// What unprivileged data accesses may do.
    package init(_ permissions: Permissions) {
        self = []
        if permissions.contains(.unprivilegedRead) { insert(.read) }
        if permissions.contains(.unprivilegedWrite) { insert(.write) }
    }
}

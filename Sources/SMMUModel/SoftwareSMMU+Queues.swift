import SMMUv3

extension SoftwareSMMU {
    /// Consumes the command queue up to PROD, to `limit` commands, or to an error; returns how many were completed
    /// (IHI 0070, 3.5 and 7.1).
    ///
    /// An error leaves CONS at the command, its code in CMDQ_CONS.ERR and GERROR.CMDQ_ERR active; nothing more is
    /// consumed until software has acknowledged it.
    @discardableResult
    public mutating func processCommandQueue(limit: Int = .max) -> Int {
        endStallsWhileDisabled()
        writePendingEvents()
        let queue = commandQueue
        var completed = 0
        while completed < limit, registers.commandQueueEnabled, !registers.isActive(.commandQueue),
            !queue.isEmpty(prod: registers.commandQueueProd, cons: registers.commandQueueCons)
        {
            let base = queueBase(registers.commandQueueBase, queue, entryBytes: QueuePointers.commandBytes)
            let location = base &+ UInt64(queue.index(registers.commandQueueCons) &* QueuePointers.commandBytes)
            guard let d0 = memory.loadWord(at: location), let d1 = memory.loadWord(at: location &+ 8) else {
                stopCommandQueue(.abort)
                break
            }
            switch execute(Command(d0: d0, d1: d1)) {
            case .completed, .synchronized: break
            case .illegal:
                stopCommandQueue(.illegal)
                return completed
            case .atcInvalidationTimedOut:
                stopCommandQueue(.atcInvalidationSync)
                return completed
            }
            registers.commandQueueCons = queue.advance(registers.commandQueueCons)
            completed += 1
        }
        return completed
    }

    private var commandQueue: QueuePointers {
        QueuePointers(log2Size: min(Int(registers.commandQueueBase & 0x1f), max(ids.commandQueueLog2Size, 0)))
    }

    private var eventQueue: QueuePointers {
        QueuePointers(log2Size: min(Int(registers.eventQueueBase & 0x1f), max(ids.eventQueueLog2Size, 0)))
    }

    /// A queue is aligned to its size, and to 32 bytes.
    private func queueBase(_ register: UInt64, _ queue: QueuePointers, entryBytes: Int) -> UInt64 {
        let sizeLog2 = queue.log2Size + entryBytes.trailingZeroBitCount
        return register & 0x000f_ffff_ffff_ffe0 & ~UInt64.ones(max(sizeLog2, 5))
    }

    private mutating func stopCommandQueue(_ error: CommandQueueError) {
        registers.commandQueueCons = registers.commandQueueCons & ~0x7f00_0000 | UInt32(error.rawValue) << 24
        raise(.commandQueue)
    }

    /// Writes a record to the event queue. When the queue is full the record is dropped and OVFLG says so; when the
    /// write aborts, GERROR.EVENTQ_ABT_ERR does (IHI 0070, 7.2 and 7.4).
    mutating func writeEvent(_ record: EventRecord) {
        writePendingEvents()
        guard eventQueueWorks else { return }
        if !eventQueueHasRoom || !stalls.unreported.isEmpty {
            // OVFLG differs from OVACKFLG from the first loss on, until software has made them equal.
            if (registers.eventQueueProd ^ registers.eventQueueCons) & Self.overflowFlag == 0 {
                registers.eventQueueProd ^= Self.overflowFlag
            }
            lostEvents &+= 1
            return
        }
        store(record)
    }

    /// Reports a transaction that waits. Its record is never dropped: without it nobody could answer. It is kept, at
    /// most one for each tag, until the queue has room.
    mutating func writeStallEvent(_ record: EventRecord) {
        stalls.unreported.append(record)
        writePendingEvents()
    }

    /// Writes the records of waiting transactions for which there was no room. Events and commands do so by themselves;
    /// a driver that only moves EVENTQ_CONS calls it.
    public mutating func writePendingEvents() {
        while !stalls.unreported.isEmpty, eventQueueWorks, eventQueueHasRoom {
            store(stalls.unreported.removeFirst())
        }
    }

    /// Enabled, and without an abort that software has still to acknowledge: else nothing is written, and what is lost
    /// is no overflow (IHI 0070, 7.2.1).
    private var eventQueueWorks: Bool {
        registers.eventQueueEnabled && !registers.isActive(.eventQueueAbort)
    }

    private var eventQueueHasRoom: Bool {
        !eventQueue.isFull(prod: registers.eventQueueProd, cons: registers.eventQueueCons)
    }

    private mutating func store(_ record: EventRecord) {
        let queue = eventQueue
        let prod = registers.eventQueueProd
        let base = queueBase(registers.eventQueueBase, queue, entryBytes: QueuePointers.eventBytes)
        let location = base &+ UInt64(queue.index(prod) &* QueuePointers.eventBytes)
        for word in 0..<4 where !memory.storeWord(record.words[word], at: location &+ UInt64(word &* 8)) {
            raise(.eventQueueAbort)
            return
        }
        registers.eventQueueProd = queue.advance(prod)
        if registers.irqControl.bit(2) { interrupts.insert(.eventQueue) }
    }

    /// OVFLG of EVENTQ_PROD, OVACKFLG of EVENTQ_CONS.
    public static var overflowFlag: UInt32 { 1 << 31 }
}

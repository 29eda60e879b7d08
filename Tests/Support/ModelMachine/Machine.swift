package import SMMUModel
package import SMMUv3

/// A software SMMU with memory, a linear stream table, queues and an allocator: what a test builds its tables in.
///
/// Physical memory layout: stream table at 1 MB, command queue at 2 MB, event queue at 3 MB, tables from 16 MB on.
/// SMMUEN, CMDQEN, EVENTQEN and RECINVSID are on from the start.
package struct Machine: ~Copyable {
    package var smmu: SoftwareSMMU<SparseMemory>
    private var nextFree: UInt64 = 0x100_0000

    package static let streamTable: UInt64 = 0x10_0000
    package static let commandQueue: UInt64 = 0x20_0000
    package static let eventQueue: UInt64 = 0x30_0000

    /// - Parameters:
    ///   - streamsLog2: log2 of the entries of the stream table.
    ///   - commandsLog2, eventsLog2: log2 of the queues' entries.
    package init(
        ids: IDRegisters = .everything, streamsLog2: Int = 8, capacity: SMMUCapacity = SMMUCapacity(),
        commandsLog2: Int = 8, eventsLog2: Int = 6
    ) {
        smmu = SoftwareSMMU(memory: SparseMemory(), ids: ids, capacity: capacity)
        smmu.registers.streamTableBase = Self.streamTable
        smmu.registers.streamTableBaseConfig = UInt32(streamsLog2)
        smmu.registers.commandQueueBase = Self.commandQueue | UInt64(commandsLog2)
        smmu.registers.eventQueueBase = Self.eventQueue | UInt64(eventsLog2)
        smmu.registers.smmuEnabled = true
        smmu.registers.commandQueueEnabled = true
        smmu.registers.eventQueueEnabled = true
        smmu.registers.recordInvalidStreamIDs = true
        smmu.registers.irqControl = 5
    }

    /// Zeroed memory, aligned to its size (a power of two).
    package mutating func allocate(_ bytes: UInt64) -> UInt64 {
        let aligned = (nextFree + bytes - 1) & ~(bytes - 1)
        nextFree = aligned + bytes
        return aligned
    }

    // MARK: Stream table

    package mutating func setSTE(_ stream: UInt32, _ ste: StreamTableEntry) {
        smmu.memory.store(ste.words, at: Self.streamTable + UInt64(stream) * 64)
    }

    package func ste(_ stream: UInt32) -> StreamTableEntry {
        var words = SIMD8<UInt64>.zero
        for index in 0..<8 { words[index] = smmu.memory[Self.streamTable + UInt64(stream) * 64 + UInt64(index * 8)] }
        return StreamTableEntry(words: words)
    }

    // MARK: Asking

    package mutating func translate(
        _ stream: UInt32, _ address: UInt64, ssid: UInt32? = nil, write: Bool = false, privileged: Bool = false,
        instruction: Bool = false, kind: Transaction.Kind = .untranslated
    ) -> TranslationResult {
        smmu.translate(
            Transaction(
                StreamID(stream), address, substreamID: ssid.map { SubstreamID($0) }, write: write,
                privileged: privileged, instruction: instruction, kind: kind))
    }

    /// The output address of a read that must translate or bypass; nil when it does not.
    package mutating func pa(_ stream: UInt32, _ address: UInt64, ssid: UInt32? = nil, write: Bool = false) -> UInt64? {
        switch translate(stream, address, ssid: ssid, write: write) {
        case .translated(let translation): translation.pa
        case .bypassed(let pa): pa
        default: nil
        }
    }

    /// The event of an access that must fault, recorded or not; nil when it does not fault.
    package mutating func fault(
        _ stream: UInt32, _ address: UInt64, ssid: UInt32? = nil, write: Bool = false, privileged: Bool = false,
        instruction: Bool = false, kind: Transaction.Kind = .untranslated
    ) -> EventRecord? {
        let result = translate(
            stream, address, ssid: ssid, write: write, privileged: privileged, instruction: instruction, kind: kind)
        if case .faulted(let termination) = result { return termination.record }
        return nil
    }

    /// Takes every record out of the event queue, as a driver does.
    package mutating func takeEvents() -> [EventRecord] {
        let queue = QueuePointers(log2Size: Int(smmu.registers.eventQueueBase & 31))
        var events: [EventRecord] = []
        while !queue.isEmpty(prod: smmu.registers.eventQueueProd, cons: smmu.registers.eventQueueCons) {
            let at = Self.eventQueue + UInt64(queue.index(smmu.registers.eventQueueCons) * QueuePointers.eventBytes)
            events.append(
                EventRecord(smmu.memory[at], smmu.memory[at + 8], smmu.memory[at + 16], smmu.memory[at + 24]))
            smmu.registers.eventQueueCons = queue.advance(smmu.registers.eventQueueCons)
        }
        return events
    }

    /// Puts commands and a CMD_SYNC into the command queue and has them done; the error the queue stopped at, if any.
    @discardableResult
    package mutating func run(_ commands: Command...) -> CommandQueueError { enqueue(commands + [.sync()]) }

    /// Puts exactly these commands into the command queue and has them done.
    @discardableResult
    package mutating func enqueue(_ commands: [Command]) -> CommandQueueError {
        let queue = QueuePointers(log2Size: Int(smmu.registers.commandQueueBase & 31))
        for command in commands {
            let at =
                Self.commandQueue + UInt64(queue.index(smmu.registers.commandQueueProd) * QueuePointers.commandBytes)
            smmu.memory[at] = command.d0
            smmu.memory[at + 8] = command.d1
            smmu.registers.commandQueueProd = queue.advance(smmu.registers.commandQueueProd)
        }
        smmu.processCommandQueue()
        return CommandQueueError(rawValue: UInt8(smmu.registers.commandQueueCons.bits(30, 24))) ?? .none
    }
}

extension IDRegisters {
    /// An SMMU with everything that the model implements: both stages, all granules, 48 bits, substreams, two-level
    /// tables, ATS, EL2, both stall models by choice, ranges, XNX, HAD.
    package static let everything = with()

    /// ``everything`` but for what a test wants otherwise.
    ///
    /// - Parameters:
    ///   - stallModel: 0 stall and terminate, 1 terminate only, 2 stall forced.
    ///   - termModel: true: terminated transactions always abort.
    ///   - oas: code of IDR5.OAS; 5 is 48 bits.
    package static func with(
        stallModel: UInt32 = 0, termModel: Bool = false, oas: UInt32 = 5, ssidSize: UInt32 = 16, endianness: UInt32 = 0
    ) -> IDRegisters {
        let idr0: UInt32 =
            0b11 | 2 << 2 | 1 << 4 | 1 << 9 | 1 << 10 | 1 << 12 | 1 << 13 | 1 << 18 | 1 << 19
            | endianness << 21 | stallModel << 24 | (termModel ? 1 << 26 : 0) | 1 << 27
        let idr1: UInt32 = 16 | ssidSize << 6 | 19 << 16 | 19 << 21 | 1 << 26
        let idr3: UInt32 = 1 << 2 | 1 << 4 | 1 << 8 | 1 << 10 | 1 << 13
        return IDRegisters(idr0: idr0, idr1: idr1, idr3: idr3, idr5: oas | 7 << 4 | 1 << 10 | 8 << 16, aidr: 2)
    }
}

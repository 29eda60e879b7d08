import BrokerCore
import SMMUModel
import SMMUv3
import Wire

extension ModelVSMMU {
    /// The words that the translation of an access reads. A software SMMU of its own walks, with cold caches and on memory
    /// that takes no store: nothing of this one is touched.
    func walk(_ access: DeviceAccess, at index: Int) -> TableWalk {
        let stream = streams[index].streamID
        let record = WordRecord()
        var walker = SoftwareSMMU(
            memory: RecordedMemory(memory: smmu.memory, record: record), ids: smmu.ids,
            capacity: SMMUCapacity(tlb: 1, streamTableEntries: 1, contextDescriptors: 1, atc: 1, stalled: 1))
        walker.registers = smmu.registers
        (walker.registers.eventQueueProd, walker.registers.eventQueueCons) = (0, 0)
        _ = walker.translate(
            Transaction(
                stream, access.iova.rawValue, substreamID: access.substream, write: access.write,
                privileged: access.privileged, instruction: access.instruction))
        return TableWalk(
            registers: smmu.ids, streamTableBase: smmu.registers.streamTableBase,
            streamTableBaseConfig: smmu.registers.streamTableBaseConfig, stream: stream, words: record.words)
    }
}

/// The words that have been read, each address once: who reads it again finds what was there the first time.
private final class WordRecord {
    private(set) var words: [TableWalk.Word] = []

    func word(at address: UInt64, _ load: () -> UInt64?) -> UInt64? {
        if let seen = words.first(where: { $0.address == address }) { return seen.value }
        guard words.count < TableWalk.capacity, let value = load() else { return nil }
        words.append(TableWalk.Word(address: address, value: value))
        return value
    }
}

/// Memory that remembers what was read of it, and forgets what is stored.
private struct RecordedMemory: PhysicalMemory {
    let memory: ModelMemory
    let record: WordRecord

    func loadWord(at address: UInt64) -> UInt64? { record.word(at: address) { memory.loadWord(at: address) } }
    func storeWord(_ value: UInt64, at address: UInt64) -> Bool { true }
}

import BrokerClient
import SMMUModel
import SMMUv3
import Wire

/// What the broker knows of an access at the moment: the device's state, what was invalidated last, and the tables.
struct LiveWalk {
    /// nil: the device is not attached, or the session could not be asked.
    let explained: AdminClient.Explained?
    /// Why it could not be.
    let problem: String?
    /// When the session answered, in nanoseconds since 1970.
    var time: UInt64 { explained?.reply.time ?? 0 }
    /// The access through the tables; nil: guest memory is not at hand.
    let report: TranslationReport?

    init(_ explained: AdminClient.Explained?, problem: String? = nil, _ transaction: Transaction) {
        (self.explained, self.problem) = (explained, problem)
        report = explained.flatMap { TranslationReport($0, transaction) }
    }

    /// Asks for the access of a record.
    init(_ record: EventRecord, _ session: UInt64, _ vsmmu: VSMMUID, _ client: AdminClient) throws(BrokerError) {
        let access = Transaction(record)
        var flags: AccessRequest.Flags = []
        if access.write { flags.insert(.write) }
        if access.privileged { flags.insert(.privileged) }
        if access.instruction { flags.insert(.instruction) }
        let request = AdminExplainRequest(
            session: session, vsmmu: vsmmu, vsid: record.streamID, iova: IOVA(access.address),
            substream: access.substreamID, flags: flags)
        do throws(BrokerError) {
            self.init(try client.explain(request), access)
        } catch {
            switch error.reason {
            case .unknownSession, .unknownVSID: self.init(nil, access)
            // A session that is in a call that blocks, a broker that is older than this command.
            case .hostFailure, .unknownType:
                self.init(nil, problem: error.text, access)
            default: throw error
            }
        }
    }
}

extension TranslationReport {
    /// Follows the access by the words that the broker has read for it. nil: it had no memory to read.
    fileprivate init?(_ explained: AdminClient.Explained, _ transaction: Transaction) {
        guard explained.reply.flags.contains(.memory) else { return nil }
        var smmu = SoftwareSMMU(memory: ReadWords(explained.words), ids: explained.reply.registers)
        smmu.registers.streamTableBase = explained.reply.streamTableBase
        smmu.registers.streamTableBaseConfig = explained.reply.streamTableBaseConfig
        smmu.registers.smmuEnabled = true
        smmu.registers.eventQueueEnabled = true
        let name = explained.reply.context.device?.description ?? "the device"
        let physical = Transaction(
            explained.reply.stream, transaction.address, substreamID: transaction.substreamID,
            write: transaction.write, privileged: transaction.privileged, instruction: transaction.instruction)
        self.init(name, &smmu, physical)
    }
}

/// Memory of which only some words are known. What is stored is forgotten.
private struct ReadWords: PhysicalMemory {
    private let words: [UInt64: UInt64]

    init(_ words: [AdminWord]) {
        self.words = Dictionary(words.map { ($0.address, $0.value) }, uniquingKeysWith: { first, _ in first })
    }

    func loadWord(at address: UInt64) -> UInt64? { words[address] }
    func storeWord(_ value: UInt64, at address: UInt64) -> Bool { true }
}

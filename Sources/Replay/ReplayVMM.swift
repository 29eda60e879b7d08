import CSMMUBroker
import Captures
import SMMUv3

/// A VMM with one guest, whose memory and SMMU are those of a capture.
final class ReplayVMM {
    let table: StreamTable
    let vsmmu: BrokerConnection.VSMMU
    let limits: BrokerConnection.Limits
    let guest: GuestMemory
    let inbox: EventInbox

    private let connection: BrokerConnection
    private let queue: GuestQueue
    private let device: String
    private let registers: CaptureRegisters
    /// The attached streams, with what the broker was told last of each.
    private var contexts: [UInt32: Context] = [:]
    /// SMMUEN, as the broker was told last.
    private var enabled = false

    struct Context {
        var entry: GuestSTE = .absent
        /// What the broker has made of it.
        var reported = smmu_broker_context()
    }

    /// Connects, and makes the capture's SMMU and memory, with `added` pages more, and with the `desired` ones unless they
    /// lie too far apart. No device is attached yet.
    init(
        _ capture: Capture, adding added: Set<UInt64> = [], andPerhaps desired: Set<UInt64> = [], socket: String,
        device: String
    ) throws(ReplayError) {
        self.device = device
        registers = capture.registers
        connection = try BrokerConnection(to: socket)
        limits = try connection.hello(as: Self.name(of: capture))
        vsmmu = try connection.createVSMMU(on: device, wanted: IDRegisters(capture.registers))
        table = StreamTable(
            base: capture.registers.strtabBase, baseConfig: capture.registers.strtabBaseConfig, ids: vsmmu.advertised)
        guest = try Self.memory(of: capture, adding: added, andPerhaps: desired, vsmmu, limits)
        for range in guest.layout.ranges { try connection.map(range, of: guest.file) }
        queue = GuestQueue(guest, connection, vsmmu: vsmmu.number, table: table)
        inbox = try EventInbox(of: connection)
    }

    /// A name of a VM has few kinds of characters, and at most 63 of them.
    private static func name(of capture: Capture) -> String {
        let allowed = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
        return String(("replay-" + capture.name).map { allowed.contains($0) ? $0 : "-" }.prefix(63))
    }

    /// Holes count against the quota as much as pages do, but maps are few as well: first few maps, then more.
    private static func memory(
        of capture: Capture, adding added: Set<UInt64>, andPerhaps desired: Set<UInt64>,
        _ vsmmu: BrokerConnection.VSMMU, _ limits: BrokerConnection.Limits
    ) throws(ReplayError) -> GuestMemory {
        let end = UInt64(1) << UInt64(vsmmu.advertised.outputAddressSize)
        let comfortable = min(limits.memory, 1 << 30)
        let captured = Set(capture.pages.addresses).union(added)
        let tries = [
            (captured.union(desired), 16, comfortable), (captured.union(desired), 64, comfortable),
            (captured, 16, comfortable), (captured, 64, comfortable), (captured, 224, limits.memory),
        ]
        for (pages, maximumRanges, limit) in tries {
            let layout = GuestLayout(pages: pages.filter { $0 < end }.sorted(), maximumRanges: maximumRanges)
            guard layout.size <= limit else { continue }
            return try GuestMemory(
                capture.pages, adding: pages.subtracting(capture.pages.addresses), below: end,
                maximumRanges: maximumRanges)
        }
        throw ReplayError(
            reason: "the capture's pages lie so far apart that 224 maps with them exceed the "
                + "\(limits.memory) bytes that the session may map.",
            advice: "Raise MaxMemory= of the grant.")
    }

    // MARK: - Devices and registers

    /// Puts a device under the vSMMU for each of these StreamIDs.
    func attach(_ vsids: [UInt32]) throws(ReplayError) {
        for vsid in vsids {
            try connection.attach(device, to: vsmmu.number, as: vsid)
            contexts[vsid] = Context()
        }
        queue.streams = contexts.keys.sorted()
    }

    func detachAll() throws(ReplayError) {
        for vsid in queue.streams { try connection.detach(vsid, from: vsmmu.number) }
        contexts = [:]
        queue.streams = []
    }

    /// What the guest wrote to CR0.SMMUEN and GBPA; with SMMUEN the STEs come along as the table has them.
    func setState(enabled: Bool) throws(ReplayError) {
        self.enabled = enabled
        var entries: [(vsid: UInt32, ste: StreamTableEntry)] = []
        for vsid in queue.streams where enabled {
            let entry = table.entry(of: vsid, in: guest)
            contexts[vsid]?.entry = entry
            entries.append((vsid, entry.entry))
        }
        let abort = registers.gbpa.bit(20)
        let flags = (enabled ? SMMU_BROKER_STATE_SMMUEN : 0) | (abort ? SMMU_BROKER_STATE_GBPA_ABORT : 0)
        for context in try connection.setState(of: vsmmu.number, flags: flags, entries: entries) {
            contexts[context.vsid]?.reported = context
        }
    }

    /// The STE that the broker was told last; nil when no device has this StreamID.
    func entry(of vsid: UInt32) -> GuestSTE? { contexts[vsid]?.entry }

    /// Streams whose guest has a stage 2 of its own, and which translate all the same.
    var streamsWithOwnStage2: [UInt32] {
        queue.streams.filter { vsid in
            guard let context = contexts[vsid], context.entry.entry.valid else { return false }
            return context.entry.entry.config.stage2 && context.reported.state != SMMU_BROKER_CONTEXT_ABORT.rawValue
        }
    }

    // MARK: - Commands

    /// Puts a command into the guest's queue; a SYNC has it drained. Commands that were refused.
    func produce(_ command: Command, place: Int) throws(ReplayError) -> [GuestQueue.Refusal] {
        let refusals = note(try queue.produce(command, place: place))
        return command.opcode == .sync ? refusals + (try drain()) : refusals
    }

    /// Has the queue drained, if there is something in it. Commands that were refused.
    func drain() throws(ReplayError) -> [GuestQueue.Refusal] { note(try queue.drain()) }

    /// Sends all STEs again, and drops whatever is cached.
    func invalidateAll() throws(ReplayError) {
        for command in [Command.cfgiAll, .make(.tlbiNSNHAll), .sync()] { _ = note(try queue.produce(command)) }
        _ = try drain()
    }

    /// Drops every cached translation.
    func invalidateTLB() throws(ReplayError) {
        for command in [Command.make(.tlbiNSNHAll), .sync()] { _ = note(try queue.produce(command)) }
        _ = try drain()
    }

    private func note(_ drained: GuestQueue.Drained) -> [GuestQueue.Refusal] {
        for context in drained.changed {
            contexts[context.vsid] = Context(entry: table.entry(of: context.vsid, in: guest), reported: context)
        }
        return drained.refusals
    }

    // MARK: - Questions

    /// What the broker says to a row's question, in the capture's words; with what is wrong about its event, if anything.
    func ask(_ row: CaptureRow) throws(ReplayError) -> (answer: CaptureAnswer, note: String?) {
        let reply = try connection.translate(
            row.sid, of: vsmmu.number, iova: row.iova, substreamID: row.ssid, write: row.write)
        let record = EventRecord(reply.event.0, reply.event.1, reply.event.2, reply.event.3)
        switch smmu_broker_outcome(reply.stage1) {
        case SMMU_BROKER_OUTCOME_OK:
            let permissions = CapturePermissions(rawValue: UInt8(truncatingIfNeeded: reply.permissions & 3))
            return (.ok(pa: reply.ipa, permissions: permissions, stage: 1), nil)
        case SMMU_BROKER_OUTCOME_BYPASS: return (.bypass(pa: reply.ipa), nil)
        case SMMU_BROKER_OUTCOME_ABORT: return (.abort, nil)
        default: break
        }
        var (bytes, note) = try arrival(of: record, recorded: reply.recorded != 0)
        if let tag = record.stallTag, smmu_broker_outcome(reply.stage1) == SMMU_BROKER_OUTCOME_STALLED {
            // Nobody waits for this transaction: it must not keep the tag from later ones.
            try connection.terminate(tag, of: row.sid, on: vsmmu.number)
        }
        // An SMMU that is off records nothing: what the host's, which is on, records is not for the guest.
        guard enabled else { return (.abort, note) }
        if record.stage2 { note = "the broker's own stage 2 ended it: a table of the guest is not in the captured RAM" }
        return (.fault(event: record.name, record: bytes), note)
    }

    /// Waits until a recorded event is there. Its bytes as they came; none if nothing was recorded.
    private func arrival(of record: EventRecord, recorded: Bool) throws(ReplayError) -> ([UInt8], String?) {
        guard recorded else { return ([], nil) }
        guard !record.stage2 else { return (record.bytes, nil) }
        guard let arrived = try inbox.next(milliseconds: 10_000) else {
            return ([], "the broker says that the event is recorded, but it has not come within 10 s")
        }
        guard arrived != record else { return (arrived.bytes, nil) }
        return (arrived.bytes, "another event came than the reply has, which is \(record.text)")
    }
}

extension EventRecord {
    /// In memory order.
    var bytes: [UInt8] {
        (0..<32).map { UInt8(truncatingIfNeeded: words[$0 / 8] >> UInt64($0 % 8 * 8)) }
    }

    /// Its words.
    var text: String { (0..<4).map { hex(words[$0]) }.joined(separator: " ") }
}

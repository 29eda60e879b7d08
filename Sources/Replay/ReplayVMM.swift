import BrokerClient
import Captures
import SMMUv3
import Wire

/// A VMM with one guest, whose memory and SMMU are those of a capture.
final class ReplayVMM {
    let table: StreamTable
    let vsmmu: VSMMUID
    /// What the guest is shown, and in what that is less than the capture's SMMU had.
    let advertised: IDRegisters
    let narrowings: [Narrowing]
    let limits: ReplaySession.Limits
    let guest: GuestMemory
    let inbox: EventInbox

    private let session: ReplaySession
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
        var reported: ContextReport?
    }

    /// Connects, and makes the capture's SMMU and memory, with `added` pages more, and with the `desired` ones unless they
    /// lie too far apart. No device is attached yet.
    init(
        _ capture: Capture, adding added: Set<UInt64> = [], andPerhaps desired: Set<UInt64> = [], socket: String,
        device: String
    ) throws(ReplayError) {
        self.device = device
        registers = capture.registers
        session = try ReplaySession(to: socket)
        limits = try session.hello(as: Self.name(of: capture))
        let created = try session.createVSMMU(on: device, wanted: IDRegisters(capture.registers))
        (vsmmu, advertised, narrowings) = (created.reply.vsmmu, created.reply.advertised, created.narrowings)
        table = StreamTable(
            base: capture.registers.strtabBase, baseConfig: capture.registers.strtabBaseConfig, ids: advertised)
        guest = try Self.memory(of: capture, adding: added, andPerhaps: desired, advertised, limits)
        for range in guest.layout.ranges { try session.map(range, of: guest.file) }
        queue = GuestQueue(guest, session, vsmmu: vsmmu.rawValue, table: table)
        inbox = try EventInbox(of: session)
    }

    /// A name of a VM has few kinds of characters, and at most 63 of them.
    private static func name(of capture: Capture) -> String {
        let allowed = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
        return String(("replay-" + capture.name).map { allowed.contains($0) ? $0 : "-" }.prefix(63))
    }

    /// Holes count against the quota as much as pages do, but maps are few as well: first few maps, then more.
    private static func memory(
        of capture: Capture, adding added: Set<UInt64>, andPerhaps desired: Set<UInt64>,
        _ advertised: IDRegisters, _ limits: ReplaySession.Limits
    ) throws(ReplayError) -> GuestMemory {
        let end = UInt64(1) << UInt64(advertised.outputAddressSize)
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
            try session.attach(device, to: vsmmu, as: vsid)
            contexts[vsid] = Context()
        }
        queue.streams = contexts.keys.sorted()
    }

    func detachAll() throws(ReplayError) {
        for vsid in queue.streams { try session.detach(vsid, from: vsmmu) }
        contexts = [:]
        queue.streams = []
    }

    /// What the guest wrote to CR0.SMMUEN and GBPA; with SMMUEN the STEs come along as the table has them.
    func setState(enabled: Bool) throws(ReplayError) {
        self.enabled = enabled
        var entries: [ContextEntry] = []
        for vsid in queue.streams where enabled {
            let entry = table.entry(of: vsid, in: guest)
            contexts[vsid]?.entry = entry
            entries.append(ContextEntry(vsid: StreamID(vsid), ste: entry.entry))
        }
        var flags: VSMMUStateRequest.Flags = enabled ? .smmuEnabled : []
        if registers.gbpa.bit(20) { flags.insert(.bypassAborts) }
        for context in try session.setState(of: vsmmu, flags, entries: entries) {
            contexts[context.vsid.rawValue]?.reported = context
        }
    }

    /// The STE that the broker was told last; nil when no device has this StreamID.
    func entry(of vsid: UInt32) -> GuestSTE? { contexts[vsid]?.entry }

    /// Streams whose guest has a stage 2 of its own, and which translate all the same.
    var streamsWithOwnStage2: [UInt32] {
        queue.streams.filter { vsid in
            guard let context = contexts[vsid], context.entry.entry.valid else { return false }
            return context.entry.entry.config.stage2 && context.reported.map { $0.state != .abort } ?? false
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
            let vsid = context.vsid.rawValue
            contexts[vsid] = Context(entry: table.entry(of: vsid, in: guest), reported: context)
        }
        return drained.refusals
    }

    // MARK: - Questions

    /// What the broker says to a row's question, in the capture's words; with what is wrong about its event, if anything.
    func ask(_ row: CaptureRow) throws(ReplayError) -> (answer: CaptureAnswer, note: String?) {
        let reply = try session.translate(
            row.sid, of: vsmmu, iova: row.iova, substreamID: row.ssid, write: row.write)
        let record = reply.event
        switch reply.stage1 {
        case .done:
            let permissions = CapturePermissions(rawValue: UInt8(truncatingIfNeeded: reply.permissions.rawValue & 3))
            return (.ok(pa: reply.ipa.rawValue, permissions: permissions, stage: 1), nil)
        case .bypass: return (.bypass(pa: reply.ipa.rawValue), nil)
        case .abort: return (.abort, nil)
        case .fault, .stalled, .notReached: break
        }
        var (bytes, note) = try arrival(of: record, recorded: reply.recorded)
        if let tag = record.stallTag, reply.stage1 == .stalled {
            // Nobody waits for this transaction: it must not keep the tag from later ones.
            try session.terminate(tag, of: row.sid, on: vsmmu)
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

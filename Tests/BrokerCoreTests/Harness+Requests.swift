import BrokerCore
import SMMUv3
import Testing
import Wire

// What tests send again and again.

extension Harness {
    @discardableResult
    func hello(_ features: Features = [.model, .pageResponse]) throws -> Reply {
        try send(HelloRequest(features: features, name: name("vm")))
    }

    @discardableResult
    func create(_ device: String = "disk", wanted: IDRegisters = IDRegisters()) throws -> Reply {
        try send(VSMMUCreateRequest(device: name(device), wanted: wanted))
    }

    @discardableResult
    func attach(_ device: String = "disk", vsid: UInt32 = 1, vsmmu: UInt32 = 1) throws -> Reply {
        try send(DeviceAttachRequest(vsmmu: VSMMUID(vsmmu), vsid: StreamID(vsid), device: name(device)))
    }

    @discardableResult
    func detach(vsid: UInt32 = 1, vsmmu: UInt32 = 1) throws -> Reply {
        try send(DeviceRequest(vsmmu: VSMMUID(vsmmu), vsid: StreamID(vsid)), as: .deviceDetach)
    }

    @discardableResult
    func reset(vsmmu: UInt32 = 1) throws -> Reply {
        try send(VSMMURequest(vsmmu: VSMMUID(vsmmu)), as: .vsmmuReset)
    }

    @discardableResult
    func destroy(vsmmu: UInt32 = 1) throws -> Reply {
        try send(VSMMURequest(vsmmu: VSMMUID(vsmmu)), as: .vsmmuDestroy)
    }

    @discardableResult
    func setSTE(_ ste: StreamTableEntry, vsid: UInt32 = 1, vsmmu: UInt32 = 1) throws -> Reply {
        try send(STESetRequest(vsmmu: VSMMUID(vsmmu), vsid: StreamID(vsid), ste: ste))
    }

    @discardableResult
    func switchState(
        _ flags: VSMMUStateRequest.Flags, _ entries: [(UInt32, StreamTableEntry)] = [], vsmmu: UInt32 = 1
    ) throws -> Reply {
        let entries = entries.map { ContextEntry(vsid: StreamID($0.0), ste: $0.1) }
        return try send {
            VSMMUStateRequest.encode(vsmmu: VSMMUID(vsmmu), flags: flags, entries: entries.span, $0, into: &$1)
        }
    }

    @discardableResult
    func commands(_ commands: [Command], vsmmu: UInt32 = 1) throws -> Reply {
        try send { CommandsRequest.encode(vsmmu: VSMMUID(vsmmu), commands: commands.span, $0, into: &$1) }
    }

    @discardableResult
    func map(
        ipa: UInt64 = 0x4000_0000, size: UInt64 = 1 << 20, offset: UInt64 = 0,
        flags: MemoryMapRequest.Flags = [.read, .write], file: ReceivedFile? = nil
    ) throws -> Reply {
        let file = file ?? ReceivedFile(resource: resource(), kind: .shmem, size: 1 << 40, sealedAgainstShrinking: true)
        return try send(MemoryMapRequest(ipa: IPA(ipa), size: size, offset: offset, flags: flags), files: [file])
    }

    @discardableResult
    func unmap(ipa: UInt64 = 0x4000_0000, size: UInt64 = 1 << 20) throws -> Reply {
        try send(MemoryUnmapRequest(ipa: IPA(ipa), size: size))
    }

    @discardableResult
    func subscribe(_ vsmmu: VSMMUID = .every) throws -> ResourceID {
        let socket = resource()
        let reply = try send(
            EventsSubscribeRequest(delivery: .socket, vsmmu: vsmmu),
            files: [ReceivedFile(resource: socket, kind: .seqPacketSocket)])
        #expect(reply.isDone)
        return socket
    }

    /// Descriptors of a shared queue.
    func queueFiles(notices: Bool = false) -> [ReceivedFile] {
        func memory() -> ReceivedFile {
            ReceivedFile(resource: resource(), kind: .shmem, size: 1 << 20, sealedAgainstShrinking: true)
        }
        let files = [memory(), memory(), ReceivedFile(resource: resource(), kind: .eventFD)]
        return notices ? files + [ReceivedFile(resource: resource(), kind: .seqPacketSocket)] : files
    }

    @discardableResult
    func subscribeQueue(_ vsmmu: UInt32 = 1, log2: UInt32 = 3, notices: Bool = false) throws -> [ResourceID] {
        let files = queueFiles(notices: notices)
        let queue = EventsSubscribeRequest.Queue(base: 0, registers: 0x1000, log2: log2)
        let reply = try send(EventsSubscribeRequest(delivery: .queue(queue), vsmmu: VSMMUID(vsmmu)), files: files)
        #expect(reply.isDone)
        return files.map(\.resource)
    }

    /// HELLO, a vSMMU, `disk` as vSID 1 and `net` as vSID 2.
    static func ready(journalLimit: JournalLimit = JournalLimit()) throws -> Harness {
        let harness = Harness(journalLimit: journalLimit)
        try harness.hello()
        try harness.create()
        try harness.attach("disk", vsid: 1)
        try harness.attach("net", vsid: 2)
        harness.backend.calls = []
        return harness
    }

    /// The same with SMMUEN, stage 1 for vSID 1 with ATS and for vSID 2.
    static func translating() throws -> Harness {
        let harness = try ready()
        try harness.switchState(.smmuEnabled, [(1, .stage1), (2, .stage1)])
        harness.backend.calls = []
        return harness
    }

    func context(_ vsid: UInt32 = 1, vsmmu: UInt32 = 1) throws -> SessionState.Context {
        let index = try #require(session.state.contexts.index(of: ContextKey(VSMMUID(vsmmu), StreamID(vsid))))
        return session.state.contexts[index]
    }

    func inEffect(_ vsid: UInt32 = 1, vsmmu: UInt32 = 1) -> Installation? {
        backend.inEffect[ContextKey(VSMMUID(vsmmu), StreamID(vsid))]
    }

    // SAFETY: the bytes are integers, of which any bits are some.
    /// The next packet for an event socket, the first if none is named, decoded; nil when there is none.
    func nextDelivery(to socket: ResourceID? = nil) throws -> (EventMessage, [EventRecord])? {
        guard let socket = socket ?? session.sockets.first else { return nil }
        var packet = [UInt8](repeating: 0, count: Limits.packet)
        var slots = packet.mutableSpan
        var raw = unsafe slots.mutableBytes
        let size = session.nextDelivery(to: socket, into: &raw)
        if size == 0 { return nil }
        let bytes = raw.bytes.extracting(0..<size)
        let message = try EventMessage(decoding: bytes)
        guard case .events(let records) = message.body else { return (message, []) }
        return (message, records.array(in: bytes))
    }
}

extension StreamTableEntry {
    /// V, Config stage 1, a CD at 0x1000; EATS full.
    static let stage1 = StreamTableEntry(1 | 5 << 1 | 0x1000, 1 << 28 | 1 << 27)
    static let otherStage1 = StreamTableEntry(1 | 5 << 1 | 0x2000, 1 << 27)
    static let bypass = StreamTableEntry(1 | 4 << 1, 0)
    static let aborting = StreamTableEntry(1, 0)
    static let invalid = StreamTableEntry(0, 0)
    /// Stage 2 is the host's.
    static let illegal = StreamTableEntry(1 | 6 << 1, 0)
}

extension Command {
    static let tlbi = Command.tlbi(.tlbiNHASID, asid: 7)
}

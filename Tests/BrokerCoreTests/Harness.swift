import BrokerCore
import SMMUv3
import Testing
import Wire

/// A session with everything around it that a test looks at.
final class Harness {
    let backend = FakeBackend()
    let directory: FakeDirectory
    let observer = FakeObserver()
    let ledger = FakeLedger()
    let session: Session
    var now = Instant(nanoseconds: 0)
    private var cookie: UInt64 = 0
    private var packet = [UInt8](repeating: 0, count: Limits.packet)
    private(set) var reply = [UInt8](repeating: 0, count: Limits.packet)
    private(set) var answer = Session.Answer(byteCount: 0)
    private var nextResource: UInt64 = 100

    static let smmu = PhysicalSMMU(name: name("smmu0"), registers: registers, stalls: true)
    static let grant = Grant(
        name: "test", users: [1000], devices: ["*"],
        quota: Quota(sessions: 2, memory: 64 << 20, maps: 8, vsmmus: 3, contexts: 6))

    /// As a host's: both stages, ATS, 16-bit ASIDs, ranges, 10 bits of SubstreamID.
    static let registers = IDRegisters(
        idr0: 0x0844_1c1b | 1 << 10, idr1: 0x0273_0290, idr2: 0, idr3: 1 << 10 | 1 << 2, idr4: 0, idr5: 0x0008_0075)

    static let devices: [HostDevice] = [
        HostDevice(name: name("disk"), smmu: smmu, streamID: StreamID(10), hasATS: true, pasidBits: 8),
        HostDevice(name: name("net"), smmu: smmu, streamID: StreamID(11)),
        HostDevice(
            name: name("other"), smmu: PhysicalSMMU(name: name("smmu1"), registers: registers), streamID: StreamID(12)),
    ]
    static let templates = [
        DeviceTemplate(
            HostDevice(name: name("virt"), smmu: smmu, streamID: StreamID(100), hasATS: true), instances: 1000)
    ]

    init(
        grant: Grant? = Harness.grant, journalLimit: JournalLimit = JournalLimit(), directory: FakeDirectory? = nil,
        queues: FakeEventMapper? = nil
    ) {
        self.directory =
            directory ?? FakeDirectory(HostInventory(devices: Harness.devices, templates: Harness.templates))
        session = Session(
            Session.Context(
                id: SessionID(1), peer: PeerIdentity(pid: 1, uid: 1000, gid: 1000), grant: grant, epoch: Epoch(77),
                directory: self.directory, backend: backend, observer: observer, ledger: ledger,
                journalLimit: journalLimit, queues: queues))
    }

    func resource() -> ResourceID {
        nextResource += 1
        return ResourceID(nextResource)
    }

    /// Sends what `encode` writes and returns the reply, decoded.
    @discardableResult
    func send(
        files: [ReceivedFile] = [], truncated: Bool = false,
        _ encode: (Cookie, inout MutableRawSpan) -> Int
    ) throws -> Reply {
        cookie += 1
        var size = 0
        do {
            var bytes = packet.mutableSpan
            var raw = unsafe bytes.mutableBytes
            size = encode(Cookie(cookie), &raw)
        }
        return try sendBytes(size, files: files, truncated: truncated)
    }

    /// Bytes of any kind.
    @discardableResult
    func send(bytes: [UInt8], files: [ReceivedFile] = []) throws -> Reply {
        for (index, byte) in bytes.enumerated() { packet[index] = byte }
        return try sendBytes(bytes.count, files: files, truncated: false)
    }

    // SAFETY of all that is unsafe here: the bytes are integers, of which any bits are some.
    private func sendBytes(_ size: Int, files: [ReceivedFile], truncated: Bool) throws -> Reply {
        var slots = reply.mutableSpan
        var raw = unsafe slots.mutableBytes
        answer = session.handle(
            unsafe packet.span.bytes.extracting(0..<size), files: files, descriptorsTruncated: truncated, at: now,
            reply: &raw)
        let decoded = try Reply(decoding: raw.bytes.extracting(0..<answer.byteCount))
        #expect(ledger.state == session.state, "the ledger's changes do not make the session's state")
        return decoded
    }

    @discardableResult
    func send<Request: TypedRequest>(_ request: Request, files: [ReceivedFile] = []) throws -> Reply {
        try send(files: files) { request.encode($0, into: &$1) }
    }

    @discardableResult
    func send<Request: FixedRequest>(_ request: Request, as type: RequestType) throws -> Reply {
        try send { request.encode(as: type, $0, into: &$1) }
    }
}

func name(_ text: String) -> Name {
    guard let name = Name(text) else { preconditionFailure("a test's name is not one") }
    return name
}

extension Reply {
    var refusal: Refusal? { if case .refused(let refusal) = body { refusal } else { nil } }
    var reason: Reason? { refusal?.reason ?? Reason.none }
    var isDone: Bool { refusal == nil }
}

final class FakeDirectory: DeviceDirectory, @unchecked Sendable {
    var inventory: HostInventory
    var orphanage = Orphanage.none
    func orphanage(of name: Name, under grant: Grant) throws(Refusal) -> Orphanage { orphanage }
    init(_ inventory: HostInventory) { self.inventory = inventory }
    func claim(_ name: Name, for session: SessionID, under grant: Grant) throws(Refusal) -> HostDevice {
        try inventory.claim(name, for: session, under: grant)
    }
    func smmu(of name: Name, for session: SessionID, under grant: Grant) throws(Refusal) -> PhysicalSMMU {
        try inventory.smmu(of: name, for: session, under: grant)
    }
    func release(_ name: Name, by session: SessionID) { inventory.release(name, by: session) }
    func releaseEverything(of session: SessionID) { inventory.releaseEverything(of: session) }
    func admit(_ session: SessionID, under grant: Grant) throws(Refusal) {
        try inventory.admit(session, under: grant)
    }
}

final class FakeObserver: SessionObserver {
    var faults: [ObservedFault] = []
    var notices: [SessionNotice] = []
    func sawFault(_ fault: ObservedFault) { faults.append(fault) }
    func saw(_ notice: SessionNotice) { notices.append(notice) }
}

/// Makes the state again from the changes alone.
final class FakeLedger: Ledger {
    var changes: [Change] = []
    var state = SessionState()
    func commit(_ change: Change) {
        changes.append(change)
        state.apply(change)
    }
}

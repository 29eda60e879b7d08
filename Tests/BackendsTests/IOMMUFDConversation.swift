import Backends
import BrokerCore
import FakeKernel
import IOMMUFD
import LinuxSystem
import SMMUv3
import Testing
import Wire

/// A session, and its end.
final class IOMMUFDConversation {
    let host: IOMMUFDHost
    let session: Session
    // Reused: a test of all failures makes very many requests.
    private var packetBuffer = [UInt8](repeating: 0, count: Limits.packet)
    private var replyBuffer = [UInt8](repeating: 0, count: Limits.packet)
    /// The VMM's copies of devices' descriptors.
    private var copies: [ResourceID] = []
    let observer = IOMMUFDRecorder()
    let directory: IOMMUFDDirectory

    init(stallModel: UInt32 = 1) throws {
        // As the hardware says: with stage 2.
        var ids = IDRegisters.nested(stallModel: stallModel)
        ids.idr0 |= 1
        host = try IOMMUFDHost(ids: ids, canStall: stallModel != 1)
        directory = IOMMUFDDirectory(IOMMUFDDevices(host.machine.locator))
        session = Session(
            Session.Context(
                id: SessionID(1), peer: PeerIdentity(pid: 1, uid: 0, gid: 0),
                grant: Grant(name: "test", users: [0], devices: ["0000:01:*"]), epoch: Epoch(1),
                directory: directory, backend: host.backend, observer: observer))
    }

    // SAFETY of all that is unsafe here: the bytes are integers, of which any bits are some.
    private func send(_ files: [ReceivedFile], _ encode: (inout MutableRawSpan) -> Int) throws -> Reply {
        var (packet, reply): ([UInt8], [UInt8]) = ([], [])
        swap(&packet, &packetBuffer)
        swap(&reply, &replyBuffer)
        defer { (packetBuffer, replyBuffer) = (packet, reply) }
        var bytes = packet.mutableSpan
        var slots = reply.mutableSpan
        var raw = unsafe bytes.mutableBytes
        var room = unsafe slots.mutableBytes
        let size = encode(&raw)
        let answer = session.handle(
            raw.bytes.extracting(0..<size), files: files, descriptorsTruncated: false, at: Instant(nanoseconds: 0),
            reply: &room)
        if let copy = answer.descriptor { copies.append(copy) }
        return try Reply(decoding: room.bytes.extracting(0..<answer.byteCount))
    }

    @discardableResult
    func ask<Request: TypedRequest>(_ request: Request, files: [ReceivedFile] = []) throws -> Reply {
        try send(files) { request.encode(Cookie(1), into: &$0) }
    }

    @discardableResult
    func ask<Request: FixedRequest>(_ request: Request, as type: RequestType) throws -> Reply {
        try send([]) { request.encode(as: type, Cookie(1), into: &$0) }
    }

    @discardableResult
    func command(_ commands: Command...) throws -> Reply {
        try send([]) { CommandsRequest.encode(vsmmu: VSMMUID(1), commands: commands.span, Cookie(1), into: &$0) }
    }

    @discardableResult
    func enable(_ enabled: Bool, _ ste: StreamTableEntry) throws -> Reply {
        let entries = enabled ? [ContextEntry(vsid: StreamID(7), ste: ste)] : []
        return try send([]) {
            VSMMUStateRequest.encode(
                vsmmu: VSMMUID(1), flags: enabled ? .smmuEnabled : .bypassAborts, entries: entries.span, Cookie(1),
                into: &$0)
        }
    }

    @discardableResult
    func set(_ ste: StreamTableEntry) throws -> Reply {
        try ask(STESetRequest(vsmmu: VSMMUID(1), vsid: StreamID(7), ste: ste))
    }

    /// Up to an attached device with a stage 1.
    func begin(features: Features = []) throws {
        let file = ReceivedFile(
            resource: try host.memory(named: "session", bytes: 16 << 20), kind: .shmem, size: 16 << 20)
        try ask(HelloRequest(features: features, name: .test("vm")))
        try ask(
            MemoryMapRequest(ipa: IPA(0x4000_0000), size: 16 << 20, offset: 0, flags: [.read, .write]),
            files: [file])
        let created = try ask(VSMMUCreateRequest(device: .test(IOMMUFDHost.address(0)), wanted: IDRegisters()))
        #expect(created.header.status == .done, "\(created)")
        let attached = try ask(
            DeviceAttachRequest(vsmmu: VSMMUID(1), vsid: StreamID(7), device: .test(IOMMUFDHost.address(0))))
        #expect(attached.header.status == .done, "\(attached)")
        try enable(true, IOMMUFDConversation.translating(0x4000_0000))
    }

    /// The VMM's first copy of its device's descriptor.
    var copy: Int32? { copies.first.flatMap { host.descriptors.raw($0.rawValue) } }

    /// The VMM closes all of its copies.
    func closeCopies() {
        for copy in copies { host.descriptors.remove(copy.rawValue) }
        copies = []
    }

    static func translating(_ context: UInt64) -> StreamTableEntry { StreamTableEntry(0xb | context, 0) }
}

final class IOMMUFDRecorder: SessionObserver {
    var faults: [ObservedFault] = []
    var notices: [SessionNotice] = []
    func sawFault(_ fault: ObservedFault) { faults.append(fault) }
    func saw(_ notice: SessionNotice) { notices.append(notice) }
}

/// Of the host's devices alone.
final class IOMMUFDDirectory: DeviceDirectory, @unchecked Sendable {
    var inventory = HostInventory(devices: [], templates: [])
    private let hardware: any HardwareDevices
    init(_ hardware: any HardwareDevices) { self.hardware = hardware }

    func claim(_ name: Name, for session: SessionID, under grant: Grant) throws(Refusal) -> HostDevice {
        try inventory.claim(name, for: session, under: grant, hardware: hardware.find(name))
    }
    func smmu(of name: Name, for session: SessionID, under grant: Grant) throws(Refusal) -> PhysicalSMMU {
        try inventory.smmu(of: name, for: session, under: grant, hardware: hardware.find(name))
    }
    func release(_ name: Name, by session: SessionID) { inventory.release(name, by: session) }
    func release(_ name: Name, by session: SessionID, vm: Name?, hold: (any DeviceHold)?, withheld: Bool) {
        inventory.release(name, by: session, vm: vm, hold: hold, withheld: withheld)
    }
    func releaseEverything(of session: SessionID) { inventory.releaseEverything(of: session) }
    func admit(_ session: SessionID, under grant: Grant) throws(Refusal) {
        try inventory.admit(session, under: grant)
    }
}

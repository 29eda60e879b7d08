import Backends
import BrokerCore
import CBenchReference
import Configuration
import Glibc
import LinuxSystem
import SMMUv3
import Server
import Wire

/// A session of the daemon in a thread of this process, whose allocations can be counted: its loop, rules and backend.
final class InProcessBroker {
    static let device = "disk0"
    private let thread: SessionThread
    private let memory: GuestMemory
    private let session: BrokerSession
    private let script: Script

    init(_ one: SocketCase) throws {
        let pair = try SeqPacketSocket.pair()
        thread = try SessionThread.start(
            Self.owner, SeqPacketSocket(adopting: try pair.second.fd.duplicate()),
            try Self.setup(makeBackend: { ModelBackend(descriptors: $0) }, makeObserver: { _, _ in Nobody() })
        ) { _, _ in
        }
        memory = try GuestMemory()
        session = try BrokerSession(SeqPacketSocket(adopting: try pair.first.fd.duplicate()))
        try session.attach(Self.device, memory)
        script = try one.makeScript(session.vsmmu)
    }

    deinit {
        session.close()
        thread.join()
    }

    /// Does requests, the first of which is the script's first.
    func run(_ requests: UInt64) throws {
        let client = try session.client(blocking: true)
        var times = [UInt32](repeating: 0, count: Int(requests))
        try Failure.check(
            "ask the session",
            unsafe script.withReference { unsafe ref_client_run(client, $0, 0, requests, &times) })
    }

    /// Allocations for each of so many requests, once everything has grown to what it needs.
    func allocations(requests: UInt64) throws -> Double {
        try run(requests)
        let client = try session.client(blocking: true)
        var times = [UInt32](repeating: 0, count: Int(requests))
        let before = ref_allocations()
        let status = unsafe script.withReference { unsafe ref_client_run(client, $0, 0, requests, &times) }
        let after = ref_allocations()
        try Failure.check("ask the session", status)
        return Double(after - before) / Double(requests)
    }

    private static let grant = Grant(name: "bench", users: [0], devices: ["*"])

    static let owner = SessionOwner(
        id: SessionID(1), peer: PeerIdentity(pid: 1, uid: 0, gid: 0), grant: .given(grant))

    /// A host with one device and nobody else on it.
    static func setup(
        table: SessionTable = SessionTable(),
        makeBackend: @escaping @Sendable (DescriptorTable) -> any TranslationBackend,
        makeObserver: @escaping @Sendable (SessionID, PeerIdentity) -> any SessionObserver
    ) throws -> SessionSetup {
        guard let name = Name(device), let smmuName = Name("smmu") else { throw Failure.usage }
        let smmu = PhysicalSMMU(name: smmuName, registers: World.ids)
        let device = HostDevice(name: name, smmu: smmu, streamID: StreamID(16))
        var configuration = Configuration()
        configuration.grants = [grant]
        return SessionSetup(
            epoch: Epoch(1), configuration: LiveConfiguration(configuration), directory: OneDevice(device),
            table: table, makeBackend: makeBackend, makeObserver: makeObserver)
    }
}

/// A host with one device, which is everybody's.
private final class OneDevice: DeviceDirectory {
    private let device: HostDevice
    init(_ device: HostDevice) { self.device = device }

    func claim(_ name: Name, for session: SessionID, under grant: Grant) -> HostDevice { device }
    func smmu(of name: Name, for session: SessionID, under grant: Grant) -> PhysicalSMMU { device.smmu }
    func release(_ name: Name, by session: SessionID) {}
    func releaseEverything(of session: SessionID) {}
    func admit(_ session: SessionID, under grant: Grant) {}
}

private final class Nobody: SessionObserver {
    func sawFault(_ fault: ObservedFault) {}
    func saw(_ notice: SessionNotice) {}
}

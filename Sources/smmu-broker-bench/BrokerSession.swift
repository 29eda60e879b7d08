import CBenchReference
import Glibc
import LinuxSystem
import SMMUv3
import Wire

/// A VMM's session with one device that translates, and a subscription to its events.
final class BrokerSession {
    static let vsid = StreamID(8)
    private let socket: SeqPacketSocket
    /// The first is the VMM's, the second goes to the daemon.
    private let events: SeqPacketSocket.Pair
    private var cookie: UInt64 = 0
    private(set) var vsmmu = VSMMUID(rawValue: 0)

    /// HELLO alone: an idle session.
    init(_ socket: consuming SeqPacketSocket) throws {
        self.socket = socket
        events = try SeqPacketSocket.pair()
        guard let name = Name("bench") else { throw Failure.usage }
        _ = try request { HelloRequest(features: [.model], name: name).encode($0, into: &$1) }
    }

    /// Attaches `device` under a vSMMU and enables that.
    func attach(_ device: String, _ memory: GuestMemory) throws {
        guard let device = Name(device) else { throw Failure.usage }
        let none = IDRegisters(idr0: 0, idr1: 0, idr3: 0, idr5: 0, aidr: 0)
        let created = try request { VSMMUCreateRequest(device: device, wanted: none).encode($0, into: &$1) }
        guard case .vsmmuCreate(let reply, _) = unsafe try Reply(decoding: created.span.bytes).body else {
            throw Failure.refused("VSMMU_CREATE")
        }
        let vsmmu = reply.vsmmu
        self.vsmmu = vsmmu
        _ = try request([memory.file.raw]) {
            MemoryMapRequest(ipa: IPA(rawValue: 0), size: GuestMemory.bytes, offset: 0, flags: [.read, .write])
                .encode($0, into: &$1)
        }
        _ = try request([events.second.fd.raw]) {
            EventsSubscribeRequest(delivery: .socket, vsmmu: vsmmu).encode($0, into: &$1)
        }
        _ = try request {
            DeviceAttachRequest(vsmmu: vsmmu, vsid: Self.vsid, device: device).encode($0, into: &$1)
        }
        let entries = [ContextEntry(vsid: Self.vsid, ste: GuestMemory.ste)]
        _ = try request {
            VSMMUStateRequest.encode(vsmmu: vsmmu, flags: [.smmuEnabled], entries: entries.span, $0, into: &$1)
        }
    }

    /// Sends a packet and returns the reply, which is not a refusal.
    private func request(
        _ descriptors: [Int32] = [], _ encode: (Cookie, inout MutableRawSpan) -> Int
    ) throws -> [UInt8] {
        var packet = [UInt8](repeating: 0, count: Limits.packet)
        cookie += 1
        let size = packet.withRawSpan { encode(Cookie(rawValue: cookie), &$0) }
        guard unsafe try socket.send(packet.span.bytes.extracting(first: size), descriptors: descriptors) else {
            throw Failure.system("send a request", EAGAIN)
        }
        var waiting = pollfd(fd: socket.fd.raw, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&waiting, 1, 10_000) == 1 else { throw Failure.system("await a reply", ETIMEDOUT) }
        let received = try packet.withRawSpan { try socket.receive(into: &$0)?.byteCount }
        guard let received else { throw Failure.system("await a reply", EAGAIN) }
        packet.removeLast(packet.count - received)
        if case .refused(let refusal) = unsafe try Reply(decoding: packet.span.bytes).body {
            throw Failure.refused(refusal.text)
        }
        return packet
    }

    /// What C needs to go on with the session. `blocking`: from now on receiving waits.
    func client(blocking: Bool) throws -> ref_client {
        for descriptor in [socket.fd.raw, events.first.fd.raw] where blocking {
            guard fcntl(descriptor, F_SETFL, 0) == 0 else { throw Failure.system("make a socket blocking", errno) }
        }
        return ref_client(fd: socket.fd.raw, events: events.first.fd.raw)
    }

    /// The daemon sees the end of the session.
    func close() { shutdown(socket.fd.raw, Int32(SHUT_RDWR)) }
}

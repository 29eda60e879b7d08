import Backends
import BrokerCore
import FakeKernel
import IOMMUFD
import LinuxSystem
import SMMUv3
import Testing
import Wire

/// Whole sessions on the fake kernel: what a VMM asks for, as packets, and what its device and the kernel see of it.
@Suite struct IOMMUFDSessionTests {
    /// A session, and its end.
    private final class Conversation {
        let host: IOMMUFDHost
        let session: Session
        private(set) var answer = Session.Answer(byteCount: 0)

        init() throws {
            // As the hardware says: with stage 2.
            var ids = IDRegisters.nested()
            ids.idr0 |= 1
            host = try IOMMUFDHost(ids: ids)
            session = Session(
                Session.Context(
                    id: SessionID(1), peer: PeerIdentity(pid: 1, uid: 0, gid: 0),
                    grant: Grant(name: "test", users: [0], devices: ["0000:01:*"]), epoch: Epoch(1),
                    directory: Directory(IOMMUFDDevices(host.machine.locator)), backend: host.backend,
                    observer: Silence()))
        }

        // SAFETY of all that is unsafe here: the bytes are integers, of which any bits are some.
        private func send(_ files: [ReceivedFile], _ encode: (inout MutableRawSpan) -> Int) throws -> Reply {
            var packet = [UInt8](repeating: 0, count: Limits.packet)
            var reply = packet
            var bytes = packet.mutableSpan
            var slots = reply.mutableSpan
            var raw = unsafe bytes.mutableBytes
            var room = unsafe slots.mutableBytes
            let size = encode(&raw)
            answer = session.handle(
                raw.bytes.extracting(0..<size), files: files, descriptorsTruncated: false, at: Instant(nanoseconds: 0),
                reply: &room)
            return try Reply(decoding: room.bytes.extracting(0..<answer.byteCount))
        }

        @discardableResult
        func ask<Request: TypedRequest>(_ request: Request, files: [ReceivedFile] = []) throws -> Reply {
            try send(files) { request.encode(Cookie(1), into: &$0) }
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
        func begin() throws {
            let file = ReceivedFile(
                resource: try host.memory(named: "session", bytes: 16 << 20), kind: .shmem, size: 16 << 20)
            try ask(HelloRequest(features: [], name: .test("vm")))
            try ask(
                MemoryMapRequest(ipa: IPA(0x4000_0000), size: 16 << 20, offset: 0, flags: [.read, .write]),
                files: [file])
            let created = try ask(VSMMUCreateRequest(device: .test(IOMMUFDHost.address(0)), wanted: IDRegisters()))
            #expect(created.header.status == .done, "\(created)")
            let attached = try ask(
                DeviceAttachRequest(vsmmu: VSMMUID(1), vsid: StreamID(7), device: .test(IOMMUFDHost.address(0))))
            #expect(attached.header.status == .done, "\(attached)")
            try enable(true, Conversation.translating(0x4000_0000))
        }

        /// The VMM closes its copy of the device's descriptor.
        func closeCopy() { if let copy = answer.descriptor { host.descriptors.remove(copy.rawValue) } }

        static func translating(_ context: UInt64) -> StreamTableEntry { StreamTableEntry(0xb | context, 0) }
    }

    private final class Silence: SessionObserver {
        func sawFault(_ fault: ObservedFault) {}
        func saw(_ notice: SessionNotice) {}
    }

    /// Of the host's devices alone.
    private final class Directory: DeviceDirectory, @unchecked Sendable {
        private var inventory = HostInventory(devices: [], templates: [])
        private let hardware: any HardwareDevices
        init(_ hardware: any HardwareDevices) { self.hardware = hardware }

        func claim(_ name: Name, for session: SessionID, under grant: Grant) throws(Refusal) -> HostDevice {
            try inventory.claim(name, for: session, under: grant, hardware: hardware.find(name))
        }
        func smmu(of name: Name, for session: SessionID, under grant: Grant) throws(Refusal) -> PhysicalSMMU {
            try inventory.smmu(of: name, for: session, under: grant, hardware: hardware.find(name))
        }
        func release(_ name: Name, by session: SessionID) { inventory.release(name, by: session) }
        func releaseEverything(of session: SessionID) { inventory.releaseEverything(of: session) }
        func admit(_ session: SessionID, under grant: Grant) throws(Refusal) {
            try inventory.admit(session, under: grant)
        }
    }

    @Test("a device goes the way of its guest, and at the end everything is given back") func life() throws {
        let talk = try Conversation()
        try talk.begin()
        let device = talk.host.fake(0)
        #expect(device.installed.translates && device.latched == StreamID(7))
        let start = device.history.count
        for round: UInt64 in 1...50 { try talk.set(Conversation.translating(0x4000_0000 + round << 12)) }
        let aborting = device.history[start...].count { $0.aborts }
        #expect(device.history.count == start + 50 && aborting == 0, "never ABORT between two stages 1")
        try talk.set(StreamTableEntry())
        #expect(device.installed.aborts)
        try talk.enable(false, StreamTableEntry())
        #expect(device.installed.aborts)
        #expect(talk.session.end(at: Instant(nanoseconds: 0)) == nil)
        talk.host.end()
    }

    @Test(
        "whatever the kernel refuses of an STE, the stage 1 before it stays",
        arguments: [FakeKernel.Call.nested, .attach])
    func failures(call: FakeKernel.Call) throws {
        let talk = try Conversation()
        try talk.begin()
        let words = talk.host.fake(0).installed.words
        talk.host.kernel.fail(call, .inputOutput)
        let refused = try talk.set(Conversation.translating(0x4010_0000))
        #expect(refused.header.status == .inputOutput && talk.host.fake(0).installed.words == words)
        // What is busy is tried again.
        talk.host.kernel.fail(call, .busy)
        let done = try talk.set(Conversation.translating(0x4010_0000))
        #expect(done.header.status == .done && talk.host.fake(0).installed.words != words)
    }

    @Test("a device in reset holds the end of its session up, and then it ends") func endDuringReset() throws {
        let talk = try Conversation()
        try talk.begin()
        let device = talk.host.fake(0)
        device.isResetting = true
        let again = talk.session.end(at: Instant(nanoseconds: 0))
        #expect(again != nil && device.installed.translates)
        device.isResetting = false
        #expect(talk.session.end(at: again ?? Instant(nanoseconds: 0)) == nil)
        // ABORT comes first, memory second: no access outside of memory is possible at any time.
        #expect(device.installed == .blocked && talk.host.kernel.areas.isEmpty)
        let order = talk.host.kernel.history.filter { [.attach, .unmap, .detach].contains($0) }
        #expect(order.suffix(3) == [.attach, .unmap, .detach])
        for resource in talk.session.takeDiscarded() { talk.host.descriptors.remove(resource.rawValue) }
        talk.host.end()
    }
}

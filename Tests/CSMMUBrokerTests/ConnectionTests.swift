import CSMMUBroker
import Foundation
import LinuxSystem
import Synchronization
import Testing

@Suite("Connection")
@safe
struct ConnectionTests {
    private func attach(_ peer: ScriptedPeer) -> (status: Int32, fd: Int32) {
        var reply = smmu_broker_device_attach_reply()
        var fd: Int32 = 99
        let status = unsafe smmu_broker_client_device_attach(peer.client, 1, 2, "0000:01:00.0", &reply, &fd)
        return (status, fd)
    }

    @Test("The device's descriptor becomes the caller's, close-on-exec")
    func receivesDescriptor() throws {
        let name = "smmu-broker-test-attach"
        let memory = try OwnedFD.memory(named: name, size: 4096)
        let peer = try ScriptedPeer()
        try peer.sendReply(Reply(SMMU_BROKER_DEVICE_ATTACH, zeros: 32), descriptors: [memory.raw])
        let (status, fd) = attach(peer)
        #expect(status == 0)
        try #require(fd >= 0)
        let received = OwnedFD(adopting: fd)
        #expect(closesOnExec(received.raw) && openDescriptors(toMemory: name) == 2)
    }

    @Test("Without a descriptor there is none")
    func noDescriptor() throws {
        let peer = try ScriptedPeer()
        try peer.sendReply(Reply(SMMU_BROKER_DEVICE_ATTACH, zeros: 32))
        let (status, fd) = attach(peer)
        #expect(status == 0 && fd == -1)
    }

    @Test(
        "Descriptors that should not be there are closed, and are a protocol error",
        arguments: [
            (Reply(SMMU_BROKER_DEVICE_ATTACH, zeros: 32), 2), (Reply(SMMU_BROKER_DEVICE_ATTACH, zeros: 32), 9),
            (Reply(SMMU_BROKER_DEVICE_ATTACH, zeros: 31), 1), (Reply(SMMU_BROKER_DEVICE_DETACH, zeros: 32), 1),
            (Reply(SMMU_BROKER_DEVICE_ATTACH, zeros: 32).with { $0.cookie = 5 }, 1),
            (Reply.refused(SMMU_BROKER_DEVICE_ATTACH, 16, SMMU_BROKER_REASON_DEVICE_BUSY, "No."), 1),
        ])
    func surplus(reply: Reply, count: Int) throws {
        let name = "smmu-broker-test-surplus-\(UInt64.random(in: 0 ... .max))"
        let memory = try OwnedFD.memory(named: name, size: 4096)
        let peer = try ScriptedPeer()
        try peer.sendReply(reply, descriptors: [Int32](repeating: memory.raw, count: count))
        let (status, fd) = attach(peer)
        #expect(status == -71 && fd == -1)
        #expect(openDescriptors(toMemory: name) == 1)
    }

    @Test("A descriptor with a reply that has none is closed")
    func unexpected() throws {
        let name = "smmu-broker-test-unexpected"
        let memory = try OwnedFD.memory(named: name, size: 4096)
        let peer = try ScriptedPeer()
        try peer.sendReply(Reply(SMMU_BROKER_VSMMU_DESTROY), descriptors: [memory.raw])
        #expect(unsafe smmu_broker_client_vsmmu_destroy(peer.client, 1) == -71)
        #expect(openDescriptors(toMemory: name) == 1)
    }

    @Test("A descriptor that was sent stays the caller's, and the broker has a copy")
    func sendsDescriptor() throws {
        let name = "smmu-broker-test-send"
        let memory = try OwnedFD.memory(named: name, size: 4096)
        let peer = try ScriptedPeer()
        try peer.sendReply(Reply(SMMU_BROKER_MEMORY_MAP))
        #expect(unsafe smmu_broker_client_memory_map(peer.client, memory.raw, 0, 4096, 0, 3) == 0)
        #expect(openDescriptors(toMemory: name) == 1)
        #expect(try peer.request()?.descriptors == 1)
        #expect(unsafe smmu_broker_client_memory_map(peer.client, -1, 0, 4096, 0, 3) == -9)
    }

    @Test("A reply that comes after its time is dropped, with its descriptor, and the next request gets its own")
    func late() throws {
        let name = "smmu-broker-test-late"
        let memory = try OwnedFD.memory(named: name, size: 4096)
        let peer = try ScriptedPeer()
        unsafe peer.client.pointee.timeout_ms = 0
        #expect(attach(peer).status == -110)
        #expect(peer.errorText == "The broker did not answer in time.")
        let late = Reply(SMMU_BROKER_DEVICE_ATTACH, zeros: 32).with { $0.cookie = 1 }
        try peer.send(late.bytes(cookie: 0), descriptors: [memory.raw])
        try peer.sendReply(Reply(SMMU_BROKER_VSMMU_DESTROY))
        #expect(unsafe smmu_broker_client_vsmmu_destroy(peer.client, 1) == 0)
        #expect(openDescriptors(toMemory: name) == 1)
    }

    @Test("A broker that was gone before the request")
    func gone() throws {
        let peer = try ScriptedPeer()
        peer.hangUp()
        #expect(unsafe smmu_broker_client_vsmmu_destroy(peer.client, 1) == -32)
        #expect(peer.errorText == "The broker closed the connection.")
    }

    enum Ending: CaseIterable { case reply, replyInTime, hangUp }

    @Test("A request waits until its reply is there, or the broker is gone", arguments: Ending.allCases)
    func waits(ending: Ending) throws {
        let peer = try ScriptedPeer()
        if ending == .replyInTime { unsafe peer.client.pointee.timeout_ms = 60_000 }
        let done = DispatchSemaphore(value: 0)
        let address = unsafe UInt(bitPattern: peer.client)
        let result = Status()
        Thread {
            let client = unsafe UnsafeMutablePointer<smmu_broker_client>(bitPattern: address)
            result.value.withLock { $0 = unsafe smmu_broker_client_vsmmu_destroy(client, 1) }
            done.signal()
        }.start()
        try peer.waitForRequest()
        if ending == .hangUp {
            peer.hangUp()
        } else {
            try peer.send(Reply(SMMU_BROKER_VSMMU_DESTROY).bytes(cookie: 1))
        }
        done.wait()
        #expect(result.value.withLock(\.self) == (ending == .hangUp ? -104 : 0))
    }

    private final class Status: Sendable {
        let value = Mutex<Int32?>(nil)
    }

    @Test("Connects to a path, close-on-exec; closing twice is harmless")
    func connects() throws {
        let path = NSTemporaryDirectory() + "smmu-broker-test-\(UInt64.random(in: 0 ... .max))"
        let listener = try SeqPacketListener(at: path)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let client = UnsafeMutablePointer<smmu_broker_client>.allocate(capacity: 1)
        defer { unsafe client.deallocate() }
        try #require(unsafe smmu_broker_connect(client, path) == 0)
        #expect(unsafe closesOnExec(client.pointee.fd) && client.pointee.timeout_ms == -1)
        guard let accepted = try listener.accept() else {
            Issue.record("nobody has connected")
            return
        }
        let sent = try unsafe accepted.send(Reply(SMMU_BROKER_VSMMU_DESTROY).bytes(cookie: 1).span.bytes)
        #expect(sent)
        #expect(unsafe smmu_broker_client_vsmmu_destroy(client, 1) == 0)
        unsafe smmu_broker_close(client)
        unsafe smmu_broker_close(client)
        #expect(unsafe client.pointee.fd == -1)
    }

    @Test("A socket that is not there, a path too long, and what is no SEQPACKET socket")
    func cannotConnect() throws {
        let client = UnsafeMutablePointer<smmu_broker_client>.allocate(capacity: 1)
        defer { unsafe client.deallocate() }
        #expect(unsafe smmu_broker_connect(client, "/nonexistent/socket") == -2)
        #expect(unsafe smmu_broker_connect(client, String(repeating: "x", count: 108)) == -36)
        let memory = try OwnedFD.memory(named: "smmu-broker-test-adopt", size: 4096)
        #expect(unsafe smmu_broker_adopt(client, memory.raw) == -91)
        #expect(unsafe smmu_broker_adopt(client, -1) == -9)
        #expect(unsafe client.pointee.fd == -1)
    }
}

import Foundation
import LinuxSystem
import Testing

@Suite(.serialized) struct SeqPacketSocketTests {
    private func send(_ socket: borrowing SeqPacketSocket, _ bytes: [UInt8], _ descriptors: [Int32] = []) throws -> Bool
    {
        try unsafe socket.send(bytes.span.bytes, descriptors: descriptors)
    }

    /// Receives one packet: its bytes, and what `look` makes of the rest.
    private func receive<T>(
        _ socket: borrowing SeqPacketSocket, capacity: Int = 64, _ look: (inout ReceivedPacket) throws -> T
    ) throws -> (bytes: [UInt8], seen: T)? {
        var buffer = [UInt8](repeating: 0, count: capacity)
        var storage = buffer.mutableSpan
        var span = unsafe storage.mutableBytes
        guard var packet = try socket.receive(into: &span) else { return nil }
        let count = packet.byteCount
        let seen = try look(&packet)
        return (Array(buffer[..<min(count, capacity)]), seen)
    }

    @Test("a packet arrives whole and alone, and an empty socket says so")
    func packets() throws {
        let pair = try SeqPacketSocket.pair()
        #expect(try send(pair.first, [1, 2, 3]) == true)
        #expect(try send(pair.first, [4]) == true)
        #expect(try receive(pair.second) { $0.truncated }?.bytes == [1, 2, 3])
        #expect(try receive(pair.second) { $0.truncated }?.bytes == [4])
        #expect(try receive(pair.second) { $0.truncated } == nil)
    }

    @Test("a packet that is larger than the buffer is cut, and says so")
    func truncation() throws {
        let pair = try SeqPacketSocket.pair()
        #expect(try send(pair.first, [UInt8](repeating: 7, count: 100)) == true)
        let received = try receive(pair.second, capacity: 10) { $0.truncated }
        #expect(received?.bytes.count == 10 && received?.seen == true)
    }

    @Test("descriptors arrive as the receiver's own, and those that nobody takes are closed")
    func descriptors() throws {
        let name = "passed-descriptor-test"
        do {
            let pair = try SeqPacketSocket.pair()
            let memory = try OwnedFD.memory(named: name, size: 8192)
            #expect(try send(pair.first, [1], [memory.raw, memory.raw, memory.raw]) == true)
            let sizes = try receive(pair.second) { packet in
                let second = packet.takeDescriptor(1)
                let again = packet.takeDescriptor(1)
                let beyond = packet.takeDescriptor(3)
                let (takenTwice, tookBeyond) = (again != nil, beyond != nil)
                let size = try second?.inspectMemory().size
                return (packet.descriptorCount, size, takenTwice, tookBeyond)
            }
            #expect(sizes?.seen.0 == 3 && sizes?.seen.1 == 8192)
            #expect(sizes?.seen.2 == false && sizes?.seen.3 == false)
        }
        #expect(openDescriptors(toMemory: name) == 0)
    }

    @Test("more descriptors than a packet may carry are refused before they are sent")
    func tooManyDescriptors() throws {
        let pair = try SeqPacketSocket.pair()
        let one = try EventFD()
        #expect(throws: Errno.invalid) { try send(pair.first, [1], [Int32](repeating: one.fd.raw, count: 17)) }
    }

    @Test(
        "a full socket takes nothing more and loses nothing; a closed peer is an error for the sender, an end for the receiver"
    )
    func backPressure() throws {
        let pair = try SeqPacketSocket.pair()
        var sent = 0
        while try send(pair.first, [UInt8(sent & 0xff)]), sent < 100_000 { sent += 1 }
        #expect(sent > 0 && sent < 100_000)
        var received = 0
        while let packet = try receive(pair.second, { _ in () }) {
            #expect(packet.bytes == [UInt8(received & 0xff)])
            received += 1
        }
        #expect(received == sent)
    }

    @Test("a peer that has closed gives an empty packet to read, and EPIPE to write, without a signal")
    func closedPeer() throws {
        let first = try SeqPacketSocket.pair().closingSecond()
        #expect(try receive(first) { $0.byteCount }?.seen == 0)
        #expect(throws: Errno.brokenPipe) { try send(first, [1]) }
    }

    @Test(
        "a listener hands out connections with the peer's credentials, and takes over a dead predecessor's path but not a living one's"
    )
    func listening() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("lsock-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        for _ in 0..<2 {
            let listener = try SeqPacketListener(at: path)
            #expect(try listener.accept() == nil)
            #expect(throws: Errno.inUse) { _ = try SeqPacketListener(at: path) }
            // The probe of the second listener is a connection that is closed again.
            _ = try listener.accept()
            let client = try SeqPacketSocket(connectingTo: path)
            guard let served = try listener.accept() else {
                Issue.record("the connection is not there")
                return
            }
            let peer = try served.peer()
            #expect(peer.uid == getuid() && peer.gid == getgid() && peer.pid == UInt32(getpid()))
            #expect(try send(client, [9]) == true)
            #expect(try receive(served) { _ in () }?.bytes == [9])
        }
        #expect(throws: Errno.connectionRefused) { _ = try SeqPacketSocket(connectingTo: path) }
        #expect(throws: Errno.self) {
            _ = try SeqPacketSocket(connectingTo: String(repeating: "x", count: 200))
        }
    }
}

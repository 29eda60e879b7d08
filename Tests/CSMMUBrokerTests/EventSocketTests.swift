import CSMMUBroker
import LinuxSystem
import Testing

/// Bytes of a packet, little-endian.
struct PacketBytes {
    var bytes: [UInt8] = []

    mutating func add<Number: FixedWidthInteger>(_ number: Number) {
        for shift in stride(from: 0, to: Number.bitWidth, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: number >> Number(shift)))
        }
    }
}

/// A number in a packet.
func load<Number: FixedWidthInteger & UnsignedInteger>(_ bytes: [UInt8], at offset: Int, as: Number.Type) -> Number {
    (0..<Number.bitWidth / 8).reduce(0) { $0 | Number(bytes[offset + $1]) << Number($1 * 8) }
}

private func packet(
    _ type: smmu_broker_event_type, count: UInt16 = 1, sequence: UInt64 = 1, size: UInt32? = nil, body: [UInt64]
) -> [UInt8] {
    var packet = PacketBytes()
    packet.add(UInt16(type.rawValue))
    packet.add(count)
    packet.add(size ?? UInt32(24 + body.count * 8))
    packet.add(sequence)
    packet.add(UInt32(3))
    packet.add(UInt32(4))
    for word in body { packet.add(word) }
    return packet.bytes
}

/// What is left of a packet for Swift to look at.
private struct Received {
    var status: Int32
    var type: UInt16
    var count: UInt16
    var words: [UInt64]
    var firstNew: UInt32
    var next: UInt64
}

private func receive(_ packet: [UInt8], descriptors: [Int32] = [], next: UInt64 = 0) throws -> Received {
    let pair = try SeqPacketSocket.pair()
    let sent = try unsafe pair.second.send(packet.span.bytes, descriptors: descriptors)
    #expect(sent)
    return receive(pair.first.fd.raw, next: next)
}

private func receive(_ fd: Int32, next: UInt64 = 0) -> Received {
    unsafe withUnsafeTemporaryAllocation(of: smmu_broker_events.self, capacity: 1) { buffer in
        guard let events = buffer.baseAddress else { preconditionFailure("one element") }
        unsafe UnsafeMutableRawPointer(events).initializeMemory(as: UInt8.self, repeating: 0, count: 4120)
        let status = unsafe smmu_broker_receive_events(fd, events)
        let words = unsafe UnsafeRawPointer(events).advanced(by: 24)
        var next = next
        let first = unsafe status == 1 ? smmu_broker_first_new(events, &next) : 0
        return unsafe Received(
            status: status, type: events.pointee.header.type, count: events.pointee.header.count,
            words: (0..<512).map { unsafe words.load(fromByteOffset: $0 * 8, as: UInt64.self) }, firstNew: first,
            next: next)
    }
}

@Suite("Event socket")
struct EventSocketTests {
    @Test("A batch of records", arguments: [1, 128])
    func events(count: Int) throws {
        let words = (0..<UInt64(count) * 4).map { $0 + 1 }
        let received = try receive(packet(SMMU_BROKER_EVENT, count: UInt16(count), body: words))
        #expect(received.status == 1 && received.type == 1 && received.count == UInt16(count))
        #expect(Array(received.words.prefix(count * 4)) == words)
    }

    @Test(
        "The packets with one fixed body",
        arguments: [
            (SMMU_BROKER_LOST, [7, 1]), (SMMU_BROKER_HEALTH, [3 << 32 | 0x20, 2 << 32 | 7]),
            (SMMU_BROKER_DEVICE_GONE, [0x20, 0]),
            (SMMU_BROKER_EPOCH, [99]),
        ] as [(smmu_broker_event_type, [UInt64])])
    func others(type: smmu_broker_event_type, body: [UInt64]) throws {
        let received = try receive(packet(type, body: body))
        #expect(received.status == 1 && received.type == UInt16(type.rawValue))
        #expect(Array(received.words.prefix(body.count)) == body)
    }

    @Test("Nothing there, and the broker gone")
    func empty() throws {
        let pair = try SeqPacketSocket.pair()
        #expect(receive(pair.first.fd.raw).status == -11)
        let alone = pair.closingSecond()
        #expect(receive(alone.fd.raw).status == 0)
    }

    @Test(
        "What the protocol does not allow is an error",
        arguments: [
            Array(packet(SMMU_BROKER_EPOCH, body: [1]).prefix(23)),
            Array(packet(SMMU_BROKER_EVENT, body: [1, 2, 3, 4]).prefix(55)),
            packet(SMMU_BROKER_EVENT, size: 60, body: [1, 2, 3, 4]),
            packet(SMMU_BROKER_EVENT, count: 0, body: []),
            packet(SMMU_BROKER_EVENT, count: 2, body: [1, 2, 3, 4]),
            packet(SMMU_BROKER_EVENT, count: 129, body: [UInt64](repeating: 0, count: 516)),
            packet(SMMU_BROKER_EVENT, count: 0xffff, body: [UInt64](repeating: 0, count: 512)),
            packet(SMMU_BROKER_LOST, body: [1]), packet(SMMU_BROKER_LOST, body: [1, 1 << 32 | 1]),
            packet(SMMU_BROKER_LOST, count: 2, body: [1, 1, 1, 1]), packet(SMMU_BROKER_HEALTH, body: [4 << 32]),
            packet(SMMU_BROKER_HEALTH, count: 0, body: []), packet(SMMU_BROKER_EPOCH, body: [1, 2]),
            packet(smmu_broker_event_type(0), body: [1]), packet(smmu_broker_event_type(6), body: [1]),
        ])
    func malformed(packet: [UInt8]) throws {
        let status = try receive(packet).status
        #expect(status == -71)
    }

    @Test("Descriptors that come along are closed, and are an error")
    func descriptors() throws {
        let name = "smmu-broker-test-event-socket"
        let memory = try OwnedFD.memory(named: name, size: 4096)
        let status = try receive(packet(SMMU_BROKER_EPOCH, body: [1]), descriptors: [memory.raw, memory.raw]).status
        #expect(status == -71)
        #expect(openDescriptors(toMemory: name) == 1)
    }

    @Test(
        "Duplicates are told by their sequence numbers",
        arguments: [
            (0, 10, 0, 14), (10, 10, 0, 14), (11, 10, 1, 14), (13, 10, 3, 14), (14, 10, 4, 14), (50, 10, 4, 50),
        ] as [(UInt64, UInt64, UInt32, UInt64)])
    func duplicates(next: UInt64, sequence: UInt64, first: UInt32, after: UInt64) throws {
        let words = [UInt64](repeating: 0, count: 16)
        let received = try receive(packet(SMMU_BROKER_EVENT, count: 4, sequence: sequence, body: words), next: next)
        #expect(received.firstNew == first && received.next == after)
    }

    @Test("A loss uses up sequence numbers, a packet without records uses none")
    func losses() throws {
        #expect(try receive(packet(SMMU_BROKER_LOST, sequence: 10, body: [5, 1]), next: 10).next == 15)
        #expect(try receive(packet(SMMU_BROKER_HEALTH, sequence: 10, body: [0]), next: 10).next == 10)
    }

    @Test("A pair of event sockets is connected, non-blocking and close-on-exec")
    func pair() throws {
        var raw: [Int32] = [-1, -1]
        let status = unsafe smmu_broker_event_sockets(&raw)
        try #require(status == 0)
        let first = SeqPacketSocket(adopting: OwnedFD(adopting: raw[0]))
        let second = SeqPacketSocket(adopting: OwnedFD(adopting: raw[1]))
        let sent = try unsafe second.send(packet(SMMU_BROKER_EPOCH, body: [1]).span.bytes)
        #expect(sent && receive(first.fd.raw).status == 1)
        #expect(closesOnExec(raw[0]) && closesOnExec(raw[1]))
    }
}

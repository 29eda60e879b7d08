import BrokerClient
import BrokerCore
import BrokerHarness
import Configuration
import Foundation
import LinuxSystem
import SMMUv3
import Testing
import Wire

@Suite("Packets and replies")
struct PacketTests {
    @Test("P1: requests sent before a reply is read get one reply each, in their order")
    func pipelined() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let client = try RawClient(connectingTo: harness.path)
        // A refused one in the middle is answered in its place.
        let packets = [
            client.bytes(of: HelloRequest(features: [], name: "vm")), [9, 9, 9],
            client.bytes(of: VSMMUCreateRequest(device: "disk0", wanted: IDRegisters())),
            client.bytes(of: HelloRequest(features: [], name: "vm")),
        ]
        for packet in packets { #expect(try client.send(packet)) }
        var replies: [Reply] = []
        for _ in packets {
            let packet = try #require(try client.receive())
            // SAFETY: bytes, of which any bits are some.
            replies.append(try Reply(decoding: unsafe packet.span.bytes))
        }
        #expect(replies.map(\.header.cookie) == [Cookie(1), Cookie(0), Cookie(2), Cookie(3)])
        #expect(replies.map { $0.header.reason } == [.some(.none), .tooShort, .some(.none), .helloRepeated])
    }

    @Test("P4: unknown features are absent from the reply, and so are those nobody asked for")
    func features() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let all = try RawClient(connectingTo: harness.path).hello(features: Features(rawValue: ~0))
        guard case .hello(let hello) = all.body else { throw RawClient.Failure(description: "\(all)") }
        #expect(hello.features.isSubset(of: [.model, .sharedEvents, .pageResponse]))
        #expect(hello.features.contains(.model))
        let none = try RawClient(connectingTo: harness.path).hello(features: [])
        guard case .hello(let hello) = none.body else { throw RawClient.Failure(description: "\(none)") }
        #expect(hello.features == [])
        #expect(hello.version == 1 && Int(hello.maximumPacket) == Limits.packet)
    }

    @Test("P6: nothing is done before HELLO")
    func helloFirst() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let client = try RawClient(connectingTo: harness.path)
        let early = try client.request(VSMMUCreateRequest(device: "disk0", wanted: IDRegisters()))
        #expect(early.refusal?.reason == .helloExpected)
        let detach = client.packet {
            DeviceRequest(vsmmu: VSMMUID(1), vsid: StreamID(1)).encode(as: .deviceDetach, Cookie(7), into: &$0)
        }
        #expect(try client.exchange(detach).refusal?.reason == .helloExpected)
        #expect(try client.hello().refusal == nil)
        #expect(try client.hello().refusal?.reason == .helloRepeated)
    }

    @Test("P8: a refusal for a quota says which, its limit, the usage, and the setting to change")
    func quotas() throws {
        let harness = try BrokerHarness(
            .open(Quota(sessions: 2, memory: 0x10_0000, maps: 2, vsmmus: 1, contexts: 1)))
        defer { harness.stop() }
        let guest = try Guest.attached(harness)
        let memory = expectQuota { try guest.broker.mapMemory(guest.file, at: IPA(0), size: 0x1000) }
        #expect(memory.contains("MaxMemory=") && memory.contains("\(0x10_0000)") && memory.contains("[Grant tests]"))
        #expect(expectQuota { _ = try guest.broker.createVSMMU(on: "disk0") }.contains("MaxVSMMUs="))
        #expect(
            expectQuota { try guest.broker.attach("disk0", to: guest.vsmmu, as: StreamID(9)) }.contains("MaxContexts="))
        let second = try Guest(harness)
        try second.broker.mapMemory(second.file, at: IPA(0), size: 0x1000)
        try second.broker.mapMemory(second.file, at: IPA(0x1000), size: 0x1000)
        let maps = expectQuota { try second.broker.mapMemory(second.file, at: IPA(0x2000), size: 0x1000) }
        #expect(maps.contains("MaxMaps=") && maps.contains("2"))
        #expect(expectQuota { _ = try Guest(harness) }.contains("MaxSessions="))
        // What is given back can be had again.
        try second.broker.unmapMemory(at: IPA(0), size: 0x1000)
        try second.broker.mapMemory(second.file, at: IPA(0x2000), size: 0x1000)
    }

    @Test("P8, P21: a sparse file of 1 GiB counts with all of its size, holes and all")
    func sparse() throws {
        let harness = try BrokerHarness(.open(Quota(memory: 1 << 29)))
        defer { harness.stop() }
        let guest = try Guest(harness, ramSize: 1 << 30)
        #expect(
            expectQuota { try guest.broker.mapMemory(guest.file, at: IPA(0), size: 1 << 30) }.contains("MaxMemory="))
        try guest.broker.mapMemory(guest.file, at: IPA(0), size: 1 << 29)
        #expect(
            expectQuota { try guest.broker.mapMemory(guest.file, at: IPA(1 << 30), size: 0x1000) }
                .contains("MaxMemory="))
    }

    @Test("P9: an STE counts as it was sent, whatever the guest's memory says by the time")
    func copied() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let guest = try Guest.translating(harness)
        guest.store(0x1234, at: 0x1_0000)
        #expect(try guest.deviceReads(0x10_0000) == 0x1234)
        // Where a stream table would be; the broker has never been told where that is.
        for offset in stride(from: UInt64(0), to: 0x1000, by: 8) { guest.store(~0, at: offset) }
        #expect(try guest.deviceReads(0x10_0000) == 0x1234)
    }

    @Test("P6: a peer without a grant is refused, and told whom to ask")
    func notGranted() throws {
        var configuration = Configuration.open()
        configuration.grants[0].users = [getuid() + 1]
        let harness = try BrokerHarness(configuration)
        defer { harness.stop() }
        let refusal = try #require(try RawClient(connectingTo: harness.path).hello().refusal)
        #expect(refusal.reason == .notGranted && refusal.text.contains("[Grant]"))
    }
}

import CSMMUBroker
import LinuxSystem
import Testing

@Suite("Replies")
@safe
struct ReplyTests {
    private static let good = Reply(SMMU_BROKER_VSMMU_DESTROY)

    private func destroy(_ peer: ScriptedPeer) -> Int32 { unsafe smmu_broker_client_vsmmu_destroy(peer.client, 1) }

    @Test("A refusal gives its errno, reason and sentence; the next request starts afresh")
    func refusal() throws {
        let peer = try ScriptedPeer()
        let text = "The vSMMU 1 is still in use: detach its devices first."
        try peer.sendReply(.refused(SMMU_BROKER_VSMMU_DESTROY, 16, SMMU_BROKER_REASON_VSMMU_IN_USE, text))
        #expect(destroy(peer) == -16)
        #expect(peer.errorText == text)
        #expect(unsafe peer.client.pointee.reason == SMMU_BROKER_REASON_VSMMU_IN_USE.rawValue)
        try peer.sendReply(Self.good)
        #expect(destroy(peer) == 0)
        #expect(peer.errorText.isEmpty)
        #expect(unsafe peer.client.pointee.reason == 0)
    }

    @Test("A long sentence is cut at the end of a character", arguments: [510, 511, 512, 65000])
    func longText(count: Int) throws {
        let peer = try ScriptedPeer()
        let text = String(repeating: "a", count: count % 2) + String(repeating: "é", count: count / 2)
        try peer.sendReply(.refused(SMMU_BROKER_VSMMU_DESTROY, 22, SMMU_BROKER_REASON_BAD_VALUE, text))
        #expect(destroy(peer) == -22)
        #expect(text.hasPrefix(peer.errorText))
        #expect(peer.errorText.utf8.count == min(count, count % 2 == 0 ? 510 : 511))
    }

    @Test(
        "A reply that is not right is a protocol error, once and for all",
        arguments: [
            good.with { $0.missing = 1 }, good.with { $0.missing = 31 }, good.with { $0.size = 33 },
            good.with { $0.size = 31 }, good.with { $0.cookie = 2 }, good.with { $0.cookie = 0 },
            good.with { $0.replyType = 3 }, good.with { $0.replyType = 0x8004 },
            good.with { $0.body = [0] }, good.with { $0.text = [65] },
            good.with { $0.reason = 1 }, good.with { $0.completed = 1 }, good.with { $0.cerror = 1 },
            good.with { $0.status = 4096 }, good.with { $0.status = 0xffff_ffea },
            good.with { ($0.status, $0.textSize) = (22, 1) },
            good.with { ($0.status, $0.text, $0.textSize) = (22, [65, 66], 1) },
            good.with { ($0.status, $0.text, $0.textSize) = (22, [65, 66], 0xffff) },
            good.with { ($0.status, $0.cerror) = (22, 4) }, good.with { ($0.status, $0.completed) = (22, 1) },
            good.with { ($0.status, $0.text) = (22, [UInt8](repeating: 65, count: 65_535)) }
                .with { $0.body = [UInt8](repeating: 65, count: 300) },
        ])
    func malformed(reply: Reply) throws {
        let peer = try ScriptedPeer()
        try peer.sendReply(reply)
        #expect(destroy(peer) == -71)
        #expect(!peer.errorText.isEmpty)
        #expect(unsafe peer.client.pointee.broken == 1 && peer.client.pointee.reason == 0)
        _ = try peer.request()
        try peer.sendReply(Self.good)
        #expect(destroy(peer) == -71)
        let request = try peer.request()
        #expect(request == nil)
    }

    @Test(
        "A count that the reply's size does not bear out is a protocol error",
        arguments: [(0, 16), (1, 0), (2, 16), (1, 17), (0x1000_0000, 0), (0xffff_ffff, 16)] as [(UInt32, Int)])
    func badContexts(count: UInt32, bytes: Int) throws {
        let peer = try ScriptedPeer()
        var body = PacketBytes()
        body.add(count)
        body.add(UInt32(1))
        body.bytes += [UInt8](repeating: 0, count: bytes)
        try peer.sendReply(Reply(SMMU_BROKER_VSMMU_RESET, body: body.bytes))
        #expect(unsafe smmu_broker_client_vsmmu_reset(peer.client, 1, nil, 0, nil) == -71)
    }

    @Test("Contexts are counted, and copied as far as there is room", arguments: [0, 1, 2, 5])
    func contexts(capacity: Int) throws {
        let peer = try ScriptedPeer()
        var body = PacketBytes()
        for word in [2, 9] + [0x20, 2, 0, 0] + [0x21, 0, 22, 1] as [UInt32] { body.add(word) }
        try peer.sendReply(Reply(SMMU_BROKER_VSMMU_RESET, body: body.bytes))
        var contexts = [smmu_broker_context](repeating: smmu_broker_context(), count: 6)
        var generation: UInt32 = 0
        let count = unsafe smmu_broker_client_vsmmu_reset(
            peer.client, 1, &contexts, UInt32(capacity), &generation)
        #expect(count == 2 && generation == 9)
        let vsids: [UInt32] = [0x20, 0x21]
        #expect(contexts.map(\.vsid) == (0..<6).map { $0 < min(capacity, 2) ? vsids[$0] : 0 })
    }

    @Test("Narrowings are counted, and a wrong number of them is a protocol error", arguments: [0, 1, 2, 3])
    func narrowings(claimed: UInt32) throws {
        let peer = try ScriptedPeer()
        var body = PacketBytes(bytes: [UInt8](repeating: 0, count: 72))
        body.add(claimed)
        body.add(UInt32(0))
        body.bytes += [UInt8](repeating: 0x41, count: 2 * MemoryLayout<smmu_broker_narrowing>.size)
        try peer.sendReply(Reply(SMMU_BROKER_VSMMU_CREATE, body: body.bytes))
        var reply = smmu_broker_vsmmu_create_reply()
        var narrowings = [smmu_broker_narrowing](repeating: smmu_broker_narrowing(), count: 2)
        let count = unsafe smmu_broker_client_vsmmu_create(peer.client, "model0", nil, &reply, &narrowings, 1)
        #expect(count == (claimed == 2 ? 2 : -71))
        #expect(narrowings.map(\.wanted) == (claimed == 2 ? [0x4141_4141, 0] : [0, 0]))
    }

    @Test(
        "DMA data is as much as the reply says, and no more than was asked for",
        arguments: [(4, 4, 4), (0, 0, 0), (2, 2, 2), (4, 0, -71), (0, 4, -71), (5, 5, -71), (0xffff_ffff, 4, -71)]
            as [(UInt32, Int, Int32)])
    func data(claimed: UInt32, bytes: Int, status: Int32) throws {
        let peer = try ScriptedPeer()
        var body = PacketBytes(bytes: [UInt8](repeating: 0, count: 56))
        body.add(claimed)
        body.add(UInt32(0))
        body.bytes += [UInt8](repeating: 0x5a, count: bytes)
        try peer.sendReply(Reply(SMMU_BROKER_DMA, body: body.bytes))
        var reply = smmu_broker_access_reply()
        var data = [UInt8](repeating: 0, count: 8)
        #expect(unsafe smmu_broker_client_dma_read(peer.client, 1, 2, 0, 0, 0, &data, 4, &reply) == status)
        #expect(data == (0..<8).map { $0 < max(status, 0) ? 0x5a : 0 })
    }

    @Test("No more can have been written than was sent", arguments: [(3, 3), (4, 4), (5, -71)] as [(UInt32, Int32)])
    func written(claimed: UInt32, status: Int32) throws {
        let peer = try ScriptedPeer()
        var body = PacketBytes(bytes: [UInt8](repeating: 0, count: 56))
        body.add(claimed)
        body.add(UInt32(0))
        try peer.sendReply(Reply(SMMU_BROKER_DMA, body: body.bytes))
        var reply = smmu_broker_access_reply()
        let data: [UInt8] = [1, 2, 3, 4]
        #expect(unsafe smmu_broker_client_dma_write(peer.client, 1, 2, 0, 0, 0, data, 4, &reply) == status)
    }

    @Test("The STE's reply must be about its stream")
    func otherStream() throws {
        let peer = try ScriptedPeer()
        var body = PacketBytes()
        for word in [8, 0, 0, 0] as [UInt32] { body.add(word) }
        try peer.sendReply(Reply(SMMU_BROKER_STE_SET, body: body.bytes))
        #expect(unsafe smmu_broker_client_ste_set(peer.client, 1, 9, RequestTests.ste, nil) == -71)
    }

    @Test("A refusal of commands says how far they came")
    func progress() throws {
        let peer = try ScriptedPeer()
        let commands = [smmu_broker_command](repeating: smmu_broker_command(words: (0x30, 0)), count: 3)
        var progress = smmu_broker_progress()
        let refused = Reply.refused(SMMU_BROKER_COMMANDS, 22, SMMU_BROKER_REASON_ILLEGAL_COMMAND, "No.")
        try peer.sendReply(refused.with { ($0.completed, $0.cerror) = (2, 1) })
        #expect(unsafe smmu_broker_client_commands(peer.client, 1, commands, 3, &progress) == -22)
        #expect(progress.completed == 2 && progress.cerror == 1)
        try peer.sendReply(refused.with { ($0.completed, $0.cerror) = (4, 1) })
        #expect(unsafe smmu_broker_client_commands(peer.client, 1, commands, 3, &progress) == -71)
        #expect(progress.completed == 0 && progress.cerror == 0)
    }

    @Test("A success with fewer commands done than sent is a protocol error")
    func halfSuccess() throws {
        let peer = try ScriptedPeer()
        let commands = [smmu_broker_command](repeating: smmu_broker_command(words: (0x30, 0)), count: 3)
        try peer.sendReply(Reply(SMMU_BROKER_COMMANDS).with { $0.completed = 2 })
        #expect(unsafe smmu_broker_client_commands(peer.client, 1, commands, 3, nil) == -71)
    }

    @Test("To the guest, an answer to what is not stalled does nothing; any other refusal is one")
    func unknownTag() throws {
        let peer = try ScriptedPeer()
        let transport = unsafe smmu_broker_client_transport(peer.client)
        try peer.sendReply(.refused(SMMU_BROKER_PAGE_RESPONSE, 2, SMMU_BROKER_REASON_UNKNOWN_STAG, "No such tag."))
        #expect(unsafe transport.page_response(transport.user, 1, 2, 3, 0) == 0)
        try peer.sendReply(.refused(SMMU_BROKER_PAGE_RESPONSE, 2, SMMU_BROKER_REASON_UNKNOWN_VSID, "No such stream."))
        #expect(unsafe transport.page_response(transport.user, 1, 2, 3, 0) == -2)
    }
}

import CSMMUBroker
import LinuxSystem
import Testing

/// Every request function: what it sends, with which descriptors, and that a right reply makes it succeed.
@Suite("Requests")
@safe
struct RequestTests {
    typealias Client = UnsafeMutablePointer<smmu_broker_client>

    @unsafe
    struct Row: @unchecked Sendable {
        let type: smmu_broker_type
        /// Of the request's fixed and variable part.
        let size: Int
        var descriptors = 0
        /// Bytes of the reply behind its header.
        var replyBody = 0
        var completed: UInt32 = 0
        /// 32-bit numbers of the request, by offset.
        var fields: [Int: UInt32] = [:]
        let call: (Client, Int32) -> Int32
    }

    static let ste: [UInt64] = [1, 2, 3, 4, 5, 6, 7, 8]

    private static let session: [Row] = unsafe [
        Row(type: SMMU_BROKER_VSMMU_DESTROY, size: 24, fields: [16: 7]) { c, _ in
            unsafe smmu_broker_client_vsmmu_destroy(c, 7)
        },
        Row(type: SMMU_BROKER_VSMMU_STATE, size: 32 + 72, replyBody: 8, fields: [16: 7, 20: 1, 24: 1, 32: 9]) { c, _ in
            var entry = smmu_broker_entry()
            entry.vsid = 9
            return unsafe smmu_broker_client_vsmmu_state(c, 7, 1, &entry, 1, nil, 0, nil)
        },
        Row(type: SMMU_BROKER_VSMMU_RESET, size: 24, replyBody: 8, fields: [16: 7]) { c, _ in
            unsafe smmu_broker_client_vsmmu_reset(c, 7, nil, 0, nil)
        },
        Row(
            type: SMMU_BROKER_MEMORY_MAP, size: 48, descriptors: 1,
            fields: [16: 0x1000, 20: 1, 24: 0x2000, 32: 0x3000, 40: 3]
        ) { c, fd in unsafe smmu_broker_client_memory_map(c, fd, 0x1_0000_1000, 0x2000, 0x3000, 3) },
        Row(type: SMMU_BROKER_MEMORY_UNMAP, size: 32, fields: [16: 0x1000, 24: 0x2000]) { c, _ in
            unsafe smmu_broker_client_memory_unmap(c, 0x1000, 0x2000)
        },
        Row(type: SMMU_BROKER_EVENTS_SUBSCRIBE, size: 48, descriptors: 1, fields: [16: 1, 20: 7, 24: 0, 32: 0]) {
            c, fd in unsafe smmu_broker_client_events_subscribe_socket(c, 7, fd)
        },
        Row(
            type: SMMU_BROKER_EVENTS_SUBSCRIBE, size: 48, descriptors: 3,
            fields: [16: 2, 20: 7, 24: 0x4000, 32: 0x10a8, 40: 9]
        ) { c, fd in unsafe subscribeQueue(c, fd, notices: -1) },
        Row(
            type: SMMU_BROKER_EVENTS_SUBSCRIBE, size: 48, descriptors: 4,
            fields: [16: 2, 20: 7, 24: 0x4000, 32: 0x10a8, 40: 9]
        ) { c, fd in unsafe subscribeQueue(c, fd, notices: fd) },
    ]

    private static func subscribeQueue(_ client: Client, _ fd: Int32, notices: Int32) -> Int32 {
        var queue = smmu_broker_shared_queue(
            records_fd: fd, registers_fd: fd, signal_fd: fd, notices_fd: notices, base: 0x4000, registers: 0x10a8,
            log2: 9, reserved: 0)
        return unsafe smmu_broker_client_events_subscribe_queue(client, 7, &queue)
    }

    private static let devices: [Row] = unsafe [
        Row(type: SMMU_BROKER_DEVICE_REBIND, size: 32, fields: [16: 7, 20: 9, 24: 10]) { c, _ in
            unsafe smmu_broker_client_device_rebind(c, 7, 9, 10)
        },
        Row(type: SMMU_BROKER_DEVICE_DETACH, size: 24, fields: [16: 7, 20: 9]) { c, _ in
            unsafe smmu_broker_client_device_detach(c, 7, 9)
        },
        Row(type: SMMU_BROKER_DEVICE_RESET, size: 80, fields: [16: 0x6b73_6964]) { c, _ in
            unsafe smmu_broker_client_device_reset(c, "disk")
        },
        Row(type: SMMU_BROKER_STE_SET, size: 88, replyBody: 16, fields: [16: 7, 20: 0, 24: 1, 80: 8]) { c, _ in
            unsafe smmu_broker_client_ste_set(c, 7, 0, ste, nil)
        },
        Row(type: SMMU_BROKER_COMMANDS, size: 24 + 32, completed: 2, fields: [16: 7, 20: 2, 24: 0x10, 40: 0x30]) {
            c, _ in
            let commands = [smmu_broker_command(words: (0x10, 0)), smmu_broker_command(words: (0x30, 0))]
            return unsafe smmu_broker_client_commands(c, 7, commands, 2, nil)
        },
        Row(type: SMMU_BROKER_MSI_DOORBELL, size: 40, replyBody: 16, fields: [16: 7, 20: 9, 24: 0x1000, 32: 0x2000]) {
            c, _ in
            var reply = smmu_broker_msi_doorbell_reply()
            return unsafe smmu_broker_client_msi_doorbell(c, 7, 9, 0x1000, 0x2000, &reply)
        },
        Row(type: SMMU_BROKER_PAGE_RESPONSE, size: 32, fields: [16: 7, 20: 9, 24: 5, 28: 2]) { c, _ in
            unsafe smmu_broker_client_page_response(c, 7, 9, 5, SMMU_BROKER_PAGE_ABORT.rawValue)
        },
        Row(
            type: SMMU_BROKER_TRANSLATE, size: 48, replyBody: 64, fields: [16: 7, 20: 9, 24: 0x1000, 32: 3, 36: 8]
        ) { c, _ in
            var reply = smmu_broker_access_reply()
            return unsafe smmu_broker_client_translate(c, 7, 9, 0x1000, 3, SMMU_BROKER_ACCESS_SUBSTREAM, &reply)
        },
        Row(type: SMMU_BROKER_DMA, size: 48 + 4, replyBody: 64, fields: [16: 7, 20: 9, 36: 1, 40: 4, 48: 0x0403_0201]) {
            c, _ in
            var reply = smmu_broker_access_reply()
            return unsafe smmu_broker_client_dma_write(c, 7, 9, 0x1000, 0, 0, [1, 2, 3, 4] as [UInt8], 4, &reply)
        },
        Row(type: SMMU_BROKER_DMA, size: 48, replyBody: 64, fields: [16: 7, 20: 9, 36: 0, 40: 4]) { c, _ in
            var reply = smmu_broker_access_reply()
            var data: [UInt8] = [0, 0, 0, 0]
            return unsafe smmu_broker_client_dma_read(c, 7, 9, 0x1000, 0, 0, &data, 4, &reply)
        },
    ]

    private static let rows = unsafe session + devices

    @Test("A request is as the protocol lays it out, and its reply ends it", arguments: 0..<18)
    func layout(index: Int) throws {
        #expect(unsafe Self.rows.count == 18)
        let row = unsafe Self.rows[index]
        let peer = try ScriptedPeer()
        let memory = try OwnedFD.memory(named: "smmu-broker-test-request", size: 4096)
        var reply = unsafe Reply(row.type, zeros: row.replyBody)
        unsafe reply.completed = row.completed
        try peer.sendReply(reply)
        let status = unsafe row.call(peer.client, memory.raw)
        #expect(status == 0, "\(peer.errorText)")
        let request = try #require(try peer.request())
        #expect(unsafe load(request.bytes, at: 0, as: UInt16.self) == UInt16(row.type.rawValue))
        #expect(load(request.bytes, at: 2, as: UInt16.self) == 0)
        #expect(unsafe load(request.bytes, at: 4, as: UInt32.self) == UInt32(row.size))
        #expect(load(request.bytes, at: 8, as: UInt64.self) == 1)
        #expect(unsafe request.bytes.count == row.size && request.descriptors == row.descriptors)
        for (offset, value) in unsafe row.fields {
            #expect(load(request.bytes, at: offset, as: UInt32.self) == value, "offset \(offset)")
        }
    }

    @Test("HELLO says version, features and name, and takes what the broker grants")
    func hello() throws {
        let peer = try ScriptedPeer()
        var body = PacketBytes()
        for word in [1, 65792] as [UInt32] { body.add(word) }
        for word in [1, 77, 1 << 30] as [UInt64] { body.add(word) }
        for word in [4, 8, 4096, 0] as [UInt32] { body.add(word) }
        try peer.sendReply(Reply(SMMU_BROKER_HELLO, body: body.bytes))
        var reply = smmu_broker_hello_reply()
        let status = unsafe smmu_broker_client_hello(peer.client, "vm-1", 3, &reply)
        #expect(status == 0 && reply.features == 1 && reply.epoch == 77 && reply.maximum_commands == 4096)
        let request = try #require(try peer.request())
        #expect(request.bytes.count == 96 && load(request.bytes, at: 16, as: UInt32.self) == 1)
        #expect(load(request.bytes, at: 24, as: UInt64.self) == 3)
        #expect(request.bytes[32...] == ("vm-1".utf8 + [UInt8](repeating: 0, count: 60))[...])
    }

    @Test("HELLO refuses a version or features that were not offered", arguments: [(0, 0), (2, 0), (1, 4)])
    func badHello(version: UInt32, features: UInt64) throws {
        let peer = try ScriptedPeer()
        var body = PacketBytes()
        body.add(version)
        body.add(UInt32(0))
        body.add(features)
        body.bytes += [UInt8](repeating: 0, count: 32)
        try peer.sendReply(Reply(SMMU_BROKER_HELLO, body: body.bytes))
        var reply = smmu_broker_hello_reply()
        #expect(unsafe smmu_broker_client_hello(peer.client, "vm", 3, &reply) == -71)
    }

    @Test("Arguments out of range are refused before anything is sent")
    func outOfRange() throws {
        let peer = try ScriptedPeer()
        let client = unsafe peer.client
        var hello = smmu_broker_hello_reply()
        var access = smmu_broker_access_reply()
        var data = [UInt8](repeating: 0, count: 8192)
        let long = String(repeating: "x", count: 64)
        #expect(unsafe smmu_broker_client_hello(client, "", 0, &hello) == -22)
        #expect(unsafe smmu_broker_client_hello(client, long, 0, &hello) == -36)
        #expect(unsafe smmu_broker_client_commands(client, 0, nil, 0, nil) == -22)
        #expect(unsafe smmu_broker_client_commands(client, 0, nil, 4097, nil) == -22)
        #expect(unsafe smmu_broker_client_vsmmu_state(client, 0, 1, nil, 513, nil, 0, nil) == -22)
        #expect(unsafe smmu_broker_client_dma_read(client, 0, 0, 0, 0, 0, &data, 0, &access) == -22)
        #expect(unsafe smmu_broker_client_dma_read(client, 0, 0, 0, 0, 0, &data, 4097, &access) == -22)
        #expect(unsafe smmu_broker_client_dma_read(client, 0, 0, 0, 0, 1, &data, 4, &access) == -22)
        #expect(unsafe smmu_broker_client_dma_write(client, 0, 0, 0, 0, 0, data, 4097, &access) == -22)
        let request = try peer.request()
        #expect(request == nil)
    }

    @Test("The largest packet of commands goes through")
    func largest() throws {
        let peer = try ScriptedPeer()
        try peer.sendReply(Reply(SMMU_BROKER_COMMANDS).with { $0.completed = 4096 })
        let commands = [smmu_broker_command](repeating: smmu_broker_command(words: (0x30, 0)), count: 4096)
        var progress = smmu_broker_progress()
        let status = unsafe smmu_broker_client_commands(peer.client, 7, commands, 4096, &progress)
        #expect(status == 0 && progress.completed == 4096)
        #expect(try peer.request()?.bytes.count == 24 + 65536)
    }
}

import BrokerHarness
import Foundation
import LinuxSystem
import SMMUv3
import Testing
import Wire

/// One way to get it wrong: the packet, what comes with it, and the name that the refusal gives it.
struct Malformed: CustomTestStringConvertible, Sendable {
    /// What is passed along; made anew for each try.
    enum Passed: Sendable {
        case nothing
        case memory(sealed: Bool = true, size: UInt64 = 0x1_0000)
        case readOnlyMemory
        case pipe
        case regularFile
        case eventFD
        case listener
        case many(Int)
    }

    var testDescription: String
    var reason: Reason
    var passed = Passed.nothing
    /// Of a client that knows a vSMMU 1 with the vSID 8, and RAM at 0x40000000.
    var bytes: @Sendable (RawClient) -> [UInt8]

    init(
        _ name: String, _ reason: Reason, _ passed: Passed, _ bytes: @escaping @Sendable (RawClient) -> [UInt8]
    ) {
        (testDescription, self.reason, self.passed, self.bytes) = (name, reason, passed, bytes)
    }

    init(_ name: String, _ reason: Reason, _ bytes: @escaping @Sendable (RawClient) -> [UInt8]) {
        self.init(name, reason, .nothing, bytes)
    }
}

extension [UInt8] {
    /// With other bytes from `offset` on.
    func replacing(at offset: Int, with bytes: [UInt8]) -> [UInt8] {
        var copy = self
        copy.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        return copy
    }

    /// The header's size corrected to the packet's length.
    var sized: [UInt8] { replacing(at: 4, with: (0..<4).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }) }
}

private func map(
    _ ipa: UInt64 = 0x8000_0000, _ size: UInt64 = 0x1000, offset: UInt64 = 0,
    flags: MemoryMapRequest.Flags = [.read, .write]
) -> @Sendable (RawClient) -> [UInt8] {
    { $0.bytes(of: MemoryMapRequest(ipa: IPA(ipa), size: size, offset: offset, flags: flags)) }
}

private func commands(_ list: [Command]) -> @Sendable (RawClient) -> [UInt8] {
    { client in
        client.packet { CommandsRequest.encode(vsmmu: VSMMUID(1), commands: list.span, client.nextCookie(), into: &$0) }
    }
}

private func steSet(_ vsmmu: UInt32, _ vsid: UInt32) -> @Sendable (RawClient) -> [UInt8] {
    {
        $0.bytes(
            of: STESetRequest(vsmmu: VSMMUID(vsmmu), vsid: StreamID(vsid), ste: StreamTableEntry(words: .zero)))
    }
}

private func hello(_ change: @escaping @Sendable ([UInt8]) -> [UInt8]) -> @Sendable (RawClient) -> [UInt8] {
    { change($0.bytes(of: HelloRequest(features: [], name: "again"))) }
}

private let subscribe: @Sendable (RawClient) -> [UInt8] = {
    $0.bytes(of: EventsSubscribeRequest(delivery: .socket, vsmmu: .every))
}

let malformedPackets: [Malformed] = [
    Malformed("one byte", .tooShort) { _ in [1] },
    Malformed("half a header", .tooShort, hello { Array($0.prefix(8)) }),
    Malformed("a header alone", .tooShort, hello { Array($0.prefix(16)).sized }),
    Malformed("a structure without its last bytes", .tooShort, hello { Array($0.dropLast(8)).sized }),
    Malformed("bytes after the end", .tooLong, hello { ($0 + [0, 0, 0, 0]).sized }),
    Malformed("more than the largest packet", .tooLong) { _ in
        [UInt8](repeating: 0, count: Limits.packet + 1).replacing(at: 0, with: [13, 0]).sized
    },
    Malformed("twice the largest packet", .tooLong) { _ in
        [UInt8](repeating: 0, count: 2 * Limits.packet).replacing(at: 0, with: [13, 0]).sized
    },
    Malformed("a size that is not the packet's", .sizeMismatch, hello { $0.replacing(at: 4, with: [97, 0, 0, 0]) }),
    Malformed("an unknown type", .unknownType, hello { $0.replacing(at: 0, with: [0x77, 0]) }),
    Malformed("type 0", .unknownType, hello { $0.replacing(at: 0, with: [0, 0]) }),
    Malformed("a reply", .unknownType, hello { $0.replacing(at: 1, with: [0x80]) }),
    Malformed("a reserved field of the header", .reservedNotZero, hello { $0.replacing(at: 2, with: [1]) }),
    Malformed("a reserved field of the structure", .reservedNotZero, hello { $0.replacing(at: 20, with: [1]) }),
    Malformed("version 0", .badVersion, hello { $0.replacing(at: 16, with: [0, 0, 0, 0]) }),
    Malformed("no name", .badName, hello { $0.replacing(at: 32, with: [0, 0, 0, 0, 0]) }),
    Malformed("a name with a blank", .badName, hello { $0.replacing(at: 33, with: [0x20]) }),
    Malformed("a name without end", .badName, hello { $0.replacing(at: 32, with: [UInt8](repeating: 65, count: 64)) }),
    Malformed("bytes after the name", .badName, hello { $0.replacing(at: 95, with: [65]) }),
    Malformed("a second HELLO", .helloRepeated, hello { $0 }),

    Malformed("no commands", .badCount, commands([])),
    Malformed("4097 commands announced", .badCount) { client in
        commands([.sync()])(client).replacing(at: 20, with: [1, 0x10, 0, 0])
    },
    Malformed("more commands announced than sent", .tooShort) { client in
        commands([.sync()])(client).replacing(at: 20, with: [2, 0, 0, 0])
    },
    Malformed("commands for no vSMMU", .unknownVSMMU) { client in
        commands([.sync()])(client).replacing(at: 16, with: [9, 0, 0, 0])
    },
    Malformed("an illegal command", .illegalCommand, commands([.sync(), Command(d0: 0xff, d1: 0)])),
    Malformed("a CFGI_STE", .configurationCommand, commands([.cfgiSTE(StreamID(8))])),
    Malformed("a RESUME where nothing stalls", .illegalCommand, commands([.resume(StreamID(8), tag: 0, .retry)])),
    Malformed("an STE of an unknown vSID", .unknownVSID, steSet(1, 77)),
    Malformed("an STE of an unknown vSMMU", .unknownVSMMU, steSet(2, 8)),
    Malformed("a duplicate vSID", .duplicateVSID) {
        $0.bytes(of: DeviceAttachRequest(vsmmu: VSMMUID(1), vsid: StreamID(8), device: "disk0"))
    },
    Malformed("an unknown device", .unknownDevice) {
        $0.bytes(of: DeviceAttachRequest(vsmmu: VSMMUID(1), vsid: StreamID(9), device: "nothing"))
    },

    Malformed("no descriptor for a map", .wrongDescriptorCount, map()),
    Malformed("two descriptors for a map", .wrongDescriptorCount, .many(2), map()),
    Malformed("a descriptor for an STE", .wrongDescriptorCount, .memory(), steSet(1, 8)),
    Malformed("sixteen descriptors", .wrongDescriptorCount, .many(16), map()),
    Malformed("a pipe as memory", .notMemory, .pipe, map()),
    Malformed("a regular file as memory", .notMemory, .regularFile, map()),
    Malformed("an eventfd as memory", .notMemory, .eventFD, map()),
    Malformed("a memfd that can shrink", .notSealed, .memory(sealed: false), map()),
    Malformed("a read-only descriptor mapped writable", .descriptorNotWritable, .readOnlyMemory, map()),
    Malformed("neither read nor write", .badValue, .memory(), map(flags: [])),
    Malformed("an IPA that is not aligned", .notAligned, .memory(), map(0x8000_0010)),
    Malformed("a size that is not aligned", .notAligned, .memory(), map(0x8000_0000, 0x1001)),
    Malformed("an offset that is not aligned", .notAligned, .memory(), map(offset: 8)),
    Malformed("addresses that overflow", .addressOverflow, .memory(), map(~0xfff, 0x2000)),
    Malformed("an offset that overflows", .addressOverflow, .memory(), map(offset: ~0xfff)),
    Malformed("a map beyond the end of its file", .beyondFile, .memory(), map(0x8000_0000, 0x2_0000)),
    Malformed("a map where there is one", .overlap, .memory(), map(0x4000_f000, 0x2000)),
    Malformed("an unmap of half a map", .noSuchMap) {
        $0.bytes(of: MemoryUnmapRequest(ipa: IPA(0x4000_0000), size: 0x1000))
    },
    Malformed("an eventfd as the socket for events", .notSocket, .eventFD, subscribe),
    Malformed("a listening socket as the socket for events", .notSocket, .listener, subscribe),
    Malformed("memory as the socket for events", .notSocket, .memory(), subscribe),
]

@Suite("Malformed messages")
struct MalformedTests {
    @Test(
        "P3, P5, P7, P8: each malformed message has a name and a sentence, and the session goes on",
        arguments: malformedPackets)
    func refused(_ malformed: Malformed) throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let client = try usefulClient(harness)
        let mark = "malformed-\(UUID().uuidString)"
        let reply = try Passing(malformed.passed, mark).with { descriptors in
            try client.exchange(malformed.bytes(client), descriptors: descriptors)
        }
        let refusal = try #require(reply.refusal)
        #expect(refusal.reason == malformed.reason, "\(refusal.text)")
        #expect(refusal.text.count > 20 && refusal.text.hasSuffix("."))
        // P5: the reply is here, so the descriptors are gone.
        #expect(OpenResources(ofMemory: mark) == OpenResources(descriptors: 0, mappings: 0))
        let after = try client.exchange(steSet(1, 8)(client))
        #expect(after.refusal == nil, "the session does not go on")
        let mapped = try Passing(.memory(), mark).with { try client.exchange(map()(client), descriptors: $0) }
        #expect(mapped.refusal == nil, "the refused request has left something behind")
    }

    @Test("P3: any bytes get one reply each, and the session goes on")
    func garbage() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let client = try usefulClient(harness)
        let seed = UInt64.random(in: 0 ... .max)
        var state = seed
        func random() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 33
        }
        for round in 0..<2000 {
            var bytes = (0..<Int(random() % 200) + 1).map { _ in UInt8(truncatingIfNeeded: random()) }
            // Most of them get past the header.
            if bytes.count >= 16, round % 4 != 0 {
                bytes = bytes.replacing(at: 0, with: [UInt8(random() % 20), 0, 0, 0]).sized
            }
            let reply = try client.exchange(bytes)
            if bytes.count >= 16 {
                #expect(reply.header.cookie.rawValue == bytes.cookie, "seed \(seed), round \(round)")
            }
        }
        #expect(try client.exchange(steSet(1, 8)(client)).header.reason != .helloExpected, "seed \(seed)")
    }

    /// One that has said HELLO and has vSMMU 1, a device with the vSID 8, and RAM at 0x40000000.
    private func usefulClient(_ harness: BrokerHarness) throws -> RawClient {
        let client = try RawClient(connectingTo: harness.path)
        try client.hello()
        let created = try client.request(VSMMUCreateRequest(device: "model", wanted: IDRegisters()))
        #expect(created.refusal == nil)
        let attached = try client.request(DeviceAttachRequest(vsmmu: VSMMUID(1), vsid: StreamID(8), device: "model"))
        #expect(attached.refusal == nil)
        let ram = try OwnedFD.memory(named: "ram", size: 0x1_0000)
        try ram.seal(.shrink)
        #expect(try client.exchange(map(0x4000_0000, 0x1_0000)(client), descriptors: [ram.raw]).refusal == nil)
        return client
    }
}

extension [UInt8] {
    fileprivate var cookie: UInt64 { self[8..<16].reversed().reduce(0) { $0 << 8 | UInt64($1) } }
}

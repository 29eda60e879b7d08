import SMMUv3
import Scenarios
import Testing
import Wire

/// Counts, flags and numbers outside what the protocol knows.
@Suite struct MalformedValueTests {
    static let command = Command(d0: 0, d1: 0)
    static let entry = ContextEntry(vsid: StreamID(1), ste: StreamTableEntry())
    static let target = AccessRequest.Target(vsmmu: VSMMUID(1), vsid: StreamID(2), iova: IOVA(3))
    static let bytes: [UInt8] = [1, 2, 3, 4]

    static func commands(_ count: Int) -> Packet {
        let all = [Command](repeating: command, count: count)
        return Packet { CommandsRequest.encode(vsmmu: VSMMUID(0), commands: all.span, Cookie(0), into: &$0) }
    }

    static func state(_ count: Int, _ flags: VSMMUStateRequest.Flags) -> Packet {
        let all = [ContextEntry](repeating: entry, count: count)
        return Packet {
            VSMMUStateRequest.encode(vsmmu: VSMMUID(0), flags: flags, entries: all.span, Cookie(0), into: &$0)
        }
    }

    static let write = Packet { AccessRequest.encodeWrite(target, data: unsafe bytes.span.bytes, Cookie(0), into: &$0) }
    static let read = Packet { AccessRequest.encodeRead(target, size: 4, Cookie(0), into: &$0) }
    static let translate = Packet { AccessRequest.encodeTranslate(target, write: true, Cookie(0), into: &$0) }
    static let map = Packet {
        MemoryMapRequest(ipa: IPA(0), size: 4096, offset: 0, flags: .read).encode(Cookie(0), into: &$0)
    }
    static let unmap = Packet { MemoryUnmapRequest(ipa: IPA(0), size: 4096).encode(Cookie(0), into: &$0) }
    static let onSocket = Packet {
        EventsSubscribeRequest(delivery: .socket, vsmmu: .every).encode(Cookie(0), into: &$0)
    }
    static let onQueue = Packet {
        EventsSubscribeRequest(
            delivery: .queue(EventsSubscribeRequest.Queue(base: 0, registers: 8, log2: 1)), vsmmu: VSMMUID(1)
        ).encode(Cookie(0), into: &$0)
    }
    static let response = Packet {
        PageResponseRequest(vsmmu: VSMMUID(0), vsid: StreamID(0), stag: StallTag(1), code: .retry)
            .encode(Cookie(0), into: &$0)
    }

    /// A packet that is right but for one 32-bit field.
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let packet: Packet
        let field: WireField<UInt32>
        let right: [UInt32]
        let wrong: [UInt32]
        let reason: Reason

        init(
            _ name: String, _ packet: Packet, _ field: WireField<UInt32>, right: [UInt32], wrong: [UInt32],
            _ reason: Reason
        ) {
            (testDescription, self.packet, self.field) = (name, packet, field)
            (self.right, self.wrong, self.reason) = (right, wrong, reason)
        }
    }

    /// Counts whose product with the record's size is more than 32 bits, or small again when it is cut to them.
    static let overflowing: [UInt32] = [
        0xffff_ffff, 0x8000_0000, 0x7fff_ffff, 0x1000_0000, 0x1000_0001, 0x038e_38e4, 0x0fff_ffff, 65536,
    ]

    static let counts: [Case] = [
        Case(
            "COMMANDS", commands(1), CommandsRequest.Layout.count, right: [1], wrong: [0, 4097] + overflowing,
            .badCount),
        Case(
            "COMMANDS that are not there", commands(1), CommandsRequest.Layout.count, right: [], wrong: [2, 4096],
            .tooShort),
        Case(
            "COMMANDS not counted", commands(4096), CommandsRequest.Layout.count, right: [4096], wrong: [1, 4095],
            .tooLong),
        Case(
            "VSMMU_STATE", state(1, .smmuEnabled), VSMMUStateRequest.Layout.entryCount, right: [1],
            wrong: [513] + overflowing, .badCount),
        Case(
            "VSMMU_STATE without SMMUEN", state(0, .bypassAborts), VSMMUStateRequest.Layout.entryCount, right: [0],
            wrong: [1, 512] + overflowing, .badCount),
        Case(
            "entries that are not there", state(1, .smmuEnabled), VSMMUStateRequest.Layout.entryCount, right: [],
            wrong: [2, 512], .tooShort),
        Case(
            "entries not counted", state(512, .smmuEnabled), VSMMUStateRequest.Layout.entryCount, right: [512],
            wrong: [0, 511], .tooLong),
        Case("DMA write", write, AccessRequest.Layout.size, right: [4], wrong: [0, 4097] + overflowing, .badCount),
        Case("DMA write without all data", write, AccessRequest.Layout.size, right: [], wrong: [5, 4096], .tooShort),
        Case("DMA write with more data", write, AccessRequest.Layout.size, right: [], wrong: [1, 3], .tooLong),
        Case(
            "DMA read", read, AccessRequest.Layout.size, right: [1, 4096], wrong: [0, 4097] + overflowing, .badCount),
        Case("TRANSLATE", translate, AccessRequest.Layout.size, right: [0], wrong: [1, 4] + overflowing, .badCount),
    ]

    static let ssid = WireField<UInt32>("ssid", AccessRequest.Layout.substream.offset)
    static let stag = WireField<UInt32>("stag", PageResponseRequest.Layout.stag.offset)

    static let values: [Case] = [
        Case(
            "state flags", state(0, []), VSMMUStateRequest.Layout.flags, right: [0, 1, 2, 3],
            wrong: [4, 8, 0x8000_0000, 0xffff_ffff], .badValue),
        Case(
            "map flags", map, MemoryMapRequest.Layout.flags, right: [1, 2, 3, 5, 6, 7],
            wrong: [0, 4, 8, 9, 0x8000_0001, 0xffff_ffff], .badValue),
        Case(
            "access flags", read, AccessRequest.Layout.flags, right: [0, 2, 4, 6, 8, 14],
            wrong: [16, 0x8000_0000, 0xffff_ffff], .badValue),
        Case("SubstreamID not meant", read, ssid, right: [0], wrong: [1, 0xffff_ffff], .badValue),
        Case(
            "delivery", onSocket, EventsSubscribeRequest.Layout.delivery, right: [1], wrong: [0, 2, 3, 0xffff_ffff],
            .badValue),
        Case(
            "queue size", onQueue, EventsSubscribeRequest.Layout.queueLog2, right: [1, 19],
            wrong: [0, 20, 32, 64, 0xffff_ffff], .badValue),
        Case(
            "queue size on a socket", onSocket, EventsSubscribeRequest.Layout.queueLog2, right: [0], wrong: [1, 19],
            .reservedNotZero),
        Case(
            "page response", response, PageResponseRequest.Layout.code, right: [0, 1, 2], wrong: [4, 0xffff_ffff],
            .badValue),
        Case("TERMINATE_ALL with a STAG", response, PageResponseRequest.Layout.code, right: [], wrong: [3], .badValue),
    ]

    @Test("A count outside its range, or that disagrees with the length, is refused by name", arguments: counts)
    func count(what: Case) { check(what) }

    @Test("A flag or number that is not known is refused by name", arguments: values)
    func value(what: Case) { check(what) }

    func check(_ what: Case) {
        for (values, reason) in [(what.right, Reason.none), (what.wrong, what.reason)] {
            for value in values {
                var packet = what.packet
                packet.set(what.field, to: value)
                #expect(MalformedRequestTests.reason(of: packet) == reason, "\(value)")
            }
        }
    }

    @Test("A SubstreamID has 20 bits") func substream() {
        var target = Self.target
        for (substream, reason) in [(0xfffff, Reason.none), (0x100000, .badValue), (0xffff_ffff, .badValue)] {
            target.substream = SubstreamID(UInt32(substream))
            let packet = Packet { AccessRequest.encodeRead(target, size: 1, Cookie(0), into: &$0) }
            #expect(MalformedRequestTests.reason(of: packet) == reason)
        }
    }

    @Test("A socket has no place in a queue") func queueBase() {
        var packet = Self.onSocket
        packet.set(EventsSubscribeRequest.Layout.queueBase, to: 1)
        #expect(MalformedRequestTests.reason(of: packet) == .reservedNotZero)
        packet = Self.onSocket
        packet.set(EventsSubscribeRequest.Layout.queueRegisters, to: 8)
        #expect(MalformedRequestTests.reason(of: packet) == .reservedNotZero)
    }

    @Test("A queue is of one vSMMU") func queueOfEvery() {
        var packet = Self.onQueue
        #expect(MalformedRequestTests.reason(of: packet) == .none)
        packet.set(EventsSubscribeRequest.Layout.vsmmu, to: .every)
        #expect(MalformedRequestTests.reason(of: packet) == .badValue)
    }

    @Test("Memory of no size is BAD_VALUE") func noMemory() {
        for (right, field) in [
            (Self.map, MemoryMapRequest.Layout.size), (Self.unmap, MemoryUnmapRequest.Layout.size),
        ] {
            var packet = right
            #expect(MalformedRequestTests.reason(of: packet) == .none)
            packet.set(field, to: 0)
            #expect(MalformedRequestTests.reason(of: packet) == .badValue)
        }
    }

    @Test("Each request has its own number of descriptors") func descriptors() throws {
        for type in RequestType.allCases {
            let request = try MalformedRequestTests.sample(type).request()
            let right: ClosedRange<Int>
            switch request {
            case .memoryMap: right = 1...1
            case .eventsSubscribe(let subscription): right = subscription.delivery == .socket ? 1...1 : 3...4
            default: right = 0...0
            }
            for count in 0...16 {
                var reason = Reason.none
                do throws(WireFault) { try request.checkDescriptors(count: count) } catch { reason = error.reason }
                #expect(reason == (right.contains(count) ? .none : .wrongDescriptorCount))
            }
            let fault = #expect(throws: WireFault.self) {
                try request.checkDescriptors(count: right.lowerBound, truncated: true)
            }
            #expect(fault?.reason == .descriptorsTruncated)
        }
    }
}

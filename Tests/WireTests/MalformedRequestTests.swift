import SMMUv3
import Scenarios
import Testing
import Wire

/// Every way in which a packet can be wrong by itself has a name, and is refused by it.
@Suite struct MalformedRequestTests {
    static let seed = UInt64.random(in: .min ... .max)

    static func sample(_ type: RequestType) -> Packet {
        var random = SplitMix64(seed: seed &+ UInt64(type.rawValue))
        return RequestSample.make(type, &random).packet
    }

    static func reason(of packet: Packet) -> Reason {
        do throws(WireFault) {
            _ = try packet.request()
            return .none
        } catch { return error.reason }
    }

    @Test("A packet that ends early is TOO_SHORT, one that goes on is TOO_LONG", arguments: RequestType.allCases)
    func length(type: RequestType) {
        let packet = Self.sample(type)
        #expect(Self.reason(of: packet) == .none, "seed \(Self.seed)")
        for change in [-1, -2, -4, -8] where packet.bytes.count + change >= 16 {
            #expect(Self.reason(of: packet.resized(by: change)) == .tooShort, "seed \(Self.seed), \(change)")
        }
        for change in [1, 4, 8, 16] {
            #expect(Self.reason(of: packet.resized(by: change)) == .tooLong, "seed \(Self.seed), \(change)")
        }
    }

    @Test("A header of which a part is missing is TOO_SHORT", arguments: 0..<16)
    func header(count: Int) {
        #expect(Self.reason(of: Packet(Array(Self.sample(.hello).bytes.prefix(count)))) == .tooShort)
    }

    @Test("A size that is not the packet's is SIZE_MISMATCH", arguments: RequestType.allCases)
    func wrongSize(type: RequestType) {
        let right = Self.sample(type)
        let count = UInt32(right.bytes.count)
        for size in [0, 16, count - 1, count + 1, 0x8000_0000, 0xffff_ffff] where size != count {
            var packet = right
            packet.set(RequestHeader.Layout.size, to: size)
            #expect(Self.reason(of: packet) == .sizeMismatch, "\(size)")
        }
    }

    @Test(
        "A number that is no request's is UNKNOWN_TYPE", arguments: [0, 19, 20, 255, 256, 0x8001, 0xffff] as [UInt16])
    func type(number: UInt16) {
        var packet = Self.sample(.vsmmuReset)
        packet.set(RequestHeader.Layout.type, to: number)
        #expect(Self.reason(of: packet) == .unknownType)
    }

    @Test("A packet above the largest is TOO_LONG") func largest() {
        let packet = Self.sample(.vsmmuReset)
        #expect(Self.reason(of: packet.resized(by: Limits.packet + 1 - packet.bytes.count)) == .tooLong)
    }

    @Test("The reserved field of the header is RESERVED_NOT_ZERO", arguments: RequestType.allCases)
    func reservedHeader(type: RequestType) {
        for bit in 0..<16 {
            var packet = Self.sample(type)
            packet.set(RequestHeader.Layout.reserved, to: 1 << bit)
            #expect(Self.reason(of: packet) == .reservedNotZero)
        }
    }

    /// Where each request has its own reserved field.
    static let reservedFields: [(RequestType, WireField<UInt32>)] = [
        (.hello, HelloRequest.Layout.reserved), (.vsmmuDestroy, VSMMURequest.Layout.reserved),
        (.vsmmuReset, VSMMURequest.Layout.reserved), (.vsmmuState, VSMMUStateRequest.Layout.reserved),
        (.memoryMap, MemoryMapRequest.Layout.reserved), (.deviceRebind, DeviceRebindRequest.Layout.reserved),
        (.eventsSubscribe, EventsSubscribeRequest.Layout.reserved), (.translate, AccessRequest.Layout.reserved),
        (.dma, AccessRequest.Layout.reserved),
    ]

    @Test("The reserved field of a request is RESERVED_NOT_ZERO", arguments: reservedFields)
    func reservedField(type: RequestType, field: WireField<UInt32>) {
        for bit in 0..<32 {
            var packet = Self.sample(type)
            packet.set(field, to: 1 << bit)
            #expect(Self.reason(of: packet) == .reservedNotZero)
        }
    }

    @Test("The reserved field of every entry is RESERVED_NOT_ZERO") func reservedEntry() {
        let entries = [ContextEntry](repeating: ContextEntry(vsid: StreamID(1), ste: StreamTableEntry()), count: 3)
        for index in 0..<3 {
            var packet = Packet {
                VSMMUStateRequest.encode(
                    vsmmu: VSMMUID(0), flags: .smmuEnabled, entries: entries.span, Cookie(0), into: &$0)
            }
            #expect(Self.reason(of: packet) == .none)
            packet.set(ContextEntry.Layout.reserved, at: 32 + 72 * index, to: 1)
            #expect(Self.reason(of: packet) == .reservedNotZero)
        }
    }

    static let nameFields: [(RequestType, WireField<Name>)] = [
        (.hello, HelloRequest.Layout.name), (.vsmmuCreate, VSMMUCreateRequest.Layout.device),
        (.deviceAttach, DeviceAttachRequest.Layout.device),
    ]

    @Test("What is no name is BAD_NAME", arguments: nameFields)
    func name(type: RequestType, field: WireField<Name>) {
        let right = [UInt8]("vm-1".utf8)
        let wrong: [(String, [UInt8])] = [
            ("empty", []), ("empty, with bytes after", [0, 97]), ("unterminated", [UInt8](repeating: 97, count: 64)),
            ("bytes after its end", right + [0, 1]), ("the last byte", right + [UInt8](repeating: 0, count: 59) + [1]),
            ("space", [UInt8]("vm 1".utf8)), ("slash", [UInt8]("../vm".utf8)), ("newline", [UInt8]("vm\n".utf8)),
            ("UTF-8", [UInt8]("é".utf8)), ("at", [64]), ("bracket", [91]), ("backquote", [96]), ("brace", [123]),
            ("slash alone", [47]), ("semicolon", [59]), ("escape", [27]), ("255", [255]),
        ]
        for (what, bytes) in [("right", right)] + wrong {
            var packet = Self.sample(type)
            for index in 0..<64 { packet.bytes[field.offset + index] = index < bytes.count ? bytes[index] : 0 }
            #expect(Self.reason(of: packet) == (what == "right" ? .none : .badName), "\(what)")
        }
    }

    static let versions: [(UInt32, Reason)] = [(0, .badVersion), (1, .none), (2, .none), (0xffff_ffff, .none)]

    @Test("Version 0 is BAD_VERSION, a higher one is for HELLO to lower", arguments: versions)
    func version(version: UInt32, expected: Reason) {
        var packet = Self.sample(.hello)
        packet.set(HelloRequest.Layout.version, to: version)
        #expect(Self.reason(of: packet) == expected)
    }
}

import SMMUv3
import Scenarios
import Testing
import Wire

/// No bytes whatever make a decoder trap; what it accepts lies within the packet.
@Suite struct HostilePacketTests {
    /// Decodes as anything, and touches all that was accepted.
    static func decode(_ packet: Packet) -> (request: Bool, reply: Bool, event: Bool) {
        (acceptsRequest(packet), acceptsReply(packet), acceptsEvent(packet))
    }

    private static func acceptsRequest(_ packet: Packet) -> Bool {
        do throws(WireFault) {
            switch try packet.request() {
            case .commands(let request): _ = packet.array(request.commands)
            case .vsmmuState(let request): _ = packet.array(request.entries)
            case .dma(let request), .translate(let request): _ = packet.array(request.data)
            case .hello(let request): #expect(request.name.problem == nil)
            default: break
            }
            return true
        } catch {
            #expect(!error.description.isEmpty && error.reason != .none && error.status != .done)
            return false
        }
    }

    private static func acceptsReply(_ packet: Packet) -> Bool {
        guard let reply = try? packet.reply() else { return false }
        switch reply.body {
        case .vsmmuCreate(_, let records): _ = packet.array(records)
        case .contexts(let contexts): _ = packet.array(contexts.contexts)
        case .access(_, let data): _ = packet.array(data)
        default: break
        }
        return true
    }

    private static func acceptsEvent(_ packet: Packet) -> Bool {
        guard let message = try? packet.event() else { return false }
        if case .events(let records) = message.body { _ = packet.array(records) }
        return true
    }

    @Test("200 000 packets of random bytes: refused or read, never a trap") func randomBytes() {
        let seed = UInt64.random(in: .min ... .max)
        print("HostilePacketTests.randomBytes: seed \(seed)")
        var random = SplitMix64(seed: seed)
        var accepted = 0
        for _ in 0..<200_000 {
            var packet = Packet((0..<random.below(130)).map { _ in random.chance(60) ? 0 : UInt8(random.below(256)) })
            // Most get past the header, or nothing else would be tried.
            if random.chance(80) && packet.bytes.count >= 16 {
                packet.set(RequestHeader.Layout.type, to: UInt16(random.below(20)) | (random.chance(30) ? 0x8000 : 0))
                packet.set(RequestHeader.Layout.reserved, to: 0)
                packet.correctSize()
            }
            let result = Self.decode(packet)
            if result.request || result.reply || result.event { accepted += 1 }
        }
        #expect(accepted > 100, "seed \(seed)")
    }

    @Test("Damaged valid packets: refused or read, never a trap") func damaged() {
        let seed = UInt64.random(in: .min ... .max)
        print("HostilePacketTests.damaged: seed \(seed)")
        var random = SplitMix64(seed: seed)
        var (accepted, refused) = (0, 0)
        for _ in 0..<400 {
            let original = Self.anyPacket(&random)
            for _ in 0..<(original.bytes.count > 2000 ? 5 : 100) {
                let result = Self.decode(Self.damage(original, &random))
                if result.request || result.reply || result.event { accepted += 1 } else { refused += 1 }
            }
        }
        #expect(accepted > 100 && refused > 100, "seed \(seed)")
    }

    private static func anyPacket(_ random: inout SplitMix64) -> Packet {
        switch random.below(3) {
        case 0: RequestSample.make(random.one(of: RequestType.self), &random).packet
        case 1: ReplySample.kinds[random.below(ReplySample.kinds.count)](&random).packet
        default: EventSample.make(random.one(of: EventType.self), &random).packet
        }
    }

    private static func damage(_ original: Packet, _ random: inout SplitMix64) -> Packet {
        var packet = original
        for _ in 0..<random.within(1...3) {
            let count = packet.bytes.count
            switch random.below(4) {
            case 0 where count > 0: packet.bytes[random.below(min(count, 128))] = UInt8(random.below(256))
            case 1 where count > 0: packet.bytes[random.below(count)] ^= 1 << UInt8(random.below(8))
            case 2 where count >= 4:
                let value = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff][random.below(5)] as UInt32
                packet.set(WireField("any", random.below(min(count, 128) - 3)), to: value)
            default:
                packet.bytes =
                    random.chance(50)
                    ? Array(packet.bytes.prefix(random.below(count + 1)))
                    : packet.bytes + [UInt8](repeating: 0, count: random.below(100))
            }
        }
        if random.chance(70) { packet.correctSize() }
        return packet
    }
}

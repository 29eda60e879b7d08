import SMMUv3
import Wire

extension Program {
    /// Any request, more or less well-formed.
    mutating func packet(_ cookie: UInt64) -> Packet {
        let types = RequestType.allCases
        // Accesses and STEs are what most happens by.
        let type: RequestType = chance(in: 3) ? one(of: [.translate, .dma, .dma, .steSet, .commands]) : one(of: types)
        var packet = Packet(type)
        switch type {
        case .hello:
            packet.append(UInt32(1))
            packet.append(UInt32(0))
            packet.append(UInt64(0b111))
            packet.append(name: "fuzz")
        case .memoryMap, .memoryUnmap: memory(type, &packet)
        case .translate, .dma: access(type, &packet)
        case .vsmmuCreate:
            packet.append(name: device())
            packet.append(words: [0, 0, 0, 0])
            if chance(in: 4) { packet = created() }
        case .deviceReset: packet.append(name: device())
        default: ofVSMMU(type, &packet)
        }
        packet.finish(cookie, &self)
        return packet
    }

    private mutating func created() -> Packet {
        var packet = Packet(.vsmmuCreate)
        packet.append(name: device())
        packet.append(words: [word(), word(), word(), word()])
        return packet
    }

    private mutating func memory(_ type: RequestType, _ packet: inout Packet) {
        packet.append(address())
        packet.append(size())
        guard type == .memoryMap else { return }
        packet.append(chance(in: 2) ? 0 : UInt64(below(64)) << 12)
        packet.append(UInt32(below(4)))
        packet.append(UInt32(0))
    }

    private mutating func access(_ type: RequestType, _ packet: inout Packet) {
        packet.append(vsmmu())
        packet.append(vsid())
        packet.append(address() &+ UInt64(below(32)) &* 8 & 0xfff)
        let flags = UInt32(below(16))
        packet.append(flags & 8 != 0 ? UInt32(below(8)) : 0)
        packet.append(flags)
        let size = type == .dma ? 1 + below(256) * 16 : 0
        packet.append(UInt32(size))
        packet.append(UInt32(0))
        if type == .dma, flags & 1 != 0 { for _ in 0..<size { packet.append(UInt8(0x5a)) } }
    }

    /// Those that begin with a vSMMU's number.
    private mutating func ofVSMMU(_ type: RequestType, _ packet: inout Packet) {
        if type == .eventsSubscribe {
            packet.append(UInt32(1))
            packet.append(chance(in: 4) ? vsmmu() : VSMMUID.every.rawValue)
            packet.append(words: [0, 0, 0])
            return
        }
        packet.append(vsmmu())
        switch type {
        case .vsmmuState:
            let entries = below(6)
            packet.append(UInt32(entries > 0 ? 1 : below(4)))
            packet.append(UInt32(entries))
            packet.append(UInt32(0))
            for index in 0..<entries {
                packet.append(chance(in: 8) ? vsid() : UInt32(index))
                packet.append(UInt32(0))
                packet.append(words: entry())
            }
        case .commands:
            let count = below(20)
            packet.append(UInt32(count))
            for _ in 0..<count { packet.append(words: command()) }
        case .deviceAttach:
            packet.append(vsid())
            packet.append(name: device())
        case .deviceRebind:
            packet.append(vsid())
            packet.append(vsid())
            packet.append(UInt32(0))
        case .steSet:
            packet.append(vsid())
            packet.append(words: entry())
        case .msiDoorbell:
            packet.append(vsid())
            packet.append(address())
            packet.append(address())
        case .pageResponse:
            packet.append(vsid())
            packet.append(UInt32(below(4)))
            packet.append(UInt32(below(5)))
        case .deviceDetach: packet.append(vsid())
        default: packet.append(UInt32(0))
        }
    }
}

import SMMUv3
import Scenarios
import Wire

/// A valid packet for each request, from random values, and what must come out of it again.
struct RequestSample {
    var packet: Packet
    var cookie: Cookie
    var type: RequestType
    /// Whether the decoded request says what was encoded.
    var agrees: (Request) -> Bool

    static func make(_ type: RequestType, _ random: inout SplitMix64) -> RequestSample {
        // A table: one case for each request.
        switch type {
        case .hello:
            let request = HelloRequest(
                version: max(1, random.number32()), features: Features(rawValue: random.next()), name: random.name())
            return fixed(request, &random) { $0 == .hello(request) }
        case .vsmmuCreate:
            let request = VSMMUCreateRequest(device: random.name(), wanted: random.registers())
            return fixed(request, &random) { $0 == .vsmmuCreate(request) }
        case .vsmmuDestroy:
            let request = VSMMURequest(vsmmu: random.vsmmu())
            return fixed(request, as: type, &random) { $0 == .vsmmuDestroy(request) }
        case .vsmmuReset:
            let request = VSMMURequest(vsmmu: random.vsmmu())
            return fixed(request, as: type, &random) { $0 == .vsmmuReset(request) }
        case .vsmmuState: return state(&random)
        case .memoryMap:
            let request = MemoryMapRequest(
                ipa: IPA(random.next()), size: max(1, random.next()), offset: random.next(),
                flags: [random.chance(50) ? .read : .write, random.chance(50) ? .dmabuf : []])
            return fixed(request, &random) { $0 == .memoryMap(request) }
        case .memoryUnmap:
            let request = MemoryUnmapRequest(ipa: IPA(random.next()), size: max(1, random.next()))
            return fixed(request, &random) { $0 == .memoryUnmap(request) }
        case .deviceAttach:
            let request = DeviceAttachRequest(vsmmu: random.vsmmu(), vsid: random.stream(), device: random.name())
            return fixed(request, &random) { $0 == .deviceAttach(request) }
        case .deviceRebind:
            let request = DeviceRebindRequest(
                vsmmu: random.vsmmu(), vsid: random.stream(), newVSID: random.stream())
            return fixed(request, &random) { $0 == .deviceRebind(request) }
        case .deviceDetach:
            let request = DeviceRequest(vsmmu: random.vsmmu(), vsid: random.stream())
            return fixed(request, as: type, &random) { $0 == .deviceDetach(request) }
        case .deviceReset:
            let request = DeviceResetRequest(device: random.name())
            return fixed(request, &random) { $0 == .deviceReset(request) }
        case .steSet:
            let request = STESetRequest(vsmmu: random.vsmmu(), vsid: random.stream(), ste: random.ste())
            return fixed(request, &random) { $0 == .steSet(request) }
        case .commands: return commands(&random)
        case .msiDoorbell:
            let request = MSIDoorbellRequest(
                vsmmu: random.vsmmu(), vsid: random.stream(), iova: IOVA(random.next()), ipa: IPA(random.next()))
            return fixed(request, &random) { $0 == .msiDoorbell(request) }
        case .eventsSubscribe:
            let queue = EventsSubscribeRequest.Queue(
                base: random.next(), registers: random.next(), log2: UInt32(random.within(1...19)))
            let onQueue = random.chance(50)
            let request = EventsSubscribeRequest(
                delivery: onQueue ? .queue(queue) : .socket,
                vsmmu: !onQueue && random.chance(50) ? .every : VSMMUID(random.number32() >> 1))
            return fixed(request, &random) { $0 == .eventsSubscribe(request) }
        case .pageResponse:
            let code = random.one(of: PageResponseRequest.Code.self)
            let request = PageResponseRequest(
                vsmmu: random.vsmmu(), vsid: random.stream(),
                stag: StallTag(code == .terminateAll ? 0 : random.number32()), code: code)
            return fixed(request, &random) { $0 == .pageResponse(request) }
        case .translate: return translate(&random)
        case .dma: return random.chance(50) ? dmaRead(&random) : dmaWrite(&random)
        }
    }
}

extension RequestSample {
    private static func fixed<Fixed: TypedRequest>(
        _ request: Fixed, _ random: inout SplitMix64, _ agrees: @escaping (Request) -> Bool
    ) -> RequestSample {
        let cookie = random.cookie()
        return RequestSample(
            packet: Packet { request.encode(cookie, into: &$0) }, cookie: cookie, type: Fixed.type, agrees: agrees)
    }

    private static func fixed(
        _ request: some FixedRequest, as type: RequestType, _ random: inout SplitMix64,
        _ agrees: @escaping (Request) -> Bool
    ) -> RequestSample {
        let cookie = random.cookie()
        return RequestSample(
            packet: Packet { request.encode(as: type, cookie, into: &$0) }, cookie: cookie, type: type, agrees: agrees)
    }

    private static func state(_ random: inout SplitMix64) -> RequestSample {
        let (vsmmu, cookie, enabled) = (random.vsmmu(), random.cookie(), !random.chance(25))
        let entries = enabled ? random.list(upTo: Limits.entries) { $0.entry() } : []
        var flags: VSMMUStateRequest.Flags = enabled ? .smmuEnabled : []
        if random.chance(50) { flags.insert(.bypassAborts) }
        let packet = Packet { [flags] in
            VSMMUStateRequest.encode(vsmmu: vsmmu, flags: flags, entries: entries.span, cookie, into: &$0)
        }
        return RequestSample(packet: packet, cookie: cookie, type: .vsmmuState) { [flags] in
            guard case .vsmmuState(let request) = $0 else { return false }
            return request.vsmmu == vsmmu && request.flags == flags && packet.array(request.entries) == entries
        }
    }

    private static func commands(_ random: inout SplitMix64) -> RequestSample {
        let (vsmmu, cookie) = (random.vsmmu(), random.cookie())
        let commands = random.list(upTo: Limits.commands) { $0.command() }
        let packet = Packet {
            CommandsRequest.encode(vsmmu: vsmmu, commands: commands.span, cookie, into: &$0)
        }
        return RequestSample(packet: packet, cookie: cookie, type: .commands) {
            guard case .commands(let request) = $0 else { return false }
            return request.vsmmu == vsmmu && packet.array(request.commands) == commands
                && request.commands.byteRange == 24..<packet.bytes.count
        }
    }

    private static func translate(_ random: inout SplitMix64) -> RequestSample {
        let (target, cookie, write) = (random.target(), random.cookie(), random.chance(50))
        let packet = Packet { AccessRequest.encodeTranslate(target, write: write, cookie, into: &$0) }
        return RequestSample(packet: packet, cookie: cookie, type: .translate) {
            guard case .translate(let request) = $0 else { return false }
            return request.agrees(target, write: write) && request.size == 0 && request.data.count == 0
        }
    }

    private static func dmaRead(_ random: inout SplitMix64) -> RequestSample {
        let (target, cookie, size) = (random.target(), random.cookie(), random.within(1...Limits.data))
        let packet = Packet { AccessRequest.encodeRead(target, size: size, cookie, into: &$0) }
        return RequestSample(packet: packet, cookie: cookie, type: .dma) {
            guard case .dma(let request) = $0 else { return false }
            return request.agrees(target, write: false) && request.size == size && request.data.count == 0
        }
    }

    private static func dmaWrite(_ random: inout SplitMix64) -> RequestSample {
        let (target, cookie) = (random.target(), random.cookie())
        let data = random.list(upTo: Limits.data) { UInt8(truncatingIfNeeded: $0.next()) }
        let packet = Packet { AccessRequest.encodeWrite(target, data: unsafe data.span.bytes, cookie, into: &$0) }
        return RequestSample(packet: packet, cookie: cookie, type: .dma) {
            guard case .dma(let request) = $0 else { return false }
            return request.agrees(target, write: true) && request.size == data.count
                && packet.array(request.data) == data
        }
    }
}

extension AccessRequest {
    fileprivate func agrees(_ target: Target, write: Bool) -> Bool {
        vsmmu == target.vsmmu && vsid == target.vsid && iova == target.iova && substream == target.substream
            && flags.contains(.write) == write && flags.isSuperset(of: target.flags)
    }
}

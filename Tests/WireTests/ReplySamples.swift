import SMMUv3
import Scenarios
import Wire

/// A valid reply from random values, and what must come out of it again.
struct ReplySample {
    var packet: Packet
    var request: RequestHeader
    var agrees: (Reply.Body) -> Bool

    /// One maker for each kind of reply; the types that share a kind take turns.
    static let kinds: [@Sendable (inout SplitMix64) -> ReplySample] = [
        hello, vsmmuCreate, contexts, deviceAttach, steSet, msiDoorbell, access, dataRead, done, refusal,
    ]

    private static func header(_ types: [RequestType], _ random: inout SplitMix64) -> RequestHeader {
        RequestHeader(types[random.below(types.count)], random.cookie())
    }

    private static func fixed(
        _ reply: some FixedReply, _ type: RequestType, _ random: inout SplitMix64,
        _ agrees: @escaping (Reply.Body) -> Bool
    ) -> ReplySample {
        let request = header([type], &random)
        return ReplySample(packet: Packet { reply.encode(to: request, into: &$0) }, request: request, agrees: agrees)
    }

    @Sendable private static func hello(_ random: inout SplitMix64) -> ReplySample {
        let reply = HelloReply(
            version: random.number32(), maximumPacket: random.number32(), features: Features(rawValue: random.next()),
            epoch: Epoch(random.next()), maximumMemory: random.next(), maximumVSMMUs: random.number32(),
            maximumContexts: random.number32(), maximumCommands: random.number32())
        return fixed(reply, .hello, &random) { $0 == .hello(reply) }
    }

    @Sendable private static func vsmmuCreate(_ random: inout SplitMix64) -> ReplySample {
        let reply = VSMMUCreateReply(
            vsmmu: random.vsmmu(), errata: .init(rawValue: random.number32()), host: random.registers(),
            advertised: random.registers())
        let narrowings = random.list(upTo: 40) { $0.narrowing() }
        let request = header([.vsmmuCreate], &random)
        let packet = Packet { reply.encode(to: request, narrowings: narrowings.span, into: &$0) }
        return ReplySample(packet: packet, request: request) {
            guard case .vsmmuCreate(let decoded, let records) = $0 else { return false }
            return decoded == reply && packet.array(records) == narrowings
        }
    }

    @Sendable private static func contexts(_ random: inout SplitMix64) -> ReplySample {
        let generation = Generation(random.number32())
        let reports = random.list(upTo: Limits.entries) { $0.report() }
        let request = header([.vsmmuState, .vsmmuReset], &random)
        let packet = Packet {
            ContextsReply.encode(to: request, generation: generation, contexts: reports.span, into: &$0)
        }
        return ReplySample(packet: packet, request: request) {
            guard case .contexts(let reply) = $0 else { return false }
            return reply.generation == generation && packet.array(reply.contexts) == reports
        }
    }

    @Sendable private static func deviceAttach(_ random: inout SplitMix64) -> ReplySample {
        let reply = DeviceAttachReply(
            msiBase: IOVA(random.next()), msiSize: random.next(), flags: .init(rawValue: random.number32()),
            pasidBits: random.number32(), physicalStream: random.stream(), state: random.one(of: ContextState.self))
        return fixed(reply, .deviceAttach, &random) { $0 == .deviceAttach(reply) }
    }

    @Sendable private static func steSet(_ random: inout SplitMix64) -> ReplySample {
        let reply = STESetReply(context: random.report())
        return fixed(reply, .steSet, &random) { $0 == .steSet(reply) }
    }

    @Sendable private static func msiDoorbell(_ random: inout SplitMix64) -> ReplySample {
        let reply = MSIDoorbellReply(base: IOVA(random.next()), size: random.next())
        return fixed(reply, .msiDoorbell, &random) { $0 == .msiDoorbell(reply) }
    }

    private static func accessReply(size: Int, _ random: inout SplitMix64) -> AccessReply {
        AccessReply(
            stage1: random.one(of: AccessReply.Outcome.self), stage2: random.one(of: AccessReply.Outcome.self),
            ipa: IPA(random.next()), permissions: random.flags(below: 4), recorded: random.chance(50),
            event: random.event(), size: UInt32(size))
    }

    /// Of a TRANSLATE, or of a DMA write: bytes are counted, and none follow.
    @Sendable private static func access(_ random: inout SplitMix64) -> ReplySample {
        let reply = accessReply(size: random.within(0...Limits.data), &random)
        let request = header([.translate, .dma], &random)
        let none: [UInt8] = []
        let packet = Packet { reply.encode(to: request, data: unsafe none.span.bytes, into: &$0) }
        return ReplySample(packet: packet, request: request) {
            guard case .access(let decoded, let data) = $0 else { return false }
            return decoded == reply && data.count == 0
        }
    }

    @Sendable private static func dataRead(_ random: inout SplitMix64) -> ReplySample {
        let bytes = random.list(upTo: Limits.data) { UInt8(truncatingIfNeeded: $0.next()) }
        let reply = accessReply(size: bytes.count, &random)
        let request = header([.dma], &random)
        let packet = Packet { reply.encode(to: request, data: unsafe bytes.span.bytes, into: &$0) }
        return ReplySample(packet: packet, request: request) {
            guard case .access(let decoded, let data) = $0 else { return false }
            return decoded == reply && packet.array(data) == bytes
        }
    }

    @Sendable private static func done(_ random: inout SplitMix64) -> ReplySample {
        let request = header(
            [
                .vsmmuDestroy, .memoryMap, .memoryUnmap, .deviceRebind, .deviceDetach, .deviceReset, .commands,
                .eventsSubscribe, .pageResponse,
            ], &random)
        let completed = random.number32()
        let packet = Packet { ReplyHeader(to: request, completed: completed).encode(into: &$0) }
        let agrees = (try? packet.reply().header.completed) == completed
        return ReplySample(packet: packet, request: request) { agrees && $0 == .done }
    }

    @Sendable private static func refusal(_ random: inout SplitMix64) -> ReplySample {
        let refusal = Refusal(
            random.one(of: Reason.self), Status(max(1, random.number32())), "The memory is 4 GiB – zu groß. 💾",
            commandError: random.one(of: CommandError.self), completed: random.number32())
        let request = header(RequestType.allCases, &random)
        return ReplySample(packet: Packet { refusal.encode(to: request, into: &$0) }, request: request) {
            $0 == .refused(refusal)
        }
    }
}

/// The same for the event socket.
struct EventSample {
    var packet: Packet
    var header: EventHeader
    var agrees: (EventMessage.Body) -> Bool

    static func make(_ type: EventType, _ random: inout SplitMix64) -> EventSample {
        let header = EventHeader(
            sequence: EventSequence(random.next()), vsmmu: random.vsmmu(), generation: Generation(random.number32()))
        switch type {
        case .events:
            let records = random.list(upTo: Limits.events) { $0.event() }
            let packet = Packet { header.encode(records.span, into: &$0) }
            return EventSample(packet: packet, header: header) {
                guard case .events(let decoded) = $0 else { return false }
                return packet.array(decoded) == records
            }
        case .lost:
            let notice = LossNotice(count: random.next(), place: random.one(of: LossNotice.Place.self))
            return EventSample(packet: Packet { header.encode(notice, into: &$0) }, header: header) {
                $0 == .lost(notice)
            }
        case .health:
            let notice = HealthNotice(
                vsid: random.stream(), state: random.one(of: HealthNotice.State.self),
                reason: random.one(of: HealthReason.self), reasons: HealthReasons(rawValue: random.number32()))
            return EventSample(packet: Packet { header.encodeHealth(notice, into: &$0) }, header: header) {
                $0 == .health(notice)
            }
        case .deviceGone:
            let notice = HealthNotice(
                vsid: random.stream(), state: random.one(of: HealthNotice.State.self),
                reason: random.one(of: HealthReason.self), reasons: HealthReasons(rawValue: random.number32()))
            return EventSample(packet: Packet { header.encodeDeviceGone(notice, into: &$0) }, header: header) {
                $0 == .deviceGone(notice)
            }
        case .epoch:
            let epoch = Epoch(random.next())
            return EventSample(packet: Packet { header.encode(epoch, into: &$0) }, header: header) {
                $0 == .epoch(epoch)
            }
        }
    }
}

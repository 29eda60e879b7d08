import SMMUv3
import Scenarios
import Testing
import Wire

/// The admin socket: what one side encodes the other decodes, whatever the values.
@Suite struct AdminRoundTripTests {
    static let seeds: [UInt64] = (0..<8).map { _ in UInt64.random(in: .min ... .max) }

    // SAFETY of all that is unsafe here: bytes, of which any bits are some.

    private func decoded(_ packet: Packet) throws(WireFault) -> AdminRequest {
        try AdminRequest(decoding: unsafe packet.bytes.span.bytes)
    }

    private func reply(_ packet: Packet) throws(WireFault) -> AdminReply {
        try AdminReply(decoding: unsafe packet.bytes.span.bytes)
    }

    @Test("A request comes out as it went in", arguments: AdminRequestType.allCases, seeds)
    func request(type: AdminRequestType, seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let cookie = random.cookie()
        let (packet, expected) = fixedRequest(type, cookie, &random)
        let request = try decoded(packet)
        #expect(request.type == type)
        #expect(RequestHeader(peekingAt: unsafe packet.bytes.span.bytes) == RequestHeader(type, cookie))
        if let expected { #expect(request == expected, "seed \(seed)") }
        #expect(request.descriptorCount == (type == .monitor ? 1 : 0))
    }

    /// A request of this type, and what must come out; SESSION_CREATE has a test of its own.
    private func fixedRequest(
        _ type: AdminRequestType, _ cookie: Cookie, _ random: inout SplitMix64
    ) -> (Packet, AdminRequest?) {
        switch type {
        case .status: return (Packet { AdminRequest.encodeHeader(type, cookie, into: &$0) }, .status)
        case .reload: return (Packet { AdminRequest.encodeHeader(type, cookie, into: &$0) }, .reload)
        case .heldBack: return (Packet { AdminRequest.encodeHeader(type, cookie, into: &$0) }, .heldBack)
        case .letGo:
            let request = AdminDeviceRequest(device: random.name())
            return (Packet { request.encode(as: type, cookie, into: &$0) }, .letGo(request))
        case .handBack:
            let request = AdminDeviceRequest(device: random.name())
            return (Packet { request.encode(as: type, cookie, into: &$0) }, .handBack(request))
        case .readmit:
            let request = AdminDeviceRequest(device: random.name())
            return (Packet { request.encode(as: type, cookie, into: &$0) }, .readmit(request))
        case .list:
            let request = AdminListRequest(after: random.next())
            return (Packet { request.encode(as: type, cookie, into: &$0) }, .list(request))
        case .show:
            let request = AdminShowRequest(session: random.next(), first: random.number32())
            return (Packet { request.encode(as: type, cookie, into: &$0) }, .show(request))
        case .metrics:
            let request = AdminMetricsRequest(offset: random.number32())
            return (Packet { request.encode(as: type, cookie, into: &$0) }, .metrics(request))
        case .monitor:
            var request = AdminMonitorRequest(
                session: random.chance(50) ? nil : random.next() >> 1,
                flags: random.chance(50) ? [.follow, .notices] : [.history])
            (request.vsmmu, request.kinds) = (random.vsmmu(), random.next() | 1)
            request.device = random.optionalName()
            return (Packet { request.encode(as: type, cookie, into: &$0) }, .monitor(request))
        case .quarantine:
            let request = AdminDeviceRequest(device: random.name())
            return (Packet { request.encode(as: type, cookie, into: &$0) }, .quarantine(request))
        case .release:
            let request = AdminDeviceRequest(device: random.name())
            return (Packet { request.encode(as: type, cookie, into: &$0) }, .release(request))
        case .sessionCreate:
            let (name, pattern): (Name, AdminPattern) = (random.name(), random.pattern())
            let packet = Packet {
                AdminSessionCreateRequest.encode(
                    name: name, limits: AdminSessionCreateRequest.Limits(), patterns: [pattern].span, cookie, into: &$0)
            }
            return (packet, nil)
        }
    }

    @Test("SESSION_CREATE carries its limits and all patterns", arguments: seeds) func sessionCreate(seed: UInt64)
        throws
    {
        var random = SplitMix64(seed: seed)
        var limits = AdminSessionCreateRequest.Limits()
        (limits.memory, limits.maps) = (random.next(), random.number32())
        (limits.vsmmus, limits.contexts) = (random.number32(), random.number32())
        let patterns = random.list(upTo: AdminLimits.patterns) { $0.pattern() }
        let name: Name = random.name()
        let packet = Packet {
            AdminSessionCreateRequest.encode(
                name: name, limits: limits, patterns: patterns.span, Cookie(1), into: &$0)
        }
        guard case .sessionCreate(let request) = try decoded(packet) else {
            Issue.record("another request came out")
            return
        }
        #expect(request.name == name)
        #expect(request.limits == limits)
        #expect(packet.array(request.patterns) == patterns, "seed \(seed)")
    }

    @Test("Lists and texts come out as they went in", arguments: seeds) func replies(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        func header(_ type: AdminRequestType) -> RequestHeader { RequestHeader(type, Cookie(seed)) }
        let text = random.text()
        let status = random.status()
        var packet = Packet { status.encode(to: header(.status), text: unsafe text.span.bytes, into: &$0) }
        guard case .status(status, let configuration) = try reply(packet).body else { throw Other() }
        #expect(packet.array(configuration) == text)

        let sessions = random.list(upTo: AdminLimits.sessions) { $0.adminSession() }
        packet = Packet { AdminListReply.encode(to: header(.list), total: 300, sessions: sessions.span, into: &$0) }
        guard case .list(let list) = try reply(packet).body else { throw Other() }
        #expect(list.total == 300)
        #expect(packet.array(list.sessions) == sessions)

        let (session, contexts) = (random.adminSession(), random.list(upTo: AdminLimits.contexts) { $0.adminContext() })
        packet = Packet {
            AdminShowReply.encode(to: header(.show), session: session, total: 9, contexts: contexts.span, into: &$0)
        }
        guard case .show(let show) = try reply(packet).body else { throw Other() }
        #expect(show.session == session)
        #expect(show.total == 9)
        #expect(packet.array(show.contexts) == contexts)

        let held = AdminHeldDevice.Reason.allCases.map {
            AdminHeldDevice(device: random.name(), vm: random.name(), session: random.next(), reason: $0)
        }
        packet = Packet { AdminHeldDevice.encode(to: header(.heldBack), total: 3, held.span, into: &$0) }
        guard case .heldBack(total: 3, let devices) = try reply(packet).body else { throw Other() }
        #expect(packet.array(devices) == held)

        packet = Packet {
            AdminTextReply.metrics.encode(to: header(.metrics), 77, text: unsafe text.span.bytes, into: &$0)
        }
        guard case .metrics(total: 77, let metrics) = try reply(packet).body else { throw Other() }
        #expect(packet.array(metrics) == text)
        packet = Packet {
            AdminTextReply.reload.encode(to: header(.reload), 1, text: unsafe text.span.bytes, into: &$0)
        }
        guard case .reload(applied: true, let found) = try reply(packet).body else { throw Other() }
        #expect(packet.array(found) == text)
        for type in [AdminRequestType.sessionCreate, .quarantine, .release, .handBack, .letGo] {
            packet = Packet { AdminSessionReply(session: seed).encode(to: header(type), into: &$0) }
            let answer = try reply(packet)
            #expect(answer.body == .session(seed))
            #expect(answer.descriptorCounts == (type == .sessionCreate ? 1...1 : 0...0))
        }
        packet = Packet { Refusal(.unknownSession, .notFound, "There is none.").encode(to: header(.show), into: &$0) }
        #expect(try reply(packet).body == .refused(Refusal(.unknownSession, .notFound, "There is none.")))
    }

    @Test("What monitors get comes out as it went in", arguments: seeds) func monitors(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let events = random.list(upTo: AdminLimits.records) { $0.monitorEvent() }
        let notices = random.list(upTo: AdminLimits.records) { $0.monitorNotice() }
        var packet = Packet { MonitorMessage.encode(7, events: events.span, into: &$0) }
        var message = try MonitorMessage(decoding: unsafe packet.bytes.span.bytes)
        guard case .events(let first) = message.body else { throw Other() }
        #expect(packet.array(first) == events)
        #expect(message.sequence == 7)
        packet = Packet { MonitorMessage.encode(8, notices: notices.span, into: &$0) }
        message = try MonitorMessage(decoding: unsafe packet.bytes.span.bytes)
        guard case .notices(let second) = message.body else { throw Other() }
        #expect(packet.array(second) == notices)
        let loss = MonitorLoss(faults: seed, notices: random.next())
        packet = Packet { MonitorMessage.encode(9, lost: loss, into: &$0) }
        message = try MonitorMessage(decoding: unsafe packet.bytes.span.bytes)
        #expect(message.body == .lost(loss))
    }

    @Test("Any bytes are a message or a fault", arguments: seeds) func hostile(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for round in 0..<200 {
            let type = AdminRequestType.allCases[round % AdminRequestType.allCases.count]
            var (packet, _) = fixedRequest(type, Cookie(1), &random)
            for _ in 0..<random.within(1...6) {
                packet.bytes[random.below(packet.bytes.count)] = UInt8(random.below(256))
            }
            if random.chance(50) { packet = packet.resized(by: -random.below(packet.bytes.count)) }
            // Neither may trap; what comes out, if anything, is a request of the header's type.
            if let request = try? decoded(packet) {
                #expect(request.type.rawValue == packet.get(RequestHeader.Layout.type), "seed \(seed)")
            }
            if let answer = try? reply(packet) { #expect(answer.header.type & ReplyHeader.replyBit != 0) }
            if let message = try? MonitorMessage(decoding: unsafe packet.bytes.span.bytes) {
                #expect(message.body == message.body)
            }
        }
    }

    @Test("A request that breaks a rule is refused by the rule's name") func malformed() throws {
        var monitor = Packet { AdminMonitorRequest(flags: .follow).encode(as: .monitor, Cookie(1), into: &$0) }
        monitor.set(AdminMonitorRequest.Layout.flags, to: 8)
        #expect(throws: WireFault.self) { try decoded(monitor) }
        monitor.set(AdminMonitorRequest.Layout.flags, to: AdminMonitorRequest.Flags.notices.rawValue)
        let neither = #expect(throws: WireFault.self) { try decoded(monitor) }
        #expect(neither?.reason == .badValue)
        monitor = Packet { AdminMonitorRequest(flags: .follow).encode(as: .monitor, Cookie(1), into: &$0) }
        monitor.set(AdminMonitorRequest.Layout.kinds, to: 0)
        let kinds = #expect(throws: WireFault.self) { try decoded(monitor) }
        #expect(kinds?.reason == .badValue)
        monitor = Packet { AdminMonitorRequest(flags: .follow).encode(as: .monitor, Cookie(1), into: &$0) }
        monitor.bytes[AdminMonitorRequest.Layout.device.offset + 1] = UInt8(ascii: "x")
        let device = #expect(throws: WireFault.self) { try decoded(monitor) }
        #expect(device?.reason == .badName)
        let pattern = try #require(AdminPattern("disk:*"))
        var create = Packet {
            AdminSessionCreateRequest.encode(
                name: random(), limits: .init(), patterns: [pattern].span, Cookie(1), into: &$0)
        }
        create.bytes[AdminSessionCreateRequest.byteCount] = UInt8(ascii: "/")
        let name = #expect(throws: WireFault.self) { try decoded(create) }
        #expect(name?.reason == .badName)
        create.set(AdminSessionCreateRequest.Layout.patternCount, to: 0)
        let count = #expect(throws: WireFault.self) { try decoded(create) }
        #expect(count?.reason == .badCount)
        let hello = Packet { AdminRequest.encodeHeader(.status, Cookie(1), into: &$0) }.resized(by: 8)
        let long = #expect(throws: WireFault.self) { try decoded(hello) }
        #expect(long?.reason == .tooLong)
        for bad in ["", "a/b", String(repeating: "x", count: 64)] { #expect(AdminPattern(bad) == nil) }
    }

    private func random() -> Name {
        var random = SplitMix64(seed: 1)
        return random.name()
    }

    @Test("The largest message of each type fits the largest packet") func largest() {
        #expect(AdminListReply.byteCount + AdminLimits.sessions * AdminSession.byteCount <= Limits.packet)
        #expect(AdminShowReply.byteCount + AdminLimits.contexts * AdminContext.byteCount <= Limits.packet)
        #expect(AdminStatusReply.byteCount + AdminLimits.text <= Limits.packet)
        #expect(AdminSessionCreateRequest.byteCount + AdminLimits.patterns * AdminPattern.byteCount <= Limits.packet)
        #expect(MonitorMessage.byteCount + AdminLimits.records * MonitorEvent.byteCount <= Limits.packet)
    }

    struct Other: Error {}
}

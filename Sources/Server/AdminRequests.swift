import BrokerCore
import LinuxSystem
import SMMUv3
import Systemd
import Wire

/// Answers what operators ask, from what sessions have published: a session that is in a call that blocks is shown as such,
/// and keeps nobody waiting. What is to change is posted.
final class AdminRequests {
    weak var host: (any AdminHost)?
    private let table: SessionTable
    private let monitors: MonitorHub

    init(_ table: SessionTable, _ monitors: MonitorHub, _ host: any AdminHost) {
        (self.table, self.monitors, self.host) = (table, monitors, host)
    }

    private var now: Instant { Instant(nanoseconds: MonotonicTime.now.nanoseconds) }

    /// Writes the reply and returns its length. MONITOR, METRICS, SESSION_CREATE, RELOAD and EXPLAIN are the
    /// connection's.
    func answer(
        _ request: AdminRequest, to header: RequestHeader, into reply: inout MutableRawSpan
    ) throws(Refusal) -> Int {
        switch request {
        case .status: return status(header, &reply)
        case .list(let asked): return list(asked, header, &reply)
        case .show(let asked): return try show(asked, header, &reply)
        case .quarantine(let asked):
            let session = try order(.quarantine(asked.device), asked.device)
            return AdminSessionReply(session: session).encode(to: header, into: &reply)
        case .release(let asked):
            let session = try order(.release(asked.device), asked.device)
            return AdminSessionReply(session: session).encode(to: header, into: &reply)
        case .handBack(let asked):
            let session = try order(.handBack(asked.device), asked.device)
            return AdminSessionReply(session: session).encode(to: header, into: &reply)
        case .letGo(let asked):
            let session = try order(.letGo(asked.device), asked.device)
            return AdminSessionReply(session: session).encode(to: header, into: &reply)
        case .readmit(let asked):
            if host?.readmit(asked.device) ?? false { return ReplyHeader(to: header).encode(into: &reply) }
            throw Refusal(
                .unknownDevice, .notFound,
                "Nobody has given `\(asked.device)` back to the host: ask HELD_BACK for those that are.")
        case .heldBack: return heldBack(header, &reply)
        case .metrics, .monitor, .sessionCreate, .reload, .explain: throw Refusal(.unknownType(request.type.rawValue))
        }
    }

    // MARK: Asking

    private func status(_ header: RequestHeader, _ reply: inout MutableRawSpan) -> Int {
        let now = now
        var status = AdminStatusReply()
        host?.describe(&status)
        let (sessions, ended) = (table.all.map { AdminSession($0, at: now) }, table.ended)
        status.sessions = UInt32(clamping: sessions.count)
        (status.endedSessions, status.counters) = (ended.count, ended.counters)
        for session in sessions {
            status.vsmmus &+= session.vsmmus
            status.contexts &+= session.contexts
            status.busySessions &+= session.isStuck ? 1 : 0
            status.suspectContexts &+= UInt32(session.suspectContexts)
            status.quarantinedContexts &+= UInt32(session.quarantinedContexts)
            status.counters = status.counters + session.counters
        }
        status.monitors = UInt32(clamping: monitors.count)
        let text = Array(Self.text(of: host?.configurationFiles ?? []))
        // SAFETY: bytes, of which any bits are some.
        return status.encode(to: header, text: unsafe text.span.bytes, into: &reply)
    }

    private func list(
        _ asked: AdminListRequest, _ header: RequestHeader, _ reply: inout MutableRawSpan
    ) -> Int {
        let (all, now) = (table.all, now)
        let wanted = all.filter { $0.id.rawValue > asked.after }.sorted { $0.id < $1.id }
        let sessions = wanted.prefix(AdminLimits.sessions).map { AdminSession($0, at: now) }
        return AdminListReply.encode(
            to: header, total: UInt32(clamping: all.count), sessions: sessions.span, into: &reply)
    }

    private func show(
        _ asked: AdminShowRequest, _ header: RequestHeader, _ reply: inout MutableRawSpan
    ) throws(Refusal) -> Int {
        guard let handle = table.handle(SessionID(asked.session)) else {
            throw Self.noSession(asked.session)
        }
        let (all, now) = (handle.contexts, now)
        let contexts = all.dropFirst(Int(asked.first)).prefix(AdminLimits.contexts).map { AdminContext($0, at: now) }
        return AdminShowReply.encode(
            to: header, session: AdminSession(handle, at: now), total: UInt32(clamping: all.count),
            contexts: contexts.span, into: &reply)
    }

    private func heldBack(_ header: RequestHeader, _ reply: inout MutableRawSpan) -> Int {
        let all = host?.heldBack ?? []
        let devices = all.prefix(AdminLimits.heldBack).map(AdminHeldDevice.init)
        return AdminHeldDevice.encode(
            to: header, total: UInt32(clamping: all.count), devices.span, into: &reply)
    }

    /// What is counted at the moment, as text that is still to be made.
    func metrics() -> Metrics {
        var status = AdminStatusReply()
        host?.describe(&status)
        status.monitors = UInt32(clamping: monitors.count)
        var flow = FaultFlow()
        (flow.monitors, flow.endedMonitors) = monitors.ledgers
        flow.journal = host?.droppedFromJournal ?? JournalLoss()
        return Metrics(status, table, flow, heldBack: host?.heldBack ?? [], at: now)
    }

    func monitor(_ asked: AdminMonitorRequest, _ descriptor: consuming OwnedFD?) throws(Refusal) {
        guard let descriptor else { throw Refusal(.wrongDescriptorCount(0, expected: 1...1)) }
        let kind: DescriptorKind
        do { kind = try descriptor.kind() } catch { kind = .other }
        if kind != .seqPacketSocket {
            throw Refusal(
                .badValue, .invalid,
                "The descriptor is no connected SOCK_SEQPACKET socket: pass one end of a socketpair.")
        }
        if let session = asked.session, asked.flags.contains(.follow), table.handle(SessionID(session)) == nil {
            throw Refusal(.unknownSession, .notFound, "There is no session \(session), or no longer.")
        }
        try monitors.add(SeqPacketSocket(adopting: descriptor), asked)
    }

    /// Asks the session what it knows of an access; it answers into what is returned.
    func explain(_ asked: AdminExplainRequest) throws(Refusal) -> ExplanationMailbox {
        guard let handle = table.handle(SessionID(asked.session)), let host else {
            throw Self.noSession(asked.session)
        }
        do throws(Errno) {
            let mailbox = try ExplanationMailbox()
            host.order(.explain(ExplanationRequest(asked), mailbox), handle)
            return mailbox
        } catch {
            throw Refusal(
                .hostFailure, Status(UInt32(error.code)), "The session could not be asked: \(error). Try again.")
        }
    }

    /// Why there is no answer to it.
    func refusal(of asked: AdminExplainRequest, _ outcome: ExplanationMailbox.Outcome?) -> Refusal {
        switch outcome {
        case .noContext, .known:
            return Refusal(
                .unknownVSID, .notFound,
                "Session \(asked.session) has no device with the vSID \(asked.vsid.rawValue) on vSMMU \(asked.vsmmu): ask "
                    + "SHOW for those that are attached.")
        case nil where table.handle(SessionID(asked.session)) != nil:
            return Refusal(
                .hostFailure, .busy,
                "Session \(asked.session) has not answered within \(PendingExplanation.patience) ms: it is in a call that "
                    + "blocks, as LIST says. Try again later.")
        case .ended, nil: return Self.noSession(asked.session)
        }
    }

    private static func noSession(_ session: UInt64) -> Refusal {
        Refusal(
            .unknownSession, .notFound, "There is no session \(session), or no longer: ask LIST for those there are.")
    }

    // MARK: Changing

    /// Has the session that has the device do something; returns its number.
    private func order(_ order: SessionOrder, _ device: Name) throws(Refusal) -> UInt64 {
        for handle in table.all where handle.contexts.contains(where: { $0.device == device }) {
            host?.order(order, handle)
            return handle.id.rawValue
        }
        throw Refusal(
            .unknownDevice, .notFound, "No session has a device \(device): ask SHOW for those that are attached.")
    }

    func note(_ request: AdminRequest, by peer: PeerIdentity) {
        let what =
            switch request {
            case .quarantine(let asked), .release(let asked), .handBack(let asked), .readmit(let asked),
                .letGo(let asked):
                "\(request.type.name) \(asked.device)"
            case .sessionCreate(let asked): "\(request.type.name) \(asked.name)"
            default: request.type.name
            }
        host?.note("An operator (pid \(peer.pid), uid \(peer.uid)) asks for \(what).")
    }

    /// A session that has been started, and the end of its socket that is to be passed on.
    struct CreatedSession: ~Copyable {
        let id: SessionID
        let socket: SeqPacketSocket
        consuming func takeSocket() -> SeqPacketSocket { socket }
    }

    func createSession(
        _ asked: AdminSessionCreateRequest, _ packet: RawSpan, for peer: PeerIdentity
    ) throws(Refusal) -> CreatedSession {
        guard let host else { throw Refusal(.notSupported, .notSupported, "The daemon ends.") }
        let patterns = asked.patterns.array(in: packet).map(\.text)
        let grant = Grant(name: asked.name.description, devices: patterns, quota: Quota(asked.limits))
        do {
            let pair = try SeqPacketSocket.pair()
            let theirs = SeqPacketSocket(adopting: try pair.second.fd.duplicate())
            // So that a client cannot pass its own end as one of a pair, and never hang up.
            try pair.first.giveName()
            let id = try host.startSession(on: pair.closingSecond(), for: peer, grant)
            return CreatedSession(id: id, socket: theirs)
        } catch let refusal as Refusal { throw refusal } catch {
            throw Refusal(.hostFailure, .noMemory, "No socket could be made for the session: \(error). Try again.")
        }
    }

    /// Lines as the text of a reply; what there is no room for is left out, whole lines of it.
    static func text(of lines: [String]) -> [UInt8] {
        var text: [UInt8] = []
        for line in lines where text.count + line.utf8.count < AdminLimits.text { text += Array(line.utf8) + [10] }
        return text
    }
}

extension Quota {
    /// What is 0 has its default.
    init(_ limits: AdminSessionCreateRequest.Limits) {
        self.init(sessions: 1)
        if limits.memory > 0 { memory = limits.memory }
        if limits.maps > 0 { maps = Int(limits.maps) }
        if limits.vsmmus > 0 { vsmmus = Int(limits.vsmmus) }
        if limits.contexts > 0 { contexts = Int(limits.contexts) }
    }
}

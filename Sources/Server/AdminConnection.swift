import BrokerCore
import EventLoop
import LinuxSystem
import Wire

/// An operator's socket: one packet in, one reply out, and never more than one reply that has not been sent. While one
/// waits, to be made or to be sent, no further request is read.
final class AdminConnection {
    private enum State { case reading, answering, sending }

    private var watch: Watch?
    private let loop: EventLoop
    /// What EXPLAIN waits for.
    private var explanation: PendingExplanation?
    private let socket: SeqPacketSocket
    private let peer: PeerIdentity
    private let requests: AdminRequests
    private let ended: () -> Void
    private let request: PrivatePages
    private let reply: PrivatePages
    private var state = State.reading
    private var unsent = 0
    /// What goes along with the reply.
    private var passed: PassedDescriptor?
    /// What METRICS goes on in.
    private var metrics: [UInt8] = []
    /// METRICS that are being made.
    private var unfinished: Metrics?

    /// - Parameter ended: Called once, when the operator has gone.
    init(
        _ socket: consuming SeqPacketSocket, _ peer: PeerIdentity, on loop: EventLoop, _ requests: AdminRequests,
        ended: @escaping () -> Void
    ) throws(Errno) {
        // One byte more than the largest packet, so that one that is larger still shows.
        request = try PrivatePages(count: Limits.packet + 1)
        reply = try PrivatePages(count: Limits.packet)
        (self.peer, self.requests, self.ended, self.loop) = (peer, requests, ended, loop)
        let descriptor = socket.fd.raw
        self.socket = socket
        watch = try Watch(descriptor, for: .readable, on: loop) { [unowned self] readiness in ready(readiness) }
    }

    private func ready(_ readiness: Readiness) {
        do throws(Errno) {
            switch state {
            case .reading: try read()
            case .answering: if !readiness.isDisjoint(with: [.hangup, .error]) { end() }
            case .sending: try send()
            }
        } catch { end() }
    }

    private func end() {
        watch = nil
        explanation = nil
        ended()
    }

    private func read() throws(Errno) {
        let received = try request.write { bytes throws(Errno) in try socket.receive(into: &bytes) }
        guard var packet = received else { return }
        if packet.byteCount == 0, packet.descriptorCount == 0, !packet.descriptorsTruncated { return end() }
        let count = min(packet.byteCount, request.count)
        let header = request.read(count) { RequestHeader(peekingAt: $0) }
        do throws(Refusal) {
            try answer(header, count, &packet)
        } catch {
            unsent = reply.write { bytes in error.encode(to: header, into: &bytes) }
        }
        // What has been answered meanwhile has been sent.
        if state == .reading, unsent > 0 { try send() }
    }

    private func answer(
        _ header: RequestHeader, _ count: Int, _ received: inout ReceivedPacket
    ) throws(Refusal) {
        let decoded: AdminRequest
        do throws(WireFault) {
            decoded = try request.read(count) { bytes throws(WireFault) in try AdminRequest(decoding: bytes) }
            try decoded.checkDescriptors(
                count: received.descriptorCount, truncated: received.descriptorsTruncated)
        } catch { throw Refusal(error) }
        if decoded.type.changes { requests.note(decoded, by: peer) }
        switch decoded {
        case .reload: reload(header)
        case .sessionCreate(let create):
            let made = try request.read(count) { bytes throws(Refusal) in
                try requests.createSession(create, bytes, for: peer)
            }
            let session = made.id
            passed = PassedDescriptor(made.takeSocket())
            unsent = reply.write { AdminSessionReply(session: session.rawValue).encode(to: header, into: &$0) }
        case .metrics(let asked): try answer(asked, header)
        case .explain(let asked): try explain(asked, header)
        case .monitor(let asked):
            try requests.monitor(asked, received.takeDescriptor(0))
            unsent = reply.write { ReplyHeader(to: header).encode(into: &$0) }
        default:
            unsent = try reply.write { bytes throws(Refusal) in
                try requests.answer(decoded, to: header, into: &bytes)
            }
        }
    }

    private func answer(_ asked: AdminMetricsRequest, _ header: RequestHeader) throws(Refusal) {
        if asked.offset > 0 { return try answerPiece(asked, header) }
        unfinished = requests.metrics()
        state = .answering
        watch?.wait(for: [])
        makeMetrics(header)
    }

    /// Makes the text step by step, one in each turn of the loop, so that nobody waits for all of it.
    private func makeMetrics(_ header: RequestHeader) {
        guard watch != nil, state == .answering, unfinished != nil else { return }
        if unfinished?.step() == true {
            _ = loop.schedule(at: MonotonicTime.now) { [weak self] _ in self?.makeMetrics(header) }
            return
        }
        metrics = Array((unfinished?.text ?? "").utf8)
        unfinished = nil
        do throws(Refusal) { try answerPiece(AdminMetricsRequest(offset: 0), header) } catch {
            unsent = reply.write { bytes in error.encode(to: header, into: &bytes) }
        }
        do throws(Errno) { try send() } catch { end() }
    }

    private func answerPiece(_ asked: AdminMetricsRequest, _ header: RequestHeader) throws(Refusal) {
        let offset = Int(asked.offset)
        guard offset <= metrics.count else {
            throw Refusal(
                .badValue, .invalid,
                "`offset` is \(offset), beyond the \(metrics.count) bytes of the text: begin with 0.")
        }
        let end = min(metrics.count, offset + AdminLimits.text)
        let piece = Array(metrics[offset..<end])
        let total = UInt32(clamping: metrics.count)
        unsent = reply.write { bytes in
            // SAFETY: bytes, of which any bits are some.
            let text = unsafe piece.span.bytes
            return AdminTextReply.metrics.encode(to: header, total, text: text, into: &bytes)
        }
        if end == metrics.count { metrics = [] }
    }

    // MARK: What takes its time

    private func explain(_ asked: AdminExplainRequest, _ header: RequestHeader) throws(Refusal) {
        let mailbox = try requests.explain(asked)
        do throws(Errno) {
            explanation = try PendingExplanation(mailbox, on: loop) { [weak self] outcome in
                self?.explained(asked, outcome, header)
            }
        } catch {
            throw Refusal(.hostFailure, Status(UInt32(error.code)), "There is no room to wait: \(error). Try again.")
        }
        state = .answering
        // Only a hang-up is of interest meanwhile.
        watch?.wait(for: [])
    }

    private func explained(
        _ asked: AdminExplainRequest, _ outcome: ExplanationMailbox.Outcome?, _ header: RequestHeader
    ) {
        guard watch != nil, state == .answering else { return }
        explanation = nil
        if case .known(let explanation) = outcome {
            unsent = reply.write { explanation.encode(to: header, into: &$0) }
        } else {
            let refusal = requests.refusal(of: asked, outcome)
            unsent = reply.write { refusal.encode(to: header, into: &$0) }
        }
        do throws(Errno) { try send() } catch { end() }
    }

    private func reload(_ header: RequestHeader) {
        state = .answering
        // Only a hang-up is of interest meanwhile.
        watch?.wait(for: [])
        requests.host?.reload { [weak self] outcome in self?.reloaded(outcome, header) }
    }

    private func reloaded(_ outcome: AdminReloadOutcome, _ header: RequestHeader) {
        guard watch != nil, state == .answering else { return }
        let lines = AdminRequests.text(of: outcome.diagnostics)
        unsent = reply.write { bytes in
            // SAFETY: bytes, of which any bits are some.
            let text = unsafe lines.span.bytes
            return AdminTextReply.reload.encode(to: header, outcome.applied ? 1 : 0, text: text, into: &bytes)
        }
        do throws(Errno) { try send() } catch { end() }
    }

    // MARK: Sending

    private func send() throws(Errno) {
        let descriptors = passed.map { [$0.socket.fd.raw] } ?? []
        let sent = try reply.read(unsent) { bytes throws(Errno) in
            try socket.send(bytes, descriptors: descriptors)
        }
        state = sent ? .reading : .sending
        if sent {
            unsent = 0
            // The operator has its own by now.
            passed = nil
        }
        watch?.wait(for: sent ? .readable : .writable)
    }
}

/// A socket that goes along with a reply, until that is sent.
private final class PassedDescriptor {
    let socket: SeqPacketSocket
    init(_ socket: consuming SeqPacketSocket) { self.socket = socket }
}

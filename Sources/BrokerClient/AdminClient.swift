package import LinuxSystem
package import Wire

/// The operators' side of the admin socket. Every method waits for its reply. For one thread at a time.
package final class AdminClient {
    private let socket: SeqPacketSocket
    private var cookie: UInt64 = 0
    private var buffer = [UInt8](repeating: 0, count: Limits.packet)
    /// Milliseconds that one request may take; nil: as long as it takes.
    package var timeout: Int32? = 10_000

    package init(adopting socket: consuming SeqPacketSocket) { self.socket = socket }

    package init(connectingTo path: String) throws(BrokerError) {
        do { socket = try SeqPacketSocket(connectingTo: path) } catch {
            throw BrokerError(error, "Cannot connect to \(path)")
        }
    }

    // MARK: Asking

    /// How the daemon is doing.
    package struct Status: Hashable, Sendable {
        package var reply: AdminStatusReply
        /// That were read, later ones overriding earlier ones.
        package var configurationFiles: [String]
    }

    package func status() throws(BrokerError) -> Status {
        try request(.status) {
            AdminRequest.encodeHeader(.status, $0, into: &$1)
        } _: { reply, packet in
            guard case .status(let status, let text) = reply.body else { return nil }
            return Status(reply: status, configurationFiles: Self.lines(text.text(in: packet)))
        }
    }

    /// All sessions, in the order of their numbers.
    package func sessions() throws(BrokerError) -> [AdminSession] {
        var all: [AdminSession] = []
        while true {
            let ask = AdminListRequest(after: all.last?.id ?? 0)
            let some: [AdminSession] = try request(.list) {
                ask.encode(as: .list, $0, into: &$1)
            } _: { reply, packet in
                guard case .list(let list) = reply.body else { return nil }
                return list.sessions.array(in: packet)
            }
            all += some
            if some.count < AdminLimits.sessions { return all }
        }
    }

    /// A session and its contexts.
    package struct Shown: Hashable, Sendable {
        package var session: AdminSession
        package var contexts: [AdminContext]
        package init(session: AdminSession, contexts: [AdminContext]) {
            (self.session, self.contexts) = (session, contexts)
        }
    }

    package func show(_ session: UInt64) throws(BrokerError) -> Shown {
        var contexts: [AdminContext] = []
        while true {
            let ask = AdminShowRequest(session: session, first: UInt32(contexts.count))
            let some: (AdminShowReply, [AdminContext]) = try request(.show) {
                ask.encode(as: .show, $0, into: &$1)
            } _: { reply, packet in
                guard case .show(let show) = reply.body else { return nil }
                return (show, show.contexts.array(in: packet))
            }
            contexts += some.1
            if some.1.isEmpty || contexts.count >= Int(some.0.total) {
                return Shown(session: some.0.session, contexts: contexts)
            }
        }
    }

    /// OpenMetrics text.
    package func metrics() throws(BrokerError) -> String {
        var text: [UInt8] = []
        while true {
            let ask = AdminMetricsRequest(offset: UInt32(clamping: text.count))
            let (total, piece): (UInt32, [UInt8]) = try request(.metrics) {
                ask.encode(as: .metrics, $0, into: &$1)
            } _: { reply, packet in
                guard case .metrics(let total, let text) = reply.body else { return nil }
                return (total, text.array(in: packet))
            }
            text += piece
            if piece.isEmpty || text.count >= Int(total) { return String(decoding: text, as: UTF8.self) }
        }
    }

    /// What happens, from now on: to be received from what is returned.
    package func monitor(_ request: AdminMonitorRequest) throws(BrokerError) -> MonitorReceiver {
        let pair: SeqPacketSocket.Pair
        do { pair = try SeqPacketSocket.pair() } catch { throw BrokerError(error, "Cannot make sockets for a monitor") }
        try self.request(.monitor, descriptor: pair.second.fd.raw) {
            request.encode(as: .monitor, $0, into: &$1)
        } _: { reply, _ in
            reply.body == .done ? () : nil
        }
        return MonitorReceiver(adopting: pair.closingSecond())
    }

    // MARK: Changing

    /// A session that has been made, and the socket to pass into a VMM.
    package struct CreatedSession: ~Copyable {
        package let id: UInt64
        package let socket: SeqPacketSocket
        package consuming func takeSocket() -> SeqPacketSocket { socket }
    }

    /// Makes a session that has what is said here. `devices`: names, or patterns with `*` and `?`.
    package func createSession(
        _ name: Name, devices: [AdminPattern], limits: AdminSessionCreateRequest.Limits = .init()
    ) throws(BrokerError) -> CreatedSession {
        var passed: OwnedFD?
        let id: UInt64 = try request(.sessionCreate, passed: &passed) {
            AdminSessionCreateRequest.encode(
                name: name, limits: limits, patterns: devices.span, $0, into: &$1)
        } _: { reply, _ in
            if case .session(let id) = reply.body { id } else { nil }
        }
        guard let socket = passed.take() else {
            throw BrokerError(.wrongDescriptorCount(0, expected: 1...1))
        }
        return CreatedSession(id: id, socket: SeqPacketSocket(adopting: socket))
    }

    /// Has a device put on ABORT; returns the session that has been told.
    package func quarantine(_ device: Name) throws(BrokerError) -> UInt64 { try tell(.quarantine, device) }

    /// Lets a device translate again; returns the session that has been told.
    package func release(_ device: Name) throws(BrokerError) -> UInt64 { try tell(.release, device) }

    /// Has a device taken from its guest, for the host; returns the session that has been told.
    package func handBack(_ device: Name) throws(BrokerError) -> UInt64 { try tell(.handBack, device) }

    /// Ends a device's quarantine, or has it taken from its guest; returns the session that has been told.
    package func letGo(_ device: Name) throws(BrokerError) -> UInt64 { try tell(.letGo, device) }

    /// Lets sessions have a device again that was taken for the host.
    package func readmit(_ device: Name) throws(BrokerError) {
        let ask = AdminDeviceRequest(device: device)
        try request(.readmit) {
            ask.encode(as: .readmit, $0, into: &$1)
        } _: { reply, _ in
            reply.body == .done ? () : nil
        }
    }

    /// Devices that no session has, and nobody gets at the moment.
    package func heldBack() throws(BrokerError) -> [AdminHeldDevice] {
        try request(.heldBack) {
            AdminRequest.encodeHeader(.heldBack, $0, into: &$1)
        } _: { reply, packet in
            guard case .heldBack(_, let devices) = reply.body else { return nil }
            return devices.array(in: packet)
        }
    }

    private func tell(_ type: AdminRequestType, _ device: Name) throws(BrokerError) -> UInt64 {
        let ask = AdminDeviceRequest(device: device)
        return try request(type) {
            ask.encode(as: type, $0, into: &$1)
        } _: { reply, _ in
            if case .session(let id) = reply.body { id } else { nil }
        }
    }

    /// What came of a reload.
    package struct Reload: Hashable, Sendable {
        /// The new configuration counts; otherwise the old one does.
        package var applied: Bool
        package var diagnostics: [String]
    }

    /// Has the configuration read anew.
    package func reload() throws(BrokerError) -> Reload {
        try request(.reload) {
            AdminRequest.encodeHeader(.reload, $0, into: &$1)
        } _: { reply, packet in
            guard case .reload(let applied, let text) = reply.body else { return nil }
            return Reload(applied: applied, diagnostics: Self.lines(text.text(in: packet)))
        }
    }

    private static func lines(_ text: String) -> [String] { text.split(separator: "\n").map(String.init) }

    // MARK: One request

    private func request<Result>(
        _ type: AdminRequestType, descriptor: Int32? = nil, _ encode: (Cookie, inout MutableRawSpan) -> Int,
        _ read: (AdminReply, RawSpan) -> Result?
    ) throws(BrokerError) -> Result {
        var passed: OwnedFD?
        return try request(type, descriptor: descriptor, passed: &passed, encode, read)
    }

    /// Sends what `encode` writes, waits for the reply, and gives it to `read`, which answers nil for one of another kind.
    private func request<Result>(
        _ type: AdminRequestType, descriptor: Int32? = nil, passed: inout OwnedFD?,
        _ encode: (Cookie, inout MutableRawSpan) -> Int, _ read: (AdminReply, RawSpan) -> Result?
    ) throws(BrokerError) -> Result {
        // Spans are of variables, and not of a class's fields.
        var buffer: [UInt8] = []
        swap(&buffer, &self.buffer)
        defer { swap(&buffer, &self.buffer) }
        cookie += 1
        let count: Int
        do throws(Errno) {
            count = try exchange(&buffer, descriptor, &passed, encode)
        } catch {
            if error == .brokenPipe || error == .connectionReset { throw Self.gone }
            throw BrokerError(error, "The admin socket failed")
        }
        if count == 0 { throw Self.gone }
        // SAFETY: bytes, of which any bits are some.
        let packet = unsafe buffer.span.bytes.extracting(first: count)
        let reply: AdminReply
        do { reply = try AdminReply(decoding: packet) } catch { throw BrokerError(error) }
        if case .refused(let refusal) = reply.body { throw BrokerError(refusal) }
        if reply.header.adminRequest == type, reply.header.cookie == Cookie(cookie), let result = read(reply, packet) {
            return result
        }
        throw BrokerError(.protocolViolated, "The broker answered another request than was asked.")
    }

    private static let gone = BrokerError(.brokenPipe, "The broker closed the connection.")

    private func exchange(
        _ buffer: inout [UInt8], _ descriptor: Int32?, _ passed: inout OwnedFD?,
        _ encode: (Cookie, inout MutableRawSpan) -> Int
    ) throws(Errno) -> Int {
        var span = buffer.mutableSpan
        // SAFETY: bytes, of which any bits are some.
        var bytes = unsafe span.mutableBytes
        let size = encode(Cookie(cookie), &bytes)
        while try !socket.send(bytes.bytes.extracting(first: size), descriptors: descriptor.map { [$0] } ?? []) {
            if try !socket.waitWritable(milliseconds: timeout) { throw .timedOut }
        }
        while true {
            if try !socket.waitReadable(milliseconds: timeout) { throw .timedOut }
            if var received = try socket.receive(into: &bytes) {
                passed = received.takeDescriptor(0)
                return min(received.byteCount, bytes.byteCount)
            }
        }
    }
}

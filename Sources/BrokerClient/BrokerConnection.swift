package import CSMMUBroker
package import LinuxSystem
package import Wire

/// The C client for the length of one call.
@safe
struct ClientHandle {
    let pointer: UnsafeMutablePointer<smmu_broker_client>
}

/// A session with the broker, as a VMM has one: a method for each message, each of which waits for its reply.
///
/// It is the C client of `smmu_broker_client.h` with Swift's types. For one thread at a time.
@safe
package final class BrokerConnection {
    /// 66 KB, allocated once.
    private let client: UnsafeMutablePointer<smmu_broker_client>

    /// Connects to the socket at `path`. Nothing is sent: HELLO is to come first.
    package convenience init(connectingTo path: String) throws(BrokerError) {
        try self.init(opening: "Cannot connect to \(path)") { client in
            // SAFETY: the call fills the structure, and keeps nothing of the string.
            unsafe smmu_broker_connect(client.pointer, path)
        }
    }

    /// Takes over a connected socket, as SESSION_CREATE of the admin socket gives one.
    package convenience init(adopting socket: consuming SeqPacketSocket) throws(BrokerError) {
        let copy: OwnedFD
        do { copy = try socket.fd.duplicate() } catch { throw BrokerError(error, "Cannot take the socket over") }
        let raw = copy.release()
        do throws(BrokerError) {
            try self.init(opening: "Cannot take the socket over") { client in
                // SAFETY: the call fills the structure; from success on the descriptor is its own.
                unsafe smmu_broker_adopt(client.pointer, raw)
            }
        } catch {
            _ = OwnedFD(adopting: raw)
            throw error
        }
    }

    private init(
        opening what: String, _ open: (ClientHandle) -> Int32
    ) throws(BrokerError) {
        // SAFETY: allocated here, filled by `open`, and freed by deinit, which runs as soon as the field is set.
        unsafe client = .allocate(capacity: 1)
        let status = unsafe open(ClientHandle(pointer: client))
        if status < 0 {
            // SAFETY: it has been allocated; a connection that could not be opened has no descriptor to close.
            unsafe client.pointee.fd = -1
            throw BrokerError(Errno(-status), what)
        }
    }

    deinit {
        // SAFETY: the structure has been filled, and closing one without a descriptor does nothing.
        unsafe smmu_broker_close(client)
        unsafe client.deallocate()
    }

    /// Milliseconds that one request may take; nil, as it starts: as long as it takes.
    package var timeout: Int32? {
        // SAFETY: the structure lives as long as `self`.
        get { unsafe client.pointee.timeout_ms < 0 ? nil : client.pointee.timeout_ms }
        set { unsafe client.pointee.timeout_ms = newValue ?? -1 }
    }

    /// Lends the C client to what is written in C: the guest's queues (`smmu_broker_client_transport`). Throws what the
    /// last request within it was refused with, when `body` returns an errno below 0.
    @discardableResult
    package func request(_ body: (UnsafeMutablePointer<smmu_broker_client>) -> Int32) throws(BrokerError) -> Int32 {
        // SAFETY: the pointer goes to `body` alone.
        try request { (client: ClientHandle) in unsafe body(client.pointer) }
    }

    /// Makes one request; returns what the C function does when that is no error.
    @discardableResult
    func request(_ call: (ClientHandle) -> Int32) throws(BrokerError) -> Int32 {
        // SAFETY: the structure lives as long as `self`, and so longer than the call.
        let value = unsafe call(ClientHandle(pointer: client))
        if value >= 0 { return value }
        defer { forgetError() }
        throw lastError(-value)
    }

    /// A call that does not come to send anything leaves the error of the one before where it was.
    private func forgetError() {
        // SAFETY: the structure lives as long as `self`.
        unsafe client.pointee.error_text.0 = 0
        unsafe (client.pointee.reason, client.pointee.cerror, client.pointee.completed) = (0, 0, 0)
    }

    private func lastError(_ code: Int32) -> BrokerError {
        // SAFETY: the structure lives as long as `self`; its text ends in 0 and is copied here.
        let text = unsafe String(cString: smmu_broker_error_text(client))
        let last = unsafe (client.pointee.reason, client.pointee.cerror, client.pointee.completed)
        return BrokerError(
            Status(UInt32(code)), reasonCode: last.0,
            text.isEmpty ? "Nothing was sent, because an argument is out of range: \(Errno(code))." : text,
            commandError: CommandError(rawValue: last.1) ?? .none, completed: last.2)
    }

    /// The first request: who the VM is, and what is wanted.
    package func hello(_ vm: Name, features: Features = []) throws(BrokerError) -> HelloReply {
        var reply = smmu_broker_hello_reply()
        try request { client in
            // SAFETY: the call reads a string that ends in 0, fills the reply and keeps no pointer.
            unsafe smmu_broker_client_hello(client.pointer, vm.description, features.rawValue, &reply)
        }
        return HelloReply(
            version: reply.version, maximumPacket: reply.maximum_packet, features: Features(rawValue: reply.features),
            epoch: Epoch(reply.epoch), maximumMemory: reply.maximum_memory, maximumVSMMUs: reply.maximum_vsmmus,
            maximumContexts: reply.maximum_contexts, maximumCommands: reply.maximum_commands)
    }

    /// Puts a part of a file at an IPA. The descriptor stays the caller's.
    package func mapMemory(
        _ file: borrowing OwnedFD, at ipa: IPA, size: UInt64, offset: UInt64 = 0,
        flags: MemoryMapRequest.Flags = [.read, .write]
    ) throws(BrokerError) {
        let raw = file.raw
        try request { client in
            // SAFETY: the call keeps no pointer.
            unsafe smmu_broker_client_memory_map(client.pointer, raw, ipa.rawValue, size, offset, flags.rawValue)
        }
    }

    /// Takes whole earlier maps away.
    package func unmapMemory(at ipa: IPA, size: UInt64) throws(BrokerError) {
        // SAFETY: the call keeps no pointer.
        try request { unsafe smmu_broker_client_memory_unmap($0.pointer, ipa.rawValue, size) }
    }
}

import CSMMUBroker
import LinuxSystem
import SMMUv3

/// A connection to the broker over the C client, with the requests that a replay needs.
///
/// Errors of all requests: ``ReplayError``, with the broker's own sentence where it has refused.
@safe
final class BrokerConnection {
    /// What HELLO gave.
    struct Limits {
        /// Bytes that may be mapped.
        let memory: UInt64
        /// Attached devices, all at the same time.
        let contexts: Int
    }

    /// The vSMMU as it was made.
    struct VSMMU {
        let number: UInt32
        let advertised: IDRegisters
        let narrowings: [ReplayNarrowing]
    }

    /// For calls of the C client that name it: valid as long as this lives.
    let client: UnsafeMutablePointer<smmu_broker_client>
    private let path: String

    init(to path: String) throws(ReplayError) {
        self.path = path
        // SAFETY: the memory is this object's, and smmu_broker_connect fills it in.
        unsafe client = .allocate(capacity: 1)
        // SAFETY: the call reads a string that ends in 0, and writes the structure.
        let status = unsafe smmu_broker_connect(client, path)
        guard status < 0 else { return }
        throw ReplayError(
            reason: "no connection to \(path): \(Errno(-status)).",
            advice: "Start smmu-brokerd, or name its socket with --socket; your user or group needs a grant.")
    }

    deinit {
        // SAFETY: the structure was filled in by smmu_broker_connect, also when that failed, and nobody uses it any more.
        unsafe smmu_broker_close(client)
        // SAFETY: it was allocated in init.
        unsafe client.deallocate()
    }

    /// The result of a call; throws what the broker, or the system, said.
    @discardableResult
    func check(_ status: Int32, _ action: String) throws(ReplayError) -> Int32 {
        guard status < 0 else { return status }
        // SAFETY: the string ends in 0, and is copied before the next request.
        let text = unsafe String(cString: smmu_broker_error_text(client))
        // SAFETY: the structure is the connection's, and a number of it is read.
        let refused = unsafe client.pointee.reason != SMMU_BROKER_REASON_NONE.rawValue
        throw ReplayError(
            reason: "\(action): \(text.isEmpty ? "\(Errno(-status))." : text)",
            advice: refused
                ? "The broker at \(path) has refused this."
                : "Look into the broker's journal, and whether it still runs.")
    }

    // MARK: - The session

    // SMMU_BROKER_FEATURE_MODEL and SMMU_BROKER_FEATURE_PAGE_RESPONSE.
    private static let model: UInt64 = 1 << 0
    private static let pageResponse: UInt64 = 1 << 2

    /// Begins the session. Fails when the broker's devices are no model.
    func hello(as name: String) throws(ReplayError) -> Limits {
        var reply = smmu_broker_hello_reply()
        // SAFETY: the call reads a string that ends in 0, and writes one structure.
        let status = unsafe smmu_broker_client_hello(client, name, Self.model | Self.pageResponse, &reply)
        try check(status, "HELLO")
        guard reply.features & Self.model != 0 else {
            throw ReplayError(
                reason: "the broker at \(path) drives hardware, and a replay needs the model.",
                advice: "Run another smmu-brokerd with its default configuration, and name its socket with --socket.")
        }
        return Limits(memory: reply.maximum_memory, contexts: Int(reply.maximum_contexts))
    }

    func createVSMMU(on device: String, wanted ids: IDRegisters) throws(ReplayError) -> VSMMU {
        var wanted = smmu_broker_registers(ids)
        var reply = smmu_broker_vsmmu_create_reply()
        var narrowings = [smmu_broker_narrowing](repeating: smmu_broker_narrowing(), count: 64)
        let room = UInt32(narrowings.count)
        // SAFETY: the call reads a string that ends in 0 and one structure, and writes another and `room` narrowings.
        let status = unsafe smmu_broker_client_vsmmu_create(client, device, &wanted, &reply, &narrowings, room)
        let count = min(Int(try check(status, "VSMMU_CREATE on \(device)")), narrowings.count)
        return VSMMU(
            number: reply.vsmmu, advertised: IDRegisters(reply.advertised),
            narrowings: narrowings.prefix(count).map(ReplayNarrowing.init))
    }

    func map(_ range: GuestLayout.Range, of file: borrowing OwnedFD) throws(ReplayError) {
        let (ipa, raw) = (range.ipa, file.raw)
        // SAFETY: the call passes numbers on; the structure is the connection's.
        let status = unsafe smmu_broker_client_memory_map(client, raw, ipa, range.size, range.offset, 3)
        try check(status, "MEMORY_MAP of \(range.size) bytes at IPA \(hex(ipa))")
    }

    /// Has the events of all vSMMUs sent to `socket`, of which the broker gets a copy.
    func subscribe(_ socket: borrowing OwnedFD) throws(ReplayError) {
        let raw = socket.raw
        // SAFETY: the call passes numbers on.
        let status = unsafe smmu_broker_client_events_subscribe_socket(client, .max, raw)
        try check(status, "EVENTS_SUBSCRIBE")
    }

    func attach(_ device: String, to vsmmu: UInt32, as vsid: UInt32) throws(ReplayError) {
        var reply = smmu_broker_device_attach_reply()
        var fd: Int32 = -1
        // SAFETY: the call reads a string that ends in 0, and writes a structure and a number.
        let status = unsafe smmu_broker_client_device_attach(client, vsmmu, vsid, device, &reply, &fd)
        if fd >= 0 { _ = OwnedFD(adopting: fd) }
        try check(status, "DEVICE_ATTACH of \(device) as StreamID \(vsid)")
    }

    func detach(_ vsid: UInt32, from vsmmu: UInt32) throws(ReplayError) {
        // SAFETY: the call passes numbers on.
        let status = unsafe smmu_broker_client_device_detach(client, vsmmu, vsid)
        try check(status, "DEVICE_DETACH of StreamID \(vsid)")
    }

    /// Turns the vSMMU on with these STEs, or, without any, off. What became of each context.
    func setState(
        of vsmmu: UInt32, flags: UInt32, entries: [(vsid: UInt32, ste: StreamTableEntry)]
    ) throws(ReplayError) -> [smmu_broker_context] {
        var list = entries.map(smmu_broker_entry.init)
        var contexts = [smmu_broker_context](repeating: smmu_broker_context(), count: 512)
        let count = UInt32(list.count)
        // SAFETY: the call reads `count` entries, and writes at most 512 contexts.
        let status = unsafe smmu_broker_client_vsmmu_state(client, vsmmu, flags, &list, count, &contexts, 512, nil)
        return Array(contexts.prefix(Int(try check(status, "VSMMU_STATE"))))
    }

    // MARK: - The model's devices

    func translate(
        _ vsid: UInt32, of vsmmu: UInt32, iova: UInt64, substreamID: UInt32?, write: Bool
    ) throws(ReplayError) -> smmu_broker_access_reply {
        var reply = smmu_broker_access_reply()
        let flags: UInt32 = (write ? 1 : 0) | (substreamID != nil ? 8 : 0)
        // SAFETY: the call passes numbers on, and writes one structure.
        let status = unsafe smmu_broker_client_translate(client, vsmmu, vsid, iova, substreamID ?? 0, flags, &reply)
        try check(status, "TRANSLATE of \(hex(iova)) by StreamID \(vsid)")
        return reply
    }

    /// Ends a stalled transaction. One that is no longer stalled is no error.
    func terminate(_ tag: UInt16, of vsid: UInt32, on vsmmu: UInt32) throws(ReplayError) {
        // SAFETY: the calls pass numbers on, and write one structure.
        let transport = unsafe smmu_broker_client_transport(client)
        let status = unsafe transport.page_response(transport.user, vsmmu, vsid, UInt32(tag), 1)
        try check(status, "PAGE_RESPONSE")
    }
}

/// A field of the ID registers in which the vSMMU shows less than the capture's SMMU had.
package struct ReplayNarrowing: Hashable, Sendable {
    /// `IDR5.OAS`.
    package let field: String
    package let wanted: UInt32
    package let host: UInt32
    package let given: UInt32
    /// `host`, `nesting` or `policy`.
    package let cause: String

    init(_ narrowing: smmu_broker_narrowing) {
        var name = narrowing.field
        // SAFETY: the bytes are those of the array, which lives as long as the call.
        let bytes = unsafe withUnsafeBytes(of: &name) { unsafe Array($0) }
        field = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        (wanted, host, given) = (narrowing.wanted, narrowing.host, narrowing.given)
        switch smmu_broker_cause(narrowing.cause) {
        case SMMU_BROKER_CAUSE_HOST: cause = "host"
        case SMMU_BROKER_CAUSE_NESTING: cause = "nesting"
        case SMMU_BROKER_CAUSE_POLICY: cause = "policy"
        default: cause = "unknown"
        }
    }
}

// MARK: - Values of the C header

extension smmu_broker_registers {
    init(_ ids: IDRegisters) {
        self.init(
            idr: (ids.idr0, ids.idr1, ids.idr2, ids.idr3, ids.idr4, ids.idr5), iidr: ids.iidr, aidr: ids.aidr)
    }
}

extension IDRegisters {
    init(_ registers: smmu_broker_registers) {
        let idr = registers.idr
        self.init(
            idr0: idr.0, idr1: idr.1, idr2: idr.2, idr3: idr.3, idr4: idr.4, idr5: idr.5, iidr: registers.iidr,
            aidr: registers.aidr)
    }
}

extension smmu_broker_entry {
    init(vsid: UInt32, ste: StreamTableEntry) {
        let words = ste.words
        self.init(
            vsid: vsid, reserved: 0,
            ste: (words[0], words[1], words[2], words[3], words[4], words[5], words[6], words[7]))
    }
}

func hex(_ number: UInt64) -> String { "0x" + String(number, radix: 16) }

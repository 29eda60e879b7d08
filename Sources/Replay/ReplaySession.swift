import BrokerClient
import CSMMUBroker
import LinuxSystem
import SMMUv3
import Wire

/// A session with the broker, with the requests that a replay needs.
///
/// Errors of all requests: ``ReplayError``, with the broker's own sentence where it has refused.
@safe
final class ReplaySession {
    /// What HELLO gave.
    struct Limits {
        /// Bytes that may be mapped.
        let memory: UInt64
        /// Attached devices, all at the same time.
        let contexts: Int
    }

    private let connection: BrokerConnection
    private let path: String

    init(to path: String) throws(ReplayError) {
        self.path = path
        do throws(BrokerError) { connection = try BrokerConnection(connectingTo: path) } catch {
            throw ReplayError(
                reason: error.text,
                advice: "Start smmu-brokerd, or name its socket with --socket; your user or group needs a grant.")
        }
    }

    /// A request; throws what the broker, or the system, said of `action`.
    private func request<Reply>(
        _ action: @autoclosure () -> String, _ body: (BrokerConnection) throws(BrokerError) -> Reply
    ) throws(ReplayError) -> Reply {
        do throws(BrokerError) { return try body(connection) } catch { throw failure(of: action(), error) }
    }

    private func failure(of action: String, _ error: BrokerError) -> ReplayError {
        ReplayError(
            reason: "\(action): \(error.text)",
            advice: error.isRefusal
                ? "The broker at \(path) has refused this."
                : "Look into the broker's journal, and whether it still runs.")
    }

    private func name(_ text: String, _ what: String) throws(ReplayError) -> Name {
        guard let name = Name(text) else {
            throw ReplayError(
                reason: "\"\(text)\" cannot be the name of \(what).",
                advice: "A name is 1 to 63 letters, digits, '-', '_', '.' or ':'.")
        }
        return name
    }

    // MARK: - The session

    /// Begins the session. Fails when the broker's devices are no model.
    func hello(as vm: String) throws(ReplayError) -> Limits {
        let vm = try name(vm, "a VM")
        let reply = try request("HELLO") { broker throws(BrokerError) in
            try broker.hello(vm, features: [.model, .pageResponse])
        }
        guard reply.features.contains(.model) else {
            throw ReplayError(
                reason: "the broker at \(path) drives hardware, and a replay needs the model.",
                advice: "Run another smmu-brokerd with its default configuration, and name its socket with --socket.")
        }
        return Limits(memory: reply.maximumMemory, contexts: Int(reply.maximumContexts))
    }

    func createVSMMU(
        on device: String, wanted: IDRegisters
    ) throws(ReplayError) -> BrokerConnection.CreatedVSMMU {
        let device = try name(device, "a device")
        return try request("VSMMU_CREATE on \(device)") { broker throws(BrokerError) in
            try broker.createVSMMU(on: device, wanted: wanted)
        }
    }

    func map(_ range: GuestLayout.Range, of file: borrowing OwnedFD) throws(ReplayError) {
        do throws(BrokerError) {
            try connection.mapMemory(file, at: IPA(range.ipa), size: range.size, offset: range.offset)
        } catch { throw failure(of: "MEMORY_MAP of \(range.size) bytes at IPA \(hex(range.ipa))", error) }
    }

    /// The end at which the events of all vSMMUs come out.
    func subscribe() throws(ReplayError) -> EventReceiver {
        try request("EVENTS_SUBSCRIBE") { broker throws(BrokerError) in try broker.subscribe() }
    }

    func attach(_ device: String, to vsmmu: VSMMUID, as vsid: UInt32) throws(ReplayError) {
        let device = try name(device, "a device")
        try request("DEVICE_ATTACH of \(device) as StreamID \(vsid)") { broker throws(BrokerError) in
            _ = try broker.attach(device, to: vsmmu, as: StreamID(vsid))
        }
    }

    func detach(_ vsid: UInt32, from vsmmu: VSMMUID) throws(ReplayError) {
        try request("DEVICE_DETACH of StreamID \(vsid)") { broker throws(BrokerError) in
            try broker.detach(StreamID(vsid), from: vsmmu)
        }
    }

    /// Turns the vSMMU on with these STEs, or, without any, off. What became of each context.
    func setState(
        of vsmmu: VSMMUID, _ flags: VSMMUStateRequest.Flags, entries: [ContextEntry]
    ) throws(ReplayError) -> [ContextReport] {
        try request("VSMMU_STATE") { broker throws(BrokerError) in
            try broker.setState(of: vsmmu, flags, entries: entries).contexts
        }
    }

    /// Lends the C client to what drains a queue of the guest.
    func drain(_ body: (UnsafeMutablePointer<smmu_broker_client>) -> Int32) throws(ReplayError) {
        // SAFETY: the pointer goes to `body` alone, which does not keep it.
        _ = try request("draining the command queue") { broker throws(BrokerError) in unsafe try broker.request(body) }
    }

    // MARK: - The model's devices

    func translate(
        _ vsid: UInt32, of vsmmu: VSMMUID, iova: UInt64, substreamID: UInt32?, write: Bool
    ) throws(ReplayError) -> AccessReply {
        let target = AccessRequest.Target(
            vsmmu: vsmmu, vsid: StreamID(vsid), iova: IOVA(iova), substream: substreamID.map { SubstreamID($0) })
        return try request("TRANSLATE of \(hex(iova)) by StreamID \(vsid)") { broker throws(BrokerError) in
            try broker.translate(target, write: write)
        }
    }

    /// Ends a stalled transaction.
    func terminate(_ tag: UInt16, of vsid: UInt32, on vsmmu: VSMMUID) throws(ReplayError) {
        try request("PAGE_RESPONSE") { broker throws(BrokerError) in
            try broker.respond(.terminate, to: StallTag(UInt32(tag)), of: StreamID(vsid), on: vsmmu)
        }
    }
}

func hex(_ number: UInt64) -> String { "0x" + String(number, radix: 16) }

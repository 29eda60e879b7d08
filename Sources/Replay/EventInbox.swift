import CSMMUBroker
import LinuxSystem
import SMMUv3

/// The subscriber's end of the event socket: takes what the broker sends, in order and without duplicates.
@safe
final class EventInbox {
    /// Records of stage 1 that have come and not been taken, oldest first.
    private var records: [EventRecord] = []
    /// Records of stage 2, which is the broker's: for IPAs that the capture's RAM does not have.
    private(set) var stage2Records = 0
    /// Records that the broker says are lost.
    private(set) var lost: UInt64 = 0

    /// One end of a pair of sockets; the broker has the other.
    private let socket: OwnedFD
    private let epoll: Epoll
    /// Of each vSMMU.
    private var nextSequences: [UInt32: UInt64] = [:]
    private let packet: UnsafeMutablePointer<smmu_broker_events>

    /// Subscribes to all events of a session.
    init(of connection: BrokerConnection) throws(ReplayError) {
        let ends: Ends
        do throws(Errno) {
            ends = try Ends()
        } catch {
            throw ReplayError(reason: "no event socket: \(error).", advice: "Raise the limit of open files.")
        }
        socket = ends.ours
        epoll = ends.epoll
        // SAFETY: the memory is this object's, and is read only where smmu_broker_receive_events wrote.
        unsafe packet = .allocate(capacity: 1)
        try connection.subscribe(ends.theirs)
    }

    private struct Ends: ~Copyable {
        let ours: OwnedFD
        let theirs: OwnedFD
        let epoll: Epoll

        init() throws(Errno) {
            let pair = try SeqPacketSocket.pair()
            let ours = try pair.first.fd.duplicate()
            let theirs = try pair.second.fd.duplicate()
            let epoll = try Epoll()
            try epoll.add(ours.raw, .readable, data: 0)
            self.ours = ours
            self.theirs = theirs
            self.epoll = epoll
        }
    }

    deinit {
        // SAFETY: it was allocated in init, and nobody has a pointer to it any more.
        unsafe packet.deallocate()
    }

    /// The oldest record of stage 1; waits until there is one, or `milliseconds` have passed.
    func next(milliseconds: Int32) throws(ReplayError) -> EventRecord? {
        try receive()
        var batch = Epoll.emptyBatch
        while records.isEmpty {
            let ready: Int
            do throws(Errno) {
                ready = try epoll.wait(&batch, milliseconds: milliseconds)
            } catch {
                throw ReplayError(reason: "waiting for events: \(error).", advice: "This should not happen.")
            }
            guard ready > 0 else { return nil }
            try receive()
        }
        return records.removeFirst()
    }

    /// All records of stage 1 that have come and not been taken.
    func takeAll() throws(ReplayError) -> [EventRecord] {
        try receive()
        defer { records = [] }
        return records
    }

    /// Takes what is there.
    private func receive() throws(ReplayError) {
        while true {
            let raw = socket.raw
            // SAFETY: the call writes one structure.
            let status = unsafe smmu_broker_receive_events(raw, packet)
            if status == -Errno.again.code { return }
            guard status > 0 else {
                throw ReplayError(
                    reason: "the event socket: "
                        + (status == 0 ? "the broker has closed it." : "\(Errno(-status))."),
                    advice: "Look into the broker's journal, and whether it still runs.")
            }
            take()
        }
    }

    private func take() {
        // SAFETY: the call before it wrote the packet's header, and the part of the body that the type says.
        let header = unsafe packet.pointee.header
        let first = unsafe smmu_broker_first_new(packet, &nextSequences[header.vsmmu, default: 0])
        if header.type == UInt16(SMMU_BROKER_LOST.rawValue) {
            // SAFETY: a LOST packet has this part of the body.
            lost += unsafe packet.pointee.body.lost.count
        }
        guard header.type == UInt16(SMMU_BROKER_EVENT.rawValue) else { return }
        // SAFETY: an EVENT packet has `count` records from the beginning of the body on; each has four words.
        unsafe withUnsafeBytes(of: &packet.pointee.body) { bytes in
            for index in Int(first)..<max(Int(first), Int(header.count)) {
                // SAFETY: the record lies within the body.
                let words = unsafe bytes.loadUnaligned(fromByteOffset: index * 32, as: SIMD4<UInt64>.self)
                sort(EventRecord(words: words))
            }
        }
    }

    private func sort(_ record: EventRecord) {
        if record.stage2 { stage2Records += 1 } else { records.append(record) }
    }
}

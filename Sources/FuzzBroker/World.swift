import Backends
import BrokerCore
import LinuxSystem
import SMMUv3
import Wire

/// A session, its model and its memory; and what of the promises can be seen while it runs.
final class World {
    /// Where guest memory usually is.
    static let base: UInt64 = 0x4000_0000
    /// Of the file: the last page is never mapped.
    static let fileSize: UInt64 = 1 << 20

    let descriptors = DescriptorTable()
    let ledger = Replica()
    let session: Session
    private let memory: OwnedFD
    private let view: Mapping
    private var cookie: UInt64 = 0
    private var now = Instant(nanoseconds: 1)
    private var reply = [UInt8](repeating: 0, count: Limits.packet)
    /// Of each vSMMU's next record that is delivered, or counted as lost.
    private var nextSequences: [VSMMUID: UInt64] = [:]

    /// nil when the host has no memory for it.
    init?() {
        do throws(Errno) {
            memory = try OwnedFD.memory(named: "fuzz", size: Self.fileSize)
            try memory.seal(.shrink)
            view = try Mapping(memory, count: Int(Self.fileSize), writable: true)
        } catch { return nil }
        session = Session(
            Session.Context(
                id: SessionID(1), peer: PeerIdentity(pid: 1, uid: 1, gid: 1), grant: Self.grant, epoch: Epoch(1),
                directory: Directory(), backend: ModelBackend(descriptors: descriptors), observer: Silence(),
                ledger: ledger))
        // Words that can be descriptors of any kind, and point to each other.
        for page in 0..<16 {
            for word in 0..<512 {
                let target = Self.base + UInt64((page + word) % 16) << 12
                _ = view.storeWord(target | Self.attributes[word % 8], at: UInt64(page * 4096 + word * 8))
            }
        }
    }

    /// Tables, pages, CDs, and nothing.
    private static let attributes: [UInt64] = [
        3, 0x7c3, 0x743, 0xaa55_0000_8000_3519 & ~0xfff | 0x519, 1, 0, 0x6c3, 0xfc3,
    ]

    private static let grant = Grant(
        name: "fuzz", users: [1], devices: ["*"],
        quota: Quota(sessions: 1, memory: 1 << 20, maps: 6, vsmmus: 3, contexts: 6))

    // MARK: Steps

    /// What most programs would otherwise have to find out first: HELLO, a vSMMU, memory, two devices.
    func begin(_ program: inout Program) {
        if program.chance(in: 8) { return }
        var nothing = Program([])
        for number in 0..<5 {
            cookie += 1
            let type: RequestType = [.hello, .vsmmuCreate, .memoryMap, .deviceAttach, .deviceAttach][number]
            var packet = Packet(type)
            switch type {
            case .hello: packet.append(words: [1, 0b111])
            case .memoryMap: packet.append(words: [Self.base, 16 << 12, 0, 3])
            case .deviceAttach: packet.append(words: [1 | UInt64(number - 3) << 32])
            default: break
            }
            if type != .memoryMap { packet.append(name: type == .hello ? "fuzz" : "virt") }
            if type == .vsmmuCreate { packet.append(words: [0, 0, 0, 0]) }
            packet.finish(cookie, &nothing)
            let files = type == .memoryMap ? [file(false, &nothing)].compactMap { $0 } : []
            send(packet.bytes, files, truncated: false)
        }
    }

    func step(_ program: inout Program) {
        now = now.advanced(byMilliseconds: UInt64(program.below(4)) * 1000)
        switch program.below(16) {
        case 0: _ = session.readSource(of: VSMMUID(program.vsmmu()), at: now)
        case 1: deliver(program.below(20))
        case 2: session.sockets.first.map(session.subscriberGone)
        case 3: _ = session.quarantine(Self.name(program.device()), at: now)
        case 4: _ = session.release(Self.name(program.device()), at: now)
        case 5: _ = session.timeout(at: now)
        case 6: session.replaceGrant(program.chance(in: 4) ? nil : Self.grant, at: now)
        default: request(&program)
        }
        closeDiscarded()
        checkState()
    }

    private static func name(_ text: String) -> Name { Name(text) ?? Directory.none }

    private func request(_ program: inout Program) {
        cookie += 1
        let packet = program.packet(cookie).bytes
        var files: [ReceivedFile] = []
        let isSubscription = packet.first == UInt8(RequestType.eventsSubscribe.rawValue)
        let wanted = packet.first == UInt8(RequestType.memoryMap.rawValue) || isSubscription ? 1 : 0
        for _ in 0..<(program.chance(in: 16) ? program.below(3) : wanted) {
            if let file = file(isSubscription, &program) { files.append(file) }
        }
        send(packet, files, truncated: program.chance(in: 32))
    }

    private func send(_ packet: [UInt8], _ files: [ReceivedFile], truncated: Bool) {
        var slots = reply.mutableSpan
        // SAFETY: bytes, of which any bits are some.
        var room = unsafe slots.mutableBytes
        let answer = session.handle(
            // SAFETY: as above.
            unsafe packet.span.bytes, files: files, descriptorsTruncated: truncated, at: now, reply: &room)
        for file in files where !answer.keepsFiles {
            descriptors.remove(file.resource.rawValue)
        }
        check(answer, to: packet)
    }

    /// What is said of a descriptor is true, or less than is true: Server finds it out before the session hears of it.
    private func file(_ isSocket: Bool, _ program: inout Program) -> ReceivedFile? {
        do throws(Errno) {
            let fd = try memory.duplicate()
            let resource = ResourceID(descriptors.insert(fd))
            if program.chance(in: 8) { return ReceivedFile(resource: resource, kind: .other) }
            if isSocket { return ReceivedFile(resource: resource, kind: .seqPacketSocket) }
            return ReceivedFile(
                resource: resource, kind: .shmem, size: Self.fileSize - 4096,
                sealedAgainstShrinking: !program.chance(in: 16), readable: true, writable: !program.chance(in: 4))
        } catch { return nil }
    }

    private func deliver(_ packets: Int) {
        session.fillQueues(at: now)
        for socket in session.sockets {
            for _ in 0..<packets {
                var slots = reply.mutableSpan
                // SAFETY: as above.
                var room = unsafe slots.mutableBytes
                let size = session.nextDelivery(to: socket, into: &room)
                if size == 0 { break }
                check(delivery: size)
                session.delivered()
            }
        }
    }

    private func closeDiscarded() {
        for id in session.takeDiscarded() { descriptors.remove(id.rawValue) }
    }

    /// The client is gone.
    func end() {
        while let retry = session.end(at: now) { now = retry }
        closeDiscarded()
        FuzzBroker.require(session.state.contexts.isEmpty && session.state.maps.isEmpty, "P24: all is given back")
        let sources = descriptors.count
        FuzzBroker.require(sources <= 3 * 256, "P24: descriptors are closed, \(sources) are not")
        FuzzBroker.require(view.loadWord(at: Self.fileSize - 4096) == 0, "P20: a device wrote where nothing is mapped")
    }

    // MARK: Promises

    private func check(_ answer: Session.Answer, to packet: [UInt8]) {
        // SAFETY: as above.
        guard let decoded = try? Reply(decoding: unsafe reply.span.bytes.extracting(0..<answer.byteCount)) else {
            return FuzzBroker.require(false, "P1: a reply that is none, to \(packet)")
        }
        if packet.count >= 16,
            packet[8..<16].elementsEqual((0..<8).map { UInt8(truncatingIfNeeded: cookie >> ($0 * 8)) })
        {
            FuzzBroker.require(decoded.header.cookie == Cookie(cookie), "P1: the cookie")
        }
        switch decoded.body {
        case .refused(let refusal):
            FuzzBroker.require(!refusal.text.isEmpty && refusal.reason != Reason.none, "P8: why it is refused")
            FuzzBroker.require(!answer.keepsFiles, "P5: descriptors of a refused request")
        case .access(let access, _): check(access)
        case .msiDoorbell(let doorbell): doorbells.insert(doorbell.base.rawValue)
        default: break
        }
    }

    /// P20: what comes through both stages is the session's memory, or a doorbell, which has no memory around it.
    private func check(_ access: AccessReply) {
        guard access.stage2 == .done else { return }
        let page = access.ipa.rawValue & ~0xfff
        let isMapped = session.state.maps.indices.contains {
            session.state.maps[$0].ipa <= page && page < session.state.maps[$0].end
        }
        FuzzBroker.require(isMapped || doorbells.contains(page), "P20: a device reaches \(page), which is not mapped")
    }

    /// Pages that MSI_DOORBELL has bound, ever.
    private var doorbells: Set<UInt64> = []

    private func check(delivery size: Int) {
        // SAFETY: as above.
        guard let message = try? EventMessage(decoding: unsafe reply.span.bytes.extracting(0..<size)) else {
            return FuzzBroker.require(false, "P26: an event packet that is none")
        }
        let (vsmmu, sequence) = (message.header.vsmmu, message.header.sequence.rawValue)
        let next = nextSequences[vsmmu, default: 0]
        FuzzBroker.require(sequence == next, "P26: \(sequence) comes after \(next)")
        switch message.body {
        case .events(let records): nextSequences[vsmmu] = sequence + UInt64(records.count)
        case .lost(let notice): nextSequences[vsmmu] = sequence + notice.count
        default: break
        }
    }

    private func checkLedgers() {
        let counters = session.counters
        var waiting: UInt64 = 0
        for number in 0...64 {
            guard let ledger = session.eventLedger(of: VSMMUID(UInt32(number))) else { continue }
            FuzzBroker.require(ledger.isBalanced, "I5: \(ledger) of vSMMU \(number)")
            waiting += ledger.waiting
        }
        if session.state.nextVSMMU <= 64 {
            FuzzBroker.require(waiting == counters.eventsWaiting, "I5: \(waiting) wait, and \(counters)")
        }
    }

    private func checkState() {
        checkLedgers()
        let state = session.state
        FuzzBroker.require(state == ledger.state, "I7: the changes make the state")
        let sum = state.maps.indices.reduce(0) { $0 + state.maps[$1].size }
        FuzzBroker.require(sum == state.mappedBytes && sum <= Self.grant.quota.memory, "the quota of memory")
        for index in state.contexts.indices {
            let context = state.contexts[index]
            guard let place = state.vsmmus.index(of: context.key.vsmmu) else {
                return FuzzBroker.require(false, "a context without a vSMMU")
            }
            let vsmmu = state.vsmmus[place]
            let isQuiet = context.quarantined || vsmmu.failed
            if isQuiet {
                FuzzBroker.require(context.installed == .abort, "I1: quarantined or failed, and not on ABORT")
            }
            if !isQuiet, !vsmmu.enabled { FuzzBroker.require(context.installed == vsmmu.bypassed, "P17: GBPA") }
            if vsmmu.enabled, context.ste?.valid != true {
                FuzzBroker.require(context.installed == .abort, "P17: without a valid STE")
            }
        }
    }
}

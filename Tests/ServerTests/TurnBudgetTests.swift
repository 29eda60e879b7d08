import Backends
import BrokerCore
import BrokerHarness
import Configuration
import EventLoop
import LinuxSystem
import SMMUv3
import Testing
import Wire

@testable import Server

/// A session whose device faults as fast as its source is read, turned by hand: what one turn does is counted.
private final class StormySession {
    /// What happened in one turn.
    struct Turn: Equatable {
        var replies = 0
        var reads = 0
        /// Read from the source.
        var records = 0
        /// In the owner's socket.
        var packets = 0
        var delivered = 0
    }

    private let session: SessionLoop
    private let client: RawClient
    private let events: SeqPacketSocket
    private let backend: FaultyBackend
    private let storm = Storm()
    private let table = SessionTable()

    /// Written by the backend in the test's own thread.
    private final class Storm {
        var (reads, records) = (0, 0)
    }

    /// For which no number of faults is a storm, of which the owner would be told by packets of its own.
    private static let grant: Grant = {
        var grant = Grant(name: "tests", users: [0], devices: ["*"])
        grant.faults.storm.count = .max
        return grant
    }()

    init() throws {
        let configuration = Configuration.open()
        let made = Shared<Made?>(nil)
        let setup = SessionSetup(
            epoch: Epoch(1), configuration: LiveConfiguration(configuration),
            directory: SharedInventory(configuration.devices), table: table,
            makeBackend: { descriptors in
                let backend = FaultyBackend(wrapping: ModelBackend(descriptors: descriptors))
                made.value = Made(backend: backend, descriptors: descriptors)
                return backend
            }, makeObserver: { _, _ in Nobody() })
        let pair = try SeqPacketSocket.pair()
        client = RawClient(adopting: SeqPacketSocket(adopting: try pair.first.fd.duplicate()))
        let owner = SessionOwner(
            id: SessionID(1), peer: PeerIdentity(pid: 1, uid: 0, gid: 0),
            grant: .given(Self.grant))
        session = try SessionLoop(owner, SeqPacketSocket(adopting: try pair.second.fd.duplicate()), setup)
        let parts = try #require(made.value)
        backend = parts.backend
        let sockets = try SeqPacketSocket.pair()
        events = SeqPacketSocket(adopting: try sockets.first.fd.duplicate())

        let vsmmu = VSMMUID(1)
        try ask(HelloRequest(features: .model, name: "stormy"))
        try ask(VSMMUCreateRequest(device: "model", wanted: IDRegisters(idr0: 0, idr1: 0, idr3: 0, idr5: 0, aidr: 0)))
        try ask(EventsSubscribeRequest(delivery: .socket, vsmmu: .every), [sockets.second.fd.raw])
        try ask(DeviceAttachRequest(vsmmu: vsmmu, vsid: Guest.vsid, device: "model"))
        try begin(vsmmu, parts.descriptors)
    }

    private struct Made: @unchecked Sendable {
        let backend: FaultyBackend
        let descriptors: DescriptorTable
    }

    /// From now on the source is readable, and gives a record for each slot.
    private func begin(_ vsmmu: VSMMUID, _ descriptors: DescriptorTable) throws {
        backend.readsEvents = { [storm] _, slots in
            for index in 0..<slots.count { slots[index] = EventRecord(.translation, stream: Guest.vsid) }
            storm.reads += 1
            storm.records += slots.count
            return EventsRead(count: slots.count)
        }
        let source = try #require(backend.eventSource(of: vsmmu))
        try EventFD(adopting: try descriptors.duplicate(source.rawValue)).signal()
    }

    private func ask(_ request: some TypedRequest, _ descriptors: [Int32] = []) throws {
        try send(request, descriptors)
        try session.loop.turn(waitingAtMost: 0)
        let reply = try #require(try client.receive(waitingAtMost: 0))
        // SAFETY: bytes, of which any bits are some.
        #expect(try Reply(decoding: unsafe reply.span.bytes).refusal == nil)
    }

    private func send(_ request: some TypedRequest, _ descriptors: [Int32] = []) throws {
        let sent = try client.send(client.bytes(of: request), descriptors: descriptors)
        try #require(sent, "the client's socket is full")
    }

    /// Requests that the session finds in its next turns.
    func queueRequests(_ count: Int) throws {
        for _ in 0..<count {
            let packet = client.packet {
                CommandsRequest.encode(
                    vsmmu: VSMMUID(1), commands: [Command.sync()].span, client.nextCookie(), into: &$0)
            }
            try #require(try client.send(packet), "the client's socket is full")
        }
    }

    /// One turn of the loop. `reading`: the owner then takes all that is in its socket.
    func turn(reading: Bool) throws -> Turn {
        let before = (storm.reads, storm.records)
        try session.loop.turn(waitingAtMost: 0)
        var turn = Turn()
        (turn.reads, turn.records) = (storm.reads - before.0, storm.records - before.1)
        while try client.hasReply() { turn.replies += 1 }
        while reading, let count = try receiveEvents() {
            turn.packets += 1
            turn.delivered += count
        }
        return turn
    }

    /// The records of the owner's next packet; nil when there is none.
    func receiveEvents() throws -> Int? {
        var buffer = [UInt8](repeating: 0, count: Limits.packet)
        var span = buffer.mutableSpan
        // SAFETY: as above.
        var bytes = unsafe span.mutableBytes
        guard let packet = try events.receive(into: &bytes), packet.byteCount > 0 else { return nil }
        let message = try EventMessage(decoding: unsafe buffer.span.bytes.extracting(first: packet.byteCount))
        guard case .events(let records) = message.body else { return 0 }
        return records.count
    }

    func end() throws {
        session.obey(.stop)
    }
}

private final class Nobody: SessionObserver {
    func sawFault(_ fault: ObservedFault) {}
    func saw(_ notice: SessionNotice) {}
}

extension RawClient {
    /// Takes a reply, if there is one.
    fileprivate func hasReply() throws -> Bool {
        do { return try receive(waitingAtMost: 0) != nil } catch is Failure { return false }
    }
}

/// What a storming session does in one turn is bounded, and its owner's requests have their turn in the middle of it.
@Suite struct TurnBudgetTests {
    private static let budget = EventDelivery.packetsInTurn

    @Test("A turn in a storm is one request, one read, and the packets of its budget")
    func everyTurnIsTheSame() throws {
        let stormy = try StormySession()
        try stormy.queueRequests(20)
        for number in 0..<40 {
            let turn = try stormy.turn(reading: true)
            // The ring begins with 64 records, and grows to 256 and to 1024 when a read fills it.
            #expect(
                turn
                    == StormySession.Turn(
                        replies: number < 20 ? 1 : 0, reads: number == 0 ? 3 : 1, records: Self.budget * Limits.events,
                        packets: Self.budget, delivered: Self.budget * Limits.events))
        }
        try stormy.end()
    }

    @Test("While the owner does not read, a session serves requests and reads nothing more than it has room for")
    func anOwnerWhoDoesNotRead() throws {
        let stormy = try StormySession()
        var read = 0
        // Longer than it takes to fill the socket and the ring.
        for _ in 0..<100 { read += try stormy.turn(reading: false).records }
        try stormy.queueRequests(20)
        for _ in 0..<20 {
            let turn = try stormy.turn(reading: false)
            #expect(turn == StormySession.Turn(replies: 1))
        }
        // Nothing is lost: what was read comes, and then the rest of the storm.
        var delivered = 0
        while delivered < read {
            let turn = try stormy.turn(reading: true)
            #expect(turn.packets > 0 && turn.reads <= 1 && turn.records <= EventRing.capacity)
            if turn.packets == 0 { break }
            delivered += turn.delivered
        }
        #expect(delivered >= read)
        try stormy.end()
    }
}

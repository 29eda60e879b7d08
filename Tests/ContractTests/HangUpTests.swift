import BrokerClient
import BrokerCore
import BrokerHarness
import Configuration
import LinuxSystem
import Server
import Testing
import Wire

/// Whatever a client leaves behind, and wherever: when it is gone, its session ends.
@Suite("Clients that try not to hang up")
struct HangUpTests {
    @Test("P24: one's own end is no event socket: with it in the daemon's hands nobody would ever hang up")
    func ownEnd() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let socket = try SeqPacketSocket(connectingTo: harness.path)
        let own = try socket.fd.duplicate()
        let client = RawClient(adopting: socket)
        try client.hello()
        let reply = try client.request(
            EventsSubscribeRequest(delivery: .socket, vsmmu: .every), descriptors: [own.raw])
        #expect(reply.refusal?.reason == .notSocket)
    }

    @Test("P24: nor is that of a session that an operator made")
    func ownEndOfCreated() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let admin = try AdminClient(connectingTo: harness.adminPath)
        let made = try admin.createSession("made", devices: [try #require(AdminPattern("*"))])
        let socket = made.takeSocket()
        let own = try socket.fd.duplicate()
        let client = RawClient(adopting: socket)
        try client.hello()
        let reply = try client.request(
            EventsSubscribeRequest(delivery: .socket, vsmmu: .every), descriptors: [own.raw])
        #expect(reply.refusal?.reason == .notSocket)
    }

    @Test("P24: what is sent into the daemon's end of the event socket, before or after, keeps nothing open")
    func descriptorsInEventSocket() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        func leaveBehind() throws {
            let socket = try SeqPacketSocket(connectingTo: harness.path)
            let own = try socket.fd.duplicate()
            let client = RawClient(adopting: socket)
            try client.hello()
            let pair = try SeqPacketSocket.pair()
            let second = try pair.second.fd.duplicate()
            let mine = RawClient(adopting: SeqPacketSocket(adopting: try second.duplicate()))
            for _ in 0..<3 {
                #expect(try mine.send([], descriptors: [second.raw, own.raw]))
                #expect(try mine.send([1, 2, 3], descriptors: [second.raw, own.raw]))
            }
            let reply = try client.request(
                EventsSubscribeRequest(delivery: .socket, vsmmu: .every), descriptors: [pair.first.fd.raw])
            #expect(reply.refusal == nil)
            #expect(throws: Errno.brokenPipe) { try mine.send([1], descriptors: [second.raw, own.raw]) }
        }
        try leaveBehind()
        #expect(eventually { harness.table.all.isEmpty })
    }

    @Test("P24, P30: a client that leaves its replies unread, with its own end on the way behind them")
    func descriptorsInRequests() throws {
        var patience = Patience()
        patience.reply = 100
        let harness = try BrokerHarness(patience: patience)
        defer { harness.stop() }
        func leaveBehind() throws {
            let socket = try SeqPacketSocket(connectingTo: harness.path)
            let own = try socket.fd.duplicate()
            let client = RawClient(adopting: socket)
            try client.hello()
            let request = client.bytes(of: HelloRequest(features: [], name: "again"))
            let mine = SeqPacketSocket(adopting: try own.duplicate())
            // The daemon stops reading when its replies find no room, and then there is none for requests either. If it
            // is only slow, less is proven.
            while try mine.waitWritable(milliseconds: 300) { _ = try client.send(request, descriptors: [own.raw]) }
        }
        do { try leaveBehind() } catch let error as Errno { #expect([.brokenPipe, .connectionReset].contains(error)) }
        #expect(eventually { harness.table.all.isEmpty })
    }

    @Test("P31: who says no HELLO has no place for long; an operator's session may take its time")
    func noHello() throws {
        var patience = Patience()
        patience.hello = 50
        let harness = try BrokerHarness(patience: patience)
        defer { harness.stop() }
        let admin = try AdminClient(connectingTo: harness.adminPath)
        let made = try admin.createSession("made", devices: [try #require(AdminPattern("*"))])
        let patient = RawClient(adopting: made.takeSocket())
        let silent = try RawClient(connectingTo: harness.path)
        let begun = try RawClient(connectingTo: harness.path)
        try begun.hello()
        #expect(try silent.receive() == nil)
        #expect(eventually { harness.table.all.count == 2 })
        #expect(try patient.hello().refusal == nil)
        #expect(try begun.hello().refusal?.reason == .helloRepeated)
    }

    @Test("P31: connections without a HELLO have a quarter of the places, and leave the others to others")
    func manyWithoutHello() throws {
        var configuration = Configuration.open()
        configuration.maximumSessions = 8
        let harness = try BrokerHarness(configuration)
        defer { harness.stop() }
        var begun: [RawClient] = []
        for _ in 0..<3 {
            begun.append(try RawClient(connectingTo: harness.path))
            try begun.last?.hello()
        }
        let silent = try (0..<2).map { _ in try RawClient(connectingTo: harness.path) }
        #expect(eventually { harness.table.all.count == 5 })
        let third = try RawClient(connectingTo: harness.path)
        #expect(try third.receive() == nil)
        #expect(try silent[0].hello().refusal == nil)
        #expect(try RawClient(connectingTo: harness.path).hello().refusal == nil)
    }
}

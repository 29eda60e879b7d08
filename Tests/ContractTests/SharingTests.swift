import Backends
import BrokerClient
import BrokerCore
import BrokerHarness
import Configuration
import Foundation
import LinuxSystem
import SMMUv3
import Server
import Synchronization
import Systemd
import Testing
import Wire

@Suite("Sharing")
struct SharingTests {
    @Test("P30: a client that takes no reply is read no further; when it does, all is answered in order")
    func unsentReply() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let client = try RawClient(connectingTo: harness.path)
        try client.hello()
        // Too short for a request, and answered with a sentence: the replies fill their socket before long.
        var sent = 0
        while try client.send([UInt8(truncatingIfNeeded: sent)]) || waitForRoom(client, harness, sent) { sent += 1 }
        let handled = harness.table.all.first?.snapshot.counters.requests ?? 0
        #expect(sent > 10 && handled < UInt64(sent) + 1, "\(sent) sent, \(handled) handled")
        for index in 0..<sent {
            let reply = try #require(try client.receive())
            // A packet of one byte gives its type away.
            #expect(reply.count > 32, "reply \(index)")
        }
        #expect(try client.hello().refusal?.reason == .helloRepeated)
        // The last turn is published after its reply.
        #expect(eventually { harness.table.all.first?.snapshot.counters.requests == UInt64(sent) + 2 })
    }

    @Test("P30: while a reply is unsent the session's events are delivered as their owner reads them")
    func eventsBesideUnsentReply() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let guest = try Guest.translating(harness)
        let events = try guest.broker.subscribe()
        let count = 3000
        for index in 0..<count { _ = try guest.translate(EventTests.unmapped(index)) }
        var sent = 0
        while try guest.raw.send([1]) || waitForRoom(guest.raw, harness, sent) { sent += 1 }
        var (received, delivered) = (0, 0)
        while received < count, case .delivery(let delivery) = try events.next(waitingAtMost: 60_000) {
            switch delivery.content {
            case .events(let records): (received, delivered) = (received + records.count, delivered + records.count)
            // What the model's own queue had no room for.
            case .lost(let notice): received += Int(notice.count)
            default: break
            }
        }
        #expect(received == count && delivered > 1000)
    }

    /// Whether the daemon takes another packet, once it has come to rest.
    private func waitForRoom(_ client: RawClient, _ harness: BrokerHarness, _ sent: Int) throws -> Bool {
        var last: UInt64 = .max
        while let handled = harness.table.all.first?.snapshot.counters.requests, handled != last {
            last = handled
            usleep(50_000)
        }
        return try client.send([UInt8(truncatingIfNeeded: sent)])
    }

    @Test("P30: a client that is killed while a reply is unsent is gone all the same")
    func killedWithReply() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        var client: RawClient? = try RawClient(connectingTo: harness.path)
        try client?.hello()
        while try client?.send([1]) == true {}
        client = nil
        #expect(eventually { harness.table.all.isEmpty })
    }

    @Test("P31: a session whose backend blocks is shown as such, and delays no other")
    func blocked() throws {
        let gate = Gate()
        let harness = try BrokerHarness(backend: { descriptors in
            let backend = FaultyBackend(wrapping: ModelBackend(descriptors: descriptors))
            backend.observer = { call in if call == .invalidate { gate.pass() } }
            return backend
        })
        defer { harness.stop() }
        defer { gate.open() }
        let (slow, other) = (try Guest.translating(harness), try Guest.translating(harness))
        let slowID = try #require(harness.table.all.first).id
        slow.broker.timeout = 1
        // The reply does not come within a millisecond, because the backend does not return.
        #expect(throws: BrokerError.self) {
            try slow.broker.invalidate([.tlbi(.tlbiNHAll), .sync()], on: slow.vsmmu)
        }
        #expect(eventually { gate.waiting })
        #expect(harness.table.handle(slowID)?.busySince != nil)
        for _ in 0..<100 { #expect(try other.translate(0x10_0000).stage1 == .done) }
        _ = try Guest.translating(harness)
        harness.table.handle(slowID)?.order(.regrant)
    }

    /// Where a thread waits until it is let through.
    private final class Gate: Sendable {
        private let state = Mutex((waiting: false, isOpen: false))
        var waiting: Bool { state.withLock { $0.waiting } }
        func open() { state.withLock { $0.isOpen = true } }
        func pass() {
            state.withLock { $0.waiting = true }
            while !state.withLock({ $0.isOpen }) { usleep(1000) }
        }
    }

    @Test("P31: beyond MaxSessions= a client is turned away, and a line says why; one that goes makes room")
    func maximumSessions() throws {
        var configuration = Configuration.open()
        configuration.maximumSessions = 2
        let harness = try BrokerHarness(configuration)
        defer { harness.stop() }
        var first: RawClient? = try RawClient(connectingTo: harness.path)
        try first?.hello()
        let second = try RawClient(connectingTo: harness.path)
        try second.hello()
        let third = try RawClient(connectingTo: harness.path)
        #expect(isTurnedAway(third))
        first = nil
        #expect(eventually { (try? RawClient(connectingTo: harness.path).hello())?.refusal == nil })
        harness.stop()
        #expect(harness.journal.records.contains { $0.message.contains("MaxSessions=2") })
    }

    private func isTurnedAway(_ client: RawClient) -> Bool {
        do {
            _ = try client.send([1])
            return try client.receive() == nil
        } catch let error as Errno { return error == .brokenPipe || error == .connectionReset } catch { return false }
    }

    @Test("P31: the loss of a grant takes nothing away and allows nothing more; a new one counts at once")
    func regrant() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let guest = try Guest.translating(harness)
        try harness.reload("[Grant nobody]\nUser=nobody\nDevices=model\n")
        #expect(eventually { refused { try guest.broker.attach("disk0", to: guest.vsmmu, as: StreamID(9)) } })
        #expect(try guest.translate(0x10_0000).stage1 == .done)
        try harness.reload("[Grant nobody]\nUser=nobody\nDevices=model\nthis is no setting\n")
        try harness.reload("[Grant tests]\nUser=\(getuid())\nDevices=*\n")
        #expect(eventually { !refused { try guest.broker.attach("disk0", to: guest.vsmmu, as: StreamID(9)) } })
    }

    private func refused(_ body: () throws -> Void) -> Bool {
        do { try body() } catch { return (error as? BrokerError)?.reason == .notGranted }
        return false
    }
}

import BrokerClient
import BrokerCore
import BrokerHarness
import LinuxSystem
import SMMUv3
import Server
import Testing
import Wire

/// What monitors get of what they have asked for, and that nothing of it is forgotten.
@Suite struct MonitorLedgerTests {
    /// Faults of one of two sessions, vSMMUs, devices and kinds.
    private func fault(_ choice: UInt64, _ number: UInt64, count: UInt64 = 1) -> ObservedFault {
        let kind: EventID = choice & 8 == 0 ? .translation : .permission
        return ObservedFault(
            session: SessionID(1 + choice & 1), vm: "vm", vsmmu: VSMMUID(1 + UInt32(choice >> 1 & 1)),
            generation: Generation(0), sequence: EventSequence(number), record: EventRecord(kind, stream: StreamID(8)),
            device: choice & 4 == 0 ? "disk" : "net", journal: false, suppressed: 0, count: count, age: 5, span: 7)
    }

    private func monitor(_ hub: MonitorHub, _ request: AdminMonitorRequest) throws -> MonitorReceiver {
        let pair = try SeqPacketSocket.pair()
        try hub.add(SeqPacketSocket(adopting: try pair.first.fd.duplicate()), request)
        return MonitorReceiver(adopting: SeqPacketSocket(adopting: try pair.second.fd.duplicate()))
    }

    /// All that comes until the socket is closed.
    private func drain(_ receiver: MonitorReceiver) throws -> (delivered: UInt64, lost: UInt64, events: [MonitorEvent])
    {
        var (delivered, lost, all): (UInt64, UInt64, [MonitorEvent]) = (0, 0, [])
        while true {
            switch try receiver.next(waitingAtMost: 60_000) {
            case .events(let events):
                delivered += events.reduce(0) { $0 + $1.faults }
                all += events
            case .lost(let loss): lost += loss.faults
            case .notices: break
            case .nothing:
                Issue.record("nothing came")
                return (delivered, lost, all)
            case .ended: return (delivered, lost, all)
            }
        }
    }

    private static func request(_ change: (inout AdminMonitorRequest) -> Void) -> AdminMonitorRequest {
        var request = AdminMonitorRequest(flags: [.history, .notices])
        change(&request)
        return request
    }

    /// What is asked for, and which faults that is: the bits of a choice that count, and what they are.
    struct Filter: Sendable {
        let request: AdminMonitorRequest
        let mask: UInt64
        let value: UInt64
    }

    private static let allFilters: [Filter] = [
        Filter(request: request { $0.session = 2 }, mask: 1, value: 1),
        Filter(request: request { $0.vsmmu = VSMMUID(2) }, mask: 2, value: 2),
        Filter(request: request { $0.device = "net" }, mask: 4, value: 4),
        Filter(
            request: request { $0.kinds = AdminMonitorRequest.kind(EventID.permission.rawValue) }, mask: 8, value: 8),
        Filter(
            request: request {
                ($0.session, $0.vsmmu, $0.device) = (1, VSMMUID(1), "disk")
                $0.kinds = AdminMonitorRequest.kind(EventID.translation.rawValue)
            }, mask: 15, value: 0),
    ]

    @Test("Each filter leaves out what it does not name, and all together", arguments: allFilters)
    func filters(filter: Filter) throws {
        let hub = MonitorHub()
        for choice: UInt64 in 0..<16 { hub.publish(fault(choice, choice)) }
        let got = try drain(try monitor(hub, filter.request)).events.map(\.sequence.rawValue)
        let wanted = (0..<16 as Range<UInt64>).filter { $0 & filter.mask == filter.value }
        #expect(got == wanted)
        hub.stop()
    }

    @Test("A monitor of a device hears of its health, one of a vSMMU also of the session as a whole")
    func notices() throws {
        let hub = MonitorHub()
        let key = ContextKey(VSMMUID(1), StreamID(8))
        let health = try #require(ContextHealth().next(.quarantine, FaultPolicy(), at: Instant(nanoseconds: 1)))
        hub.publish(.began(vm: "vm", grant: "g"), of: SessionID(1), vm: "vm")
        hub.publish(
            .health(HealthChange(device: "disk", key: key, from: .healthy, health: health)), of: SessionID(1), vm: "vm")
        hub.publish(.detached(device: "net", vsmmu: VSMMUID(2), vsid: StreamID(9)), of: SessionID(1), vm: "vm")
        func kinds(_ request: AdminMonitorRequest) throws -> [MonitorNotice] {
            let receiver = try monitor(hub, request)
            var all: [MonitorNotice] = []
            while case .notices(let notices) = try receiver.next(waitingAtMost: 60_000) { all += notices }
            return all
        }
        let ofDevice = try kinds(Self.request { $0.device = "disk" })
        #expect(ofDevice.map(\.kind) == [.health])
        #expect(ofDevice.first?.reason == .operatorOrder && ofDevice.first?.vsid == StreamID(8))
        #expect(try kinds(Self.request { $0.vsmmu = VSMMUID(2) }).map(\.kind) == [.began, .detached])
        hub.stop()
    }

    @Test("Times of merged faults: the last was before it was told, the first before that")
    func times() throws {
        let hub = MonitorHub()
        hub.publish(fault(0, 0, count: 3))
        let got = try drain(try monitor(hub, AdminMonitorRequest(flags: .history)))
        let event = try #require(got.events.first)
        #expect(event.faults == 3 && got.delivered == 3)
        #expect(event.time - event.firstTime == 7)
        hub.stop()
    }

    @Test("I5, P28: produced is delivered and lost, for slow, dead and quick monitors in storms", arguments: 0..<4)
    func ledger(_: Int) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = Seeded(state: seed)
        let hub = MonitorHub()
        struct Watcher {
            let receiver: MonitorReceiver
            let request: AdminMonitorRequest
            var produced: UInt64 = 0
            var delivered: UInt64 = 0
            var lost: UInt64 = 0
        }
        var watchers: [Watcher] = []
        for index in 0..<4 {
            var request = AdminMonitorRequest(flags: .follow)
            if index & 1 == 1 { request.kinds = AdminMonitorRequest.kind(EventID.permission.rawValue) }
            if index & 2 == 2 { request.session = 1 }
            watchers.append(Watcher(receiver: try monitor(hub, request), request: request))
        }
        var dead: MonitorReceiver? = try monitor(hub, AdminMonitorRequest(flags: .follow))
        func take(_ index: Int, waiting: Int32) throws -> Bool {
            switch try watchers[index].receiver.next(waitingAtMost: waiting) {
            case .events(let events): watchers[index].delivered += events.reduce(0) { $0 + $1.faults }
            case .lost(let loss): watchers[index].lost += loss.faults
            case .notices: break
            case .nothing: return false
            case .ended:
                Issue.record("it ended, seed \(seed)")
                return false
            }
            return true
        }
        var number: UInt64 = 0
        for round in 0..<60 {
            // Bursts that no ring holds, and pauses.
            for _ in 0..<random.next() % 400 * (random.next() % 4) {
                let (choice, count) = (random.next() % 16, 1 + random.next() % 50)
                hub.publish(fault(choice, number, count: count))
                number += 1
                for index in watchers.indices {
                    let request = watchers[index].request
                    if request.kinds != AdminMonitorRequest.everyKind, choice & 8 == 0 { continue }
                    if request.session != nil, choice & 1 != 0 { continue }
                    watchers[index].produced += count
                }
            }
            if round == 30 { dead = nil }
            // The first never reads before the end, the second seldom.
            for index in 1..<4 where index > 1 || random.next() % 8 == 0 { _ = try take(index, waiting: 0) }
        }
        for index in watchers.indices {
            while watchers[index].delivered + watchers[index].lost < watchers[index].produced {
                if try !take(index, waiting: 60_000) { break }
            }
            let watcher = watchers[index]
            #expect(watcher.produced == watcher.delivered + watcher.lost, "seed \(seed), monitor \(index)")
        }
        #expect(watchers[0].lost > 0, "nothing was lost, so nothing was tried, seed \(seed)")
        // The hub's own books say the same, when its thread has noted what it sent last.
        #expect(eventually { hub.ledgers.monitors.allSatisfy { $0.ledger.waiting == 0 } }, "seed \(seed)")
        let books = hub.ledgers
        #expect(books.monitors.map(\.ledger.delivered) == watchers.map(\.delivered), "seed \(seed)")
        #expect(books.monitors.map(\.ledger.lost) == watchers.map(\.lost), "seed \(seed)")
        #expect(eventually { hub.count == 4 } && dead == nil)
        let ended = hub.ledgers.ended
        #expect(ended.produced == ended.delivered + ended.lost + ended.abandoned, "seed \(seed)")
        hub.stop()
    }

    private struct Seeded: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var z = state
            z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
            return z ^ (z >> 31)
        }
    }
}

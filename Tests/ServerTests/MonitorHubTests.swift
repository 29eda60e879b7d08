import BrokerClient
import BrokerCore
import BrokerHarness
import LinuxSystem
import SMMUv3
import Server
import Testing
import Wire

/// Monitors without a daemon: what is published comes out of every socket, and nobody waits for anybody.
@Suite struct MonitorHubTests {
    private func fault(_ number: UInt64, session: UInt64 = 1, vm: Name = "vm-1") -> ObservedFault {
        ObservedFault(
            session: SessionID(session), vm: vm, vsmmu: VSMMUID(1), generation: Generation(2),
            sequence: EventSequence(number), record: EventRecord(.translation, stream: StreamID(8)), device: "disk",
            journal: false, suppressed: 0)
    }

    private func monitor(_ hub: MonitorHub, _ request: AdminMonitorRequest) throws -> MonitorReceiver {
        let pair = try SeqPacketSocket.pair()
        try hub.add(SeqPacketSocket(adopting: try pair.first.fd.duplicate()), request)
        return MonitorReceiver(adopting: SeqPacketSocket(adopting: try pair.second.fd.duplicate()))
    }

    /// All that comes before the socket is closed, or `count` records.
    private func receive(_ receiver: MonitorReceiver, _ count: Int = .max) throws -> (numbers: [UInt64], lost: UInt64) {
        var (numbers, lost): ([UInt64], UInt64) = ([], 0)
        while numbers.count < count {
            switch try receiver.next(waitingAtMost: 60_000) {
            case .events(let events): numbers += events.map(\.sequence.rawValue)
            case .lost(let loss): lost += loss.faults
            case .notices: break
            case .nothing:
                Issue.record("nothing came")
                return (numbers, lost)
            case .ended: return (numbers, lost)
            }
        }
        return (numbers, lost)
    }

    @Test("An event comes with all that is known of it") func event() throws {
        let hub = MonitorHub()
        let receiver = try monitor(hub, AdminMonitorRequest(flags: .follow))
        hub.publish(fault(7))
        guard case .events(let events) = try receiver.next(waitingAtMost: 60_000), let event = events.first else {
            Issue.record("no event came")
            return
        }
        #expect(event.time > 1_600_000_000_000_000_000)
        var expected = MonitorEvent(
            sequence: EventSequence(7), time: event.time, session: 1, vsmmu: VSMMUID(1), generation: Generation(2),
            vsid: StreamID(8), vm: "vm-1", device: "disk", record: EventRecord(.translation, stream: StreamID(8)))
        #expect(events == [expected])
        expected.time = 0
        hub.stop()
        let end = try receiver.next(waitingAtMost: 60_000)
        #expect(end == .ended)
    }

    @Test("The past comes first, then what happens, without a gap and without a duplicate") func history() throws {
        let hub = MonitorHub()
        for number: UInt64 in 0..<100 { hub.publish(fault(number)) }
        let past = try receive(try monitor(hub, AdminMonitorRequest(flags: .history)))
        #expect(past.numbers == Array(0..<100))
        let receiver = try monitor(hub, AdminMonitorRequest(flags: [.history, .follow]))
        for number: UInt64 in 100..<200 { hub.publish(fault(number)) }
        let all = try receive(receiver, 200)
        #expect(all.numbers == Array(0..<200))
        #expect(all.lost == 0)
        hub.stop()
    }

    @Test("A monitor of one session hears of no other, and of notices only if it wants") func filters() throws {
        let hub = MonitorHub()
        let one = try monitor(hub, AdminMonitorRequest(session: 2, flags: .follow))
        let all = try monitor(hub, AdminMonitorRequest(flags: [.follow, .notices]))
        hub.publish(fault(1, session: 1))
        hub.publish(.attached(device: "disk", vsmmu: VSMMUID(1), vsid: StreamID(8)), of: SessionID(2), vm: "vm-2")
        hub.publish(.refused(nil, .quota, "No."), of: SessionID(2), vm: nil)
        hub.publish(fault(2, session: 2))
        let first = try receive(one, 1)
        #expect(first.numbers == [2])
        guard case .events(let events) = try all.next(waitingAtMost: 60_000) else { throw Unexpected() }
        #expect(events.map(\.session) == [1])
        guard case .notices(let notices) = try all.next(waitingAtMost: 60_000) else { throw Unexpected() }
        #expect(notices.map(\.kind) == [.attached])
        #expect(notices.first?.device == "disk")
        #expect(notices.first?.vm == "vm-2")
        hub.stop()
    }

    @Test("P28: a monitor that does not read keeps nobody waiting, and learns exactly what it missed") func slow()
        throws
    {
        let hub = MonitorHub()
        let slow = try monitor(hub, AdminMonitorRequest(flags: .follow))
        let dead = try monitor(hub, AdminMonitorRequest(flags: .follow))
        _ = consume dead
        let count: UInt64 = 20_000
        // Nobody reads meanwhile: that this ends is the point.
        for number in 0..<count { hub.publish(fault(number)) }
        let quick = try monitor(hub, AdminMonitorRequest(flags: .follow))
        hub.publish(fault(count))
        let last = try receive(quick, 1)
        #expect(last.numbers == [count])

        var (received, lost): (UInt64, UInt64) = (0, 0)
        while received + lost < count + 1 {
            switch try slow.next(waitingAtMost: 60_000) {
            case .events(let events):
                for event in events {
                    // Whatever was lost was lost right before this one.
                    #expect(event.sequence.rawValue == received + lost)
                    received += 1
                }
            case .lost(let loss): lost += loss.faults
            default: throw Unexpected()
            }
        }
        #expect(lost > 0)
        #expect(received + lost == count + 1)
        hub.stop()
    }

    @Test("There is a limit to monitors, and who ends makes room") func limit() throws {
        let hub = MonitorHub()
        var receivers: [MonitorReceiver] = []
        for _ in 0..<MonitorHub.maximumMonitors {
            receivers.append(try monitor(hub, AdminMonitorRequest(flags: .follow)))
        }
        let refusal = #expect(throws: Refusal.self) { try monitor(hub, AdminMonitorRequest(flags: .follow)) }
        #expect(refusal?.reason == .quota)
        // One that has had the past is over: its place is free as soon as its socket is closed.
        receivers.removeLast()
        #expect(eventually { hub.count < MonitorHub.maximumMonitors })
        _ = try monitor(hub, AdminMonitorRequest(flags: .follow))
        hub.stop()
    }

    struct Unexpected: Error {}
}

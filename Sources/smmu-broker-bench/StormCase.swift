import CBenchReference
import Glibc
import LinuxSystem

/// What a session notices of a storm in another session of the daemon, against the same storm through the forwarder in C,
/// which the daemon has nothing to do with: a process that writes records as fast as they are taken, one that forwards
/// them, and one that receives them. In turns; all on one processor, which is busy all the time either way.
enum StormCase: String, CaseIterable, Benchmark {
    /// Another session's COMMANDS of two CMD_SYNC.
    case request = "storm-request"
    /// Another session's event.
    case event = "storm-event"
    /// What the session with the storm does in a turn.
    case turn = "storm-turn"

    static let all: [any Benchmark] = allCases

    var name: String { rawValue }
    var what: String {
        switch self {
        case .request:
            "a request beside a storm in another session, against the same beside an unrelated process's storm"
        case .event: "an event beside a storm in another session, against the same beside an unrelated process's storm"
        case .turn: "what a session does in one turn in the middle of a storm"
        }
    }

    func measure(quick: Bool) throws -> Measurement {
        if self == .turn { return try turns(records: quick ? 200_000 : 1_000_000) }
        try Failure.check("stay on one processor", ref_pin(0))
        defer { _ = ref_pin(-1) }
        let daemon = try DaemonProcess(piped: true)
        let (memory, stormy) = (try GuestMemory(), try daemon.connect())
        try stormy.attach(DaemonProcess.device, memory)
        let sink = try daemon.openSink(1)
        let quiet = try daemon.connect()
        try quiet.attach(DaemonProcess.otherDevice, memory)
        let quietSink = try daemon.openSink(2)
        let forwarder = try ForwarderProcess(daemon.otherPipe())
        let client = try quiet.client(blocking: true)
        let script = try SocketCase.nothing(quiet.vsmmu)
        let storms: [Side: ForwardingEnds] = [
            .swift: ForwardingEnds(sink: sink.raw, events: try stormy.client(blocking: true).events),
            .reference: forwarder.ends,
        ]
        let quietEnds = ForwardingEnds(sink: quietSink.raw, events: client.events)
        var (events, operations) = ([Side: UInt64](), [Side: Int]())
        var sides: [Side: RoundTrips.Operations] = [:]
        for (side, ends) in storms {
            sides[side] = { first, times in
                let receiver = try Receiver(ends.events)
                let storm = try Storm(ends.sink)
                try receiver.wait(for: 10_000, of: "the storm's receiver")
                let before = receiver.counts.delivered
                if self == .request {
                    try script.ask(client, first, &times)
                } else {
                    try quietEnds.run(of: 1, times: &times)
                }
                events[side, default: 0] += receiver.counts.delivered - before
                operations[side, default: 0] += times.count
                withExtendedLifetime((storm, receiver)) {}
            }
        }
        var result = try RoundTrips(sides).measure(rounds: quick ? 10 : 30, requests: 5000)
        result.counts = [Side.swift, .reference].map { side in
            let perOperation = Double(events[side, default: 0]) / Double(operations[side, default: 1])
            return (side == .swift ? "events of the storm per operation" : "of the other", perOperation)
        }
        stormy.close()
        quiet.close()
        withExtendedLifetime((daemon, memory, forwarder)) {}
        return result
    }

    private func turns(records: UInt64) throws -> Measurement {
        let forwarding = try InProcessForwarding(monitors: 0)
        let before = try forwarding.turns()
        let receiver = try Receiver(forwarding.ends.events)
        let storm = try Storm(forwarding.ends.sink, records: records)
        try receiver.wait(for: records, of: "the owner")
        let turns = Double(try forwarding.turns() - before)
        let (reads, received) = (forwarding.reads.all, receiver.counts)
        withExtendedLifetime((storm, forwarding)) {}
        guard reads.records == records else {
            throw Failure.unaccounted("\(reads.records) of \(records) records were read")
        }
        var result = Measurement()
        result.counts = [
            ("turns", turns), ("records in a turn", Double(reads.records) / turns), ("at most", Double(reads.most)),
            ("packets in a turn", Double(received.packets) / turns),
        ]
        return result
    }

    func count(_ side: Side, operations: UInt64) throws { throw Failure.usage }
}

import CBenchReference
import Glibc
import LinuxSystem

/// As many events as go through one session with its owner and two monitors, against a forwarder in C with three sockets.
///
/// A process each writes into the source and reads the three sockets, on all processors that there are. An operation is
/// one event. Ends with an error unless each of the three has been given every record or a count of it.
struct FanOutCase: Benchmark {
    let name = "fan-out"
    let what = "an event of a storm, to the owner, who loses none, and to two monitors; written 128 at a time"
    private static let monitors = 2
    private static let records: UInt32 = 128

    func measure(quick: Bool) throws -> Measurement {
        let count: UInt64 = quick ? 200_000 : 1_000_000
        let daemon = try DaemonProcess(piped: true)
        let (memory, session) = (try GuestMemory(), try daemon.connect())
        try session.attach(DaemonProcess.device, memory)
        let sink = try daemon.openSink(1)
        let monitors = try (0..<Self.monitors).map { _ in try daemon.monitor() }
        let forwarder = try ForwarderProcess(daemon.otherPipe(), monitors: Self.monitors)
        var sides: [Side: FannedOut] = [
            .swift: try FannedOut(
                ForwardingEnds(
                    sink: sink.raw, events: try session.client(blocking: true).events,
                    monitors: monitors.map { $0.fd.raw }), isLossCounted: true),
            .reference: try FannedOut(forwarder.ends, isLossCounted: false),
        ]
        var times: [Side: [Double]] = [:]
        for round in 0..<(quick ? 4 : 8) {
            for side in round % 2 == 0 ? [Side.swift, .reference] : [.reference, .swift] {
                guard let time = try sides[side]?.run(count) else { continue }
                // The first round is for warming up.
                if round > 0 { times[side, default: []].append(time) }
            }
        }
        for side in sides.values { try side.check() }
        var result = try measurement(times, sides[.swift])
        session.close()
        withExtendedLifetime((daemon, memory, forwarder, monitors)) {}
        result.allocations =
            try InProcessForwarding(monitors: Self.monitors).allocations(wakeUps: 500, of: Self.records)
            / Double(Self.records)
        let wakeUps: UInt64 = quick ? 50 : 200
        result.instructions = Instructions.perOperation(name, operations: wakeUps, within: SocketCase.turns)
            .mapValues { $0 / Double(Self.records) }
        return result
    }

    private func measurement(_ times: [Side: [Double]], _ swift: FannedOut?) throws -> Measurement {
        guard let mine = times[.swift], let reference = times[.reference], let swift else { throw Failure.usage }
        var result = Measurement()
        result.nanoseconds = [.swift: median(mine), .reference: median(reference)]
        result.ratio = median(mine) / median(reference)
        result.pairs = zip(mine, reference).map { $0 / $1 }.sorted()
        result.rate = 1e9 / median(mine)
        result.counts = [
            ("events a second", 1e9 / median(mine)), ("events", Double(swift.produced)),
            ("to the owner", Double(swift.owner.counts.delivered)), ("lost", Double(swift.owner.counts.lost)),
        ]
        for (index, monitor) in swift.monitors.enumerated() {
            result.counts += [
                ("to monitor \(index + 1)", Double(monitor.counts.delivered)), ("lost", Double(monitor.counts.lost)),
            ]
        }
        return result
    }

    func count(_ side: Side, operations: UInt64) throws {
        switch side {
        case .swift: try InProcessForwarding(monitors: Self.monitors).count(operations, of: Self.records)
        case .reference: try InProcessForwarder(monitors: true).count(operations, of: Self.records)
        }
    }
}

/// A forwarder with whoever receives from it.
private struct FannedOut {
    private(set) var produced: UInt64 = 0
    let owner: Receiver
    let monitors: [Receiver]
    private let sink: Int32
    private let isLossCounted: Bool

    /// - Parameter isLossCounted: The monitors are told how much they have lost.
    init(_ ends: ForwardingEnds, isLossCounted: Bool) throws {
        (sink, self.isLossCounted) = (ends.sink, isLossCounted)
        owner = try Receiver(ends.events)
        monitors = try ends.monitors.map { try Receiver($0, ofMonitor: true) }
    }

    /// Nanoseconds an event, until the owner has the last one.
    mutating func run(_ count: UInt64) throws -> Double {
        produced += count
        let start = ref_now()
        let storm = try Storm(sink, records: count)
        let end = try owner.wait(for: produced, of: "the owner")
        withExtendedLifetime(storm) {}
        for monitor in monitors where isLossCounted { try monitor.wait(for: produced, of: "a monitor") }
        return Double(end - start) / Double(count)
    }

    func check() throws {
        try owner.check(produced, of: "the owner")
        guard owner.counts.lost == 0 else { throw Failure.unaccounted("the owner has lost \(owner.counts.lost)") }
        for monitor in monitors where isLossCounted { try monitor.check(produced, of: "a monitor") }
    }
}

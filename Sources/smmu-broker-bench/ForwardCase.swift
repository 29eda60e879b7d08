import CBenchReference
import Glibc
import LinuxSystem

/// Faults from a readable descriptor to the owner's socket, in the daemon and in a forwarder in C that counts them and
/// looks at nothing else. Both have a pipe as their source, into which the receiver writes.
///
/// An operation is one time that the source becomes readable: from before its records are written until all of them have
/// been received. All are kept on one processor, for the reasons of ``SocketCase``.
struct ForwardCase: Benchmark {
    /// At a time.
    let records: UInt32

    static let all: [any Benchmark] =
        [1, 8, 64, 128].map { ForwardCase(records: $0) } + [FanOutCase()]

    var name: String { "forward-\(records)" }
    var what: String { "\(records) records at a time, from a pipe that becomes readable to the owner's event socket" }

    func measure(quick: Bool) throws -> Measurement {
        try Failure.check("stay on one processor", ref_pin(0))
        let daemon = try DaemonProcess(piped: true)
        let (memory, session) = (try GuestMemory(), try daemon.connect())
        try session.attach(DaemonProcess.device, memory)
        let sink = try daemon.openSink(1)
        let forwarder = try ForwarderProcess(daemon.otherPipe())
        let ends = ForwardingEnds(sink: sink.raw, events: try session.client(blocking: true).events)
        let records = records
        let sides = RoundTrips([
            .swift: { try ends.run(of: records, times: &$1) },
            .reference: { try forwarder.ends.run(of: records, times: &$1) },
        ])
        var result = try sides.measure(rounds: quick ? 10 : 41, requests: 1000)
        session.close()
        withExtendedLifetime((daemon, memory, forwarder)) {}
        try Failure.check("leave the one processor", ref_pin(-1))
        result.allocations = try InProcessForwarding(monitors: 0).allocations(wakeUps: 1000, of: records)
        result.instructions = Instructions.perOperation(
            name, operations: quick ? 500 : 1000, within: SocketCase.turns)
        return result
    }

    func count(_ side: Side, operations: UInt64) throws {
        switch side {
        case .swift: try InProcessForwarding(monitors: 0).count(operations, of: records)
        case .reference: try InProcessForwarder(monitors: false).count(operations, of: records)
        }
    }
}

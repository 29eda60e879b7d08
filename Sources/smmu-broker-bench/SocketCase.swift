import CBenchReference
import SMMUv3
import Wire

/// Requests to the daemon against packets of the same sizes to an echo server in C, from the same client.
///
/// Client and servers are kept on one processor: what is compared is the work of the two servers, and waking a sleeping
/// processor costs more than that and varies more. An operation is one request, from before it is sent until its reply
/// has been received, and the event that it causes.
struct SocketCase: Benchmark {
    let name: String
    let what: String
    /// Requests of one round; nil: the script once.
    var requests: Int?
    /// Requests that are counted under callgrind.
    var counted = 2000
    /// Every TRANSLATE faults.
    var faults = false
    let makeScript: @Sendable (VSMMUID) throws -> Script

    static let all =
        [
            SocketCase(
                name: "request-64", what: "COMMANDS of two CMD_SYNC: 56 bytes that ask for nothing; reply 32",
                makeScript: nothing),
            SocketCase(name: "translate", what: "TRANSLATE, a TLB hit: 48 bytes, reply \(AccessReply.byteCount)") {
                var script = Script()
                script.appendTranslate(GuestMemory.mapped, of: BrokerSession.vsid, on: $0)
                return script
            },
            commands(1, requests: 2000), commands(64, requests: 1000), commands(1024, requests: 100),
            SocketCase(
                name: "fault-event", what: "TRANSLATE that faults, until its event is received on the event socket",
                faults: true
            ) {
                var script = Script()
                script.appendTranslate(GuestMemory.unmapped, of: BrokerSession.vsid, on: $0, faults: true)
                return script
            },
        ] + CapturePhase.allCases.map(\.benchmark)

    /// A request that asks for nothing.
    @Sendable static func nothing(_ vsmmu: VSMMUID) throws -> Script {
        var script = Script()
        script.append([.sync(), .sync()], on: vsmmu)
        return script
    }

    private static func commands(_ count: Int, requests: Int) -> SocketCase {
        SocketCase(
            name: "commands-\(count)", what: "COMMANDS of \(count) TLBI_NH_VA: \(24 + 16 * count) bytes, reply 32",
            requests: requests, counted: 200_000 / (100 + 20 * count)
        ) {
            var script = Script()
            for packet in 0..<16 {
                let addresses = (0..<count).map { UInt64(packet * count + $0) << 12 | 1 << 40 }
                script.append(
                    addresses.map { .tlbi(.tlbiNHVA, asid: GuestMemory.asid, address: $0, leaf: true) }, on: $0)
            }
            return script
        }
    }
}

extension SocketCase {
    func measure(quick: Bool) throws -> Measurement {
        // Before the daemon is started, which is to be on the same processor.
        try Failure.check("stay on one processor", ref_pin(0))
        let daemon = try DaemonProcess()
        let memory = try GuestMemory()
        let session = try daemon.connect()
        try session.attach(DaemonProcess.device, memory)
        let script = try makeScript(session.vsmmu)
        let echo = try EchoProcess(events: faults)
        let sides = try RoundTrips(script, [.swift: session.client(blocking: true), .reference: echo.client])
        var result = try sides.measure(rounds: quick ? 10 : 41, requests: requests ?? script.packets.count)
        try Failure.check("leave the one processor", ref_pin(-1))
        result.allocations = try InProcessBroker(self).allocations(requests: 1000)
        result.instructions = Instructions.perOperation(
            name, operations: UInt64(quick ? max(counted / 2, 1) : counted), within: Self.turns)
        return result
    }

    /// A server's turn, by side: the client and what starts both is not counted. `EventLoop.run`, as the linker knows it.
    static let turns: [Side: String] = [.swift: "$s9EventLoopAAC3runyy*", .reference: "ref_counted"]

    func count(_ side: Side, operations: UInt64) throws {
        switch side {
        case .swift: try InProcessBroker(self).run(operations)
        case .reference: try InProcessEcho(self).run(operations)
        }
    }
}

import CBenchReference
import Glibc

/// What a benchmark has of a forwarder: where records go in, and where they come out.
struct ForwardingEnds: Sendable {
    /// Of a pipe; writing waits.
    var sink: Int32
    /// The owner's event socket.
    var events: Int32
    var monitors: [Int32] = []

    /// Makes the source readable so many times, with so many records each; goes on when all have come out everywhere.
    ///
    /// - Parameter turn: Does what there is to do, where the forwarder shares the thread: nobody waits then.
    func run(_ wakeUps: UInt64, of records: UInt32, turn: () throws -> Void = {}) throws {
        for _ in 0..<wakeUps {
            try Failure.check("write records", ref_forward_write(sink, records))
            try Self.await(records, turn) { unsafe ref_forward_receive(events, &$0) }
            for monitor in monitors { try Self.await(records, turn) { unsafe ref_monitor_receive(monitor, &$0) } }
        }
    }

    private static func await(
        _ records: UInt32, _ turn: () throws -> Void, _ receive: (inout UInt32) -> Int32
    ) throws {
        var received: UInt32 = 0
        while received < records {
            let status = receive(&received)
            if status == -EAGAIN { try turn() } else { try Failure.check("receive records", status) }
        }
    }

    /// The same with the time of each, without monitors.
    func run(of records: UInt32, times: inout [UInt32]) throws {
        let status = unsafe ref_forward_run(sink, events, records, UInt64(times.count), &times)
        try Failure.check("receive what was forwarded", status)
    }
}

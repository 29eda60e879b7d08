import CBenchReference
import Glibc

/// A process that receives what comes out of a socket, and counts it.
@safe final class Receiver {
    private let receiver: OpaquePointer

    init(_ socket: Int32, ofMonitor: Bool = false) throws {
        guard let started = unsafe ref_receiver_start(socket, ofMonitor) else {
            throw Failure.system("start a receiver", errno)
        }
        unsafe receiver = started
    }

    deinit { unsafe ref_receiver_end(receiver) }

    var counts: ref_received { unsafe ref_receiver_counts(receiver) }

    /// Waits until so many records are accounted for; when that was, or an error after a while.
    @discardableResult
    func wait(for records: UInt64, of whom: String) throws -> UInt64 {
        let time = unsafe ref_receiver_wait(receiver, records, 60_000)
        if time > 0 { return time }
        throw Failure.unaccounted("\(whom) has \(counts.delivered) records and \(counts.lost) lost, of \(records)")
    }

    /// Every record is there or counted as lost, none twice, and those that are there in order.
    func check(_ records: UInt64, of whom: String) throws {
        let counts = counts
        guard counts.wrong == 0, counts.delivered + counts.lost == records else {
            throw Failure.unaccounted(
                "\(whom) has \(counts.delivered) records and \(counts.lost) lost, of \(records); \(counts.wrong) packets "
                    + "are not the next in order")
        }
    }
}

/// A process that writes records as fast as a pipe takes them.
final class Storm {
    let pid: Int32

    /// - Parameter records: nil: for ever.
    init(_ sink: Int32, records: UInt64? = nil) throws {
        pid = ref_storm_start(sink, records ?? 0)
        try Failure.check("start a storm", pid)
    }

    deinit { _ = ref_end(pid, SIGKILL) }
}

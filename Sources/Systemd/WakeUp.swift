package import LinuxSystem
import Synchronization

/// Wakes one thread that waits.
///
/// However often it is woken before it looks, it costs one system call.
package final class WakeUp: Sendable {
    private let event: EventFD
    private let epoll: Epoll
    private let isSet = Atomic(false)

    package init() throws(Errno) {
        event = try EventFD()
        epoll = try Epoll()
        try epoll.add(event.fd.raw, .readable, data: 0)
    }

    /// Never blocks. What was done before it is seen by whoever ``wait(until:)`` wakes.
    package func set() {
        if isSet.exchange(true, ordering: .acquiringAndReleasing) { return }
        do { try event.signal() } catch { preconditionFailure("an eventfd of our own cannot be written: \(error)") }
    }

    /// Waits until somebody has called ``set()`` since the last time; false when `deadline` comes first.
    package func wait(until deadline: MonotonicTime? = nil) -> Bool {
        var batch = Epoll.emptyBatch
        while true {
            let left = deadline.map { Self.milliseconds(until: $0) }
            do {
                let count = try epoll.wait(&batch, milliseconds: left)
                if count > 0 {
                    try event.take()
                    _ = isSet.exchange(false, ordering: .acquiringAndReleasing)
                    return true
                }
            } catch { preconditionFailure("an eventfd of our own cannot be waited for: \(error)") }
            if left == 0 { return false }
        }
    }

    /// Rounded up, so that the deadline has passed when this is 0.
    private static func milliseconds(until deadline: MonotonicTime) -> Int32 {
        let now = MonotonicTime.now
        guard now < deadline else { return 0 }
        return Int32(clamping: (deadline.nanoseconds - now.nanoseconds - 1) / 1_000_000 + 1)
    }
}

import LinuxSystem
import Synchronization

/// Hands work to a loop from any thread. The poster never waits for it to be done.
package final class LoopPoster: Sendable {
    package typealias Work = @Sendable (EventLoop) -> Void

    private let eventFD: EventFD
    private let queue = Mutex<[Work]>([])

    init() throws(Errno) { eventFD = try EventFD() }

    var descriptor: Int32 { eventFD.fd.raw }

    /// Has `work` done in the loop's thread, after what was posted before it.
    package func post(_ work: @escaping Work) {
        let wasEmpty = queue.withLock { queue in
            queue.append(work)
            return queue.count == 1
        }
        // A queue with something in it has been signalled, and not yet been taken.
        if wasEmpty { wake() }
    }

    /// Ends ``EventLoop/run()`` after the turn in hand.
    package func stop() { post { loop in loop.stop() } }

    private func wake() {
        do { try eventFD.signal() } catch { preconditionFailure("an eventfd of our own cannot be written: \(error)") }
    }

    func clear() {
        do { try eventFD.take() } catch { preconditionFailure("an eventfd of our own cannot be read: \(error)") }
    }

    /// Gives all that has been posted for an empty list, whose memory what comes next has.
    func takeAll(for empty: inout [Work]) { queue.withLock { queue in swap(&queue, &empty) } }
}

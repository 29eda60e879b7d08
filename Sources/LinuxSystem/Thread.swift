import CLinux

/// A thread of its own, with a name and a small stack.
///
/// It inherits the signal mask of whoever starts it. One that is dropped without ``join()`` runs on by itself.
package struct Thread: ~Copyable, Sendable {
    private let handle: UInt64

    private init(handle: UInt64) { self.handle = handle }

    deinit { clinux_thread_detach(handle) }

    /// Starts a thread that runs `body` and ends.
    ///
    /// - Parameters:
    ///   - name: What the system shows of it; 15 bytes count.
    ///   - stackSize: Bytes, at least the system's minimum. Only what is touched takes memory.
    package static func start(
        name: String, stackSize: Int, _ body: @escaping @Sendable () -> Void
    ) throws(Errno) -> Thread {
        // SAFETY: the thread takes this reference over; it is given back here when there is no thread.
        let box = unsafe Unmanaged.passRetained(Body(body))
        var handle: UInt64 = 0
        let status = unsafe name.withCString { name in
            unsafe clinux_thread_start(name, max(stackSize, 0), enter, box.toOpaque(), &handle)
        }
        if status < 0 { unsafe box.release() }
        try Errno.check(status)
        return Thread(handle: handle)
    }

    /// Waits for its end.
    package consuming func join() {
        let handle = handle
        discard self
        let status = clinux_thread_join(handle)
        precondition(status == 0, "a thread waits for its own end: \(Errno(-status))")
    }

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Where the new thread begins: takes over the reference that `start` made for it.
    private static let enter: @convention(c) (UnsafeMutableRawPointer?) -> Void = { context in
        guard let context = unsafe context else { return }
        // SAFETY: `start` passed exactly this, retained, and each thread begins once.
        let body = unsafe Unmanaged<Body>.fromOpaque(context).takeRetainedValue()
        body.run()
    }
}

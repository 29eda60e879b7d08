import EventLoop
import LinuxSystem

/// A watched descriptor and what is done when it is ready, until this is dropped: before the descriptor is closed.
final class Watch {
    /// What the loop keeps alive; it knows nothing of the registration, so that dropping the watch ends both.
    private final class Handler: EventHandler {
        private let body: (Readiness) -> Void
        init(_ body: @escaping (Readiness) -> Void) { self.body = body }
        func handle(_ readiness: Readiness, on loop: EventLoop) { body(readiness) }
    }

    private let registration: Registration
    private var awaited: Readiness

    init(
        _ descriptor: Int32, for readiness: Readiness, on loop: EventLoop, _ body: @escaping (Readiness) -> Void
    ) throws(Errno) {
        registration = try loop.register(descriptor, for: readiness, Handler(body))
        awaited = readiness
    }

    /// Waits for something else from now on; for nothing, only a hang-up or an error is reported.
    func wait(for readiness: Readiness) {
        if readiness == awaited { return }
        // Changing what is in the set already takes no memory of the kernel's: it fails for a descriptor that is not.
        do { try registration.wait(for: readiness) } catch {
            preconditionFailure("a watched descriptor is lost: \(error)")
        }
        awaited = readiness
    }
}

package import EventLoop
package import LinuxSystem

/// What signals and operators ask of the daemon.
package enum DaemonOrder: Sendable {
    /// SIGHUP.
    case reload
    /// SIGTERM, SIGINT.
    case stop
}

extension LoopPoster {
    /// Has the daemon whose loop this reaches do something. Nobody waits for it.
    package func order(_ order: DaemonOrder) {
        post { loop in
            if let daemon = loop.owner as? Daemon { daemon.obey(order) }
        }
    }
}

extension Daemon {
    func obey(_ order: DaemonOrder) {
        switch order {
        case .reload: reload()
        case .stop: stop()
        }
    }
}

/// The signals that a daemon obeys, as orders.
final class SignalWatch {
    /// SIGHUP, SIGINT, SIGTERM: to be blocked before there is a second thread.
    static let signals: [Int32] = [1, 2, 15]

    private var watch: Watch?
    private let signals: SignalFD

    init(_ signals: consuming SignalFD, on loop: EventLoop, _ order: @escaping (DaemonOrder) -> Void) throws(Errno) {
        let descriptor = signals.fd.raw
        self.signals = signals
        watch = try Watch(descriptor, for: .readable, on: loop) { [unowned self] _ in take(order) }
    }

    private func take(_ order: (DaemonOrder) -> Void) {
        do throws(Errno) {
            while let signal = try signals.take() { order(signal == 1 ? .reload : .stop) }
        } catch {
            // Nothing but a descriptor that is none can be the reason.
            preconditionFailure("a signalfd of our own cannot be read: \(error)")
        }
    }
}

extension SignalFD {
    /// Blocks the signals that a daemon obeys and reports them. To be made before there is another thread.
    package static func forDaemon() throws(Errno) -> SignalFD { try SignalFD(SignalWatch.signals) }
}

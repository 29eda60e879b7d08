import EventLoop
import LinuxSystem

/// A listening socket that nothing ends: not a peer that is gone before it was accepted, and not a process that has no
/// descriptor left. For that case one is held in reserve, to accept the connection and close it: otherwise it would stay
/// ready for ever, and the client would wait as long.
final class Acceptor {
    private enum Outcome { case accepted, nobody, failed }

    /// Connections of one turn; those of other sockets have theirs in between.
    private static let connectionsInTurn = 16
    /// How long nobody is accepted after the host had no room.
    private static let pauseMilliseconds: UInt64 = 100

    private var watch: Watch?
    private let listener: SeqPacketListener
    private let loop: EventLoop
    private var reserve: OwnedFD?
    private let connected: (consuming SeqPacketSocket) -> Void
    private let failed: (Errno) -> Void

    /// - Parameters:
    ///   - connected: Takes over each connection.
    ///   - failed: Hears of each that could not be accepted, and why.
    init(
        _ listener: consuming SeqPacketListener, on loop: EventLoop,
        connected: @escaping (consuming SeqPacketSocket) -> Void, failed: @escaping (Errno) -> Void
    ) throws(Errno) {
        (self.loop, self.connected, self.failed) = (loop, connected, failed)
        let descriptor = listener.fd.raw
        self.listener = listener
        reserve = try OwnedFD.null()
        watch = try Watch(descriptor, for: .readable, on: loop) { [unowned self] _ in ready() }
    }

    private func ready() {
        for _ in 0..<Self.connectionsInTurn {
            switch accept() {
            case .accepted: continue
            case .nobody: return
            case .failed: return pause()
            }
        }
    }

    private func accept() -> Outcome {
        do throws(Errno) {
            guard let socket = try listener.accept() else { return .nobody }
            connected(socket)
            return .accepted
        } catch {
            failed(error)
            switch error {
            case .connectionAborted, .interrupted, .protocolError: return .accepted
            case .noDescriptors, .noSystemDescriptors: return turnAway() ? .accepted : .failed
            default: return .failed
            }
        }
    }

    /// Accepts a connection with the reserve and closes it; false when somebody else was faster.
    private func turnAway() -> Bool {
        reserve = nil
        var done = false
        do throws(Errno) {
            // Dropping it closes it.
            _ = try listener.accept()
            done = true
            reserve = try OwnedFD.null()
        } catch {}
        return done && reserve != nil
    }

    private func pause() {
        watch?.wait(for: [])
        let deadline = loop.now.advanced(byMilliseconds: Self.pauseMilliseconds)
        _ = loop.schedule(at: deadline) { [weak self] _ in self?.resume() }
    }

    private func resume() {
        if reserve == nil {
            do throws(Errno) { reserve = try OwnedFD.null() } catch { return pause() }
        }
        watch?.wait(for: .readable)
    }
}

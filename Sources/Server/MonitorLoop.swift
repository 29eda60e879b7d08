import EventLoop
import LinuxSystem
import Wire

/// The monitors' own loop: sends each what is there for it, as far as its socket takes it. For its thread.
final class MonitorLoop {
    let loop: EventLoop
    private let hub: MonitorHub
    private var monitors: [UInt64: Monitor] = [:]
    private var batch = MonitorBatch()

    init(_ hub: MonitorHub) throws(Errno) {
        self.hub = hub
        loop = try EventLoop()
        loop.owner = self
    }

    /// Serves newcomers, and everybody for whom there is something.
    func pumpAll() {
        for newcomer in hub.takeNewcomers() { welcome(newcomer) }
        for monitor in monitors.values { pump(monitor) }
    }

    private func welcome(_ newcomer: Newcomer) {
        guard let socket = newcomer.take() else { return }
        let id = newcomer.id
        do throws(Errno) {
            monitors[id] = try Monitor(id, socket, on: loop) { [unowned self] readiness in ready(id, readiness) }
        } catch {
            // Its socket is closed, which says it.
            hub.remove(id)
        }
    }

    private func ready(_ id: UInt64, _ readiness: Readiness) {
        guard let monitor = monitors[id] else { return }
        if readiness.contains(.hangup) || readiness.contains(.error) { return end(monitor) }
        pump(monitor)
    }

    private func pump(_ monitor: Monitor) {
        do throws(Errno) {
            // What is left after a few packets waits for the next turn, when all others have had theirs.
            for _ in 0..<Self.packetsInTurn {
                if !monitor.hasUnsent {
                    switch hub.take(for: monitor.id, into: &batch) {
                    case .something: monitor.prepare(batch)
                    case .nothing: return monitor.wait(forRoom: false)
                    case .ended: return end(monitor)
                    }
                }
                if try !monitor.send() { break }
                hub.noteDelivered(monitor.takeSent(), to: monitor.id)
            }
            monitor.wait(forRoom: true)
        } catch {
            end(monitor)
        }
    }

    private static let packetsInTurn = 4

    private func end(_ monitor: Monitor) {
        hub.remove(monitor.id)
        monitors[monitor.id] = nil
    }
}

/// One monitor: its socket, and the packet that it has no room for yet.
private final class Monitor {
    let id: UInt64
    private var watch: Watch?
    private let socket: SeqPacketSocket
    private let packet: PrivatePages
    private var unsent = 0
    /// Faults in the packet that was prepared last.
    private var faults: UInt64 = 0
    private var sequence: UInt64 = 0

    init(
        _ id: UInt64, _ socket: consuming SeqPacketSocket, on loop: EventLoop,
        _ ready: @escaping (Readiness) -> Void
    ) throws(Errno) {
        packet = try PrivatePages(count: MonitorMessage.byteCount + AdminLimits.records * MonitorEvent.byteCount)
        self.id = id
        let descriptor = socket.fd.raw
        self.socket = socket
        watch = try Watch(descriptor, for: [], on: loop, ready)
    }

    var hasUnsent: Bool { unsent > 0 }

    func prepare(_ batch: MonitorBatch) {
        sequence += 1
        faults = batch.faults
        unsent = packet.write { bytes in batch.encode(sequence, into: &bytes) }
    }

    /// False when the monitor has to read others first.
    func send() throws(Errno) -> Bool {
        let sent = try packet.read(unsent) { bytes throws(Errno) in try socket.send(bytes) }
        if sent { unsent = 0 }
        return sent
    }

    /// How many faults the packet stood for that has been sent.
    func takeSent() -> UInt64 {
        defer { faults = 0 }
        return faults
    }

    /// Without waiting for room only the end of the monitor is reported.
    func wait(forRoom: Bool) { watch?.wait(for: forRoom ? .writable : []) }
}

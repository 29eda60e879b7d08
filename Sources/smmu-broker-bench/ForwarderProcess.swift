import CBenchReference
import Glibc
import LinuxSystem
import Wire

/// The forwarder in C, in a process of its own, with a pipe and sockets of its own; receiving from them waits.
final class ForwarderProcess {
    let ends: ForwardingEnds
    private let pid: Int32
    private let pipe: Pipe
    private let sockets: [SocketPair]

    /// - Parameter pipe: Of the same kind as the daemon's that it is compared with.
    init(_ pipe: Pipe, monitors: Int = 0) throws {
        self.pipe = pipe
        sockets = try (0..<1 + monitors).map { _ in try SocketPair() }
        let theirs = sockets.map { $0.theirs.raw } + [-1, -1]
        ends = ForwardingEnds(
            sink: pipe.sink.raw, events: sockets[0].ours.raw, monitors: sockets.dropFirst().map { $0.ours.raw })
        pid = ref_forwarder_start(pipe.source.raw, theirs[0], theirs[1], theirs[2], UInt32(MonitorEvent.byteCount))
        try Failure.check("start the forwarder", pid)
    }

    deinit { _ = ref_end(pid, SIGKILL) }
}

/// Two sockets connected to each other, neither of which is non-blocking: the forwarder says for each packet whether it
/// waits.
private final class SocketPair {
    let ours: OwnedFD
    let theirs: OwnedFD

    init() throws {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        try Failure.check("make sockets", unsafe socketpair(AF_UNIX, type, 0, &ends) < 0 ? -errno : 0)
        ours = OwnedFD(adopting: ends[0])
        theirs = OwnedFD(adopting: ends[1])
    }
}

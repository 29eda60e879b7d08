import Glibc
import LinuxSystem

/// A pipe that stands for a source of events: who reads does not wait, who writes does.
final class Pipe {
    let source: OwnedFD
    let sink: OwnedFD

    init() throws {
        var ends: [Int32] = [-1, -1]
        try Failure.check("make a pipe", unsafe pipe(&ends) < 0 ? -errno : 0)
        source = OwnedFD(adopting: ends[0])
        sink = OwnedFD(adopting: ends[1])
        try Failure.check("make a pipe", fcntl(source.raw, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0)
    }

    /// Both ends of a pipe that has a name. Writing to it costs a little more than to one that has none.
    init(named path: String) throws {
        source = try PipedDaemon.openPipe(path, O_RDONLY | O_NONBLOCK)
        sink = try PipedDaemon.openPipe(path, O_WRONLY)
    }
}

import CBenchReference
import Glibc
import LinuxSystem

/// smmu-brokerd of the same build, with a configuration and a socket of its own.
final class DaemonProcess {
    /// A model device of the configuration, and another.
    static let device = "disk0"
    static let otherDevice = "model"
    /// The last one is for whoever is compared with the daemon.
    private static let pipes = ["events-1", "events-2", "events-0"]
    let pid: Int32
    private let directory: String
    private var socketPath: String { directory + "/client.sock" }

    /// - Parameter piped: The daemon is a ``PipedDaemon``, which is in this program.
    init(piped: Bool = false) throws {
        directory = try Self.temporaryDirectory()
        let configuration = directory + "/smmu-broker.conf"
        try Self.write(Self.configuration(directory), to: configuration)
        if piped {
            for name in Self.pipes {
                try Failure.check("make a pipe", unsafe mkfifo("\(directory)/\(name)", 0o600) < 0 ? -errno : 0)
            }
        }
        let program = try Self.program(piped ? nil : "smmu-brokerd")
        pid =
            unsafe piped
            ? ref_spawn(program, "--piped-daemon", directory) : ref_spawn(program, "--config", configuration)
        try Failure.check("start \(program)", pid)
        for _ in 0..<500 {
            if let _ = try? SeqPacketSocket(connectingTo: socketPath) { return }
            usleep(10_000)
        }
        throw Failure.noDaemon("\(program) does not listen on \(socketPath)")
    }

    deinit {
        _ = ref_end(pid, SIGTERM)
        for name in ["client.sock", "admin.sock", "smmu-broker.conf"] + Self.pipes {
            unsafe unlink(directory + "/" + name)
        }
        unsafe rmdir(directory)
    }

    /// A session after HELLO.
    func connect() throws -> BrokerSession {
        try BrokerSession(try SeqPacketSocket(connectingTo: socketPath))
    }

    /// Where the events of vSMMU `number` of all that there have been are written to, once that vSMMU is there. To be kept
    /// until its session has ended.
    func openSink(_ number: Int) throws -> OwnedFD {
        try PipedDaemon.openPipe("\(directory)/events-\(number)", O_WRONLY)
    }

    /// A pipe like the daemon's, which it does not use.
    func otherPipe() throws -> Pipe { try Pipe(named: "\(directory)/events-0") }

    func monitor() throws -> MonitorSocket { try MonitorSocket(askingAt: directory + "/admin.sock") }

    private static func configuration(_ directory: String) -> String {
        """
        [Broker]
        ClientSocket=\(directory)/client.sock
        AdminSocket=\(directory)/admin.sock
        [Grant bench]
        User=\(getuid())
        Devices=\(device) \(otherDevice) \(otherDevice):*
        """
    }

    /// The path of a program of this build; nil: of this one.
    private static func program(_ name: String?) throws -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        guard count > 0 else { throw Failure.system("read /proc/self/exe", errno) }
        let path = String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let name else { return path }
        let directory = path[..<(path.lastIndex(of: "/") ?? path.startIndex)]
        let program = directory + "/" + name
        guard unsafe access(String(program), X_OK) == 0 else { throw Failure.noDaemon("build \(program) first") }
        return String(program)
    }

    private static func temporaryDirectory() throws -> String {
        var template = Array("/tmp/smmu-broker-bench.XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw Failure.system("make a directory in /tmp", errno) }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func write(_ text: String, to path: String) throws {
        guard let file = unsafe fopen(path, "w") else { throw Failure.cannotWrite(path) }
        let written = unsafe fputs(text, file)
        guard unsafe fclose(file) == 0, written >= 0 else { throw Failure.cannotWrite(path) }
    }
}

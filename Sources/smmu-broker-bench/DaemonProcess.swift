import CBenchReference
import Glibc
import LinuxSystem

/// smmu-brokerd of the same build, with a configuration and a socket of its own.
final class DaemonProcess {
    /// A model device of the configuration.
    static let device = "disk0"
    let pid: Int32
    private let directory: String
    private var socketPath: String { directory + "/client.sock" }

    init() throws {
        directory = try Self.temporaryDirectory()
        let configuration = directory + "/smmu-broker.conf"
        try Self.write(Self.configuration(directory), to: configuration)
        let program = try Self.program()
        pid = unsafe ref_spawn(program, "--config", configuration)
        try Failure.check("start \(program)", pid)
        for _ in 0..<500 {
            if let _ = try? SeqPacketSocket(connectingTo: socketPath) { return }
            usleep(10_000)
        }
        throw Failure.noDaemon("\(program) does not listen on \(socketPath)")
    }

    deinit {
        _ = ref_end(pid, SIGTERM)
        for name in ["client.sock", "admin.sock", "smmu-broker.conf"] { unsafe unlink(directory + "/" + name) }
        unsafe rmdir(directory)
    }

    /// A session after HELLO.
    func connect() throws -> BrokerSession {
        try BrokerSession(try SeqPacketSocket(connectingTo: socketPath))
    }

    private static func configuration(_ directory: String) -> String {
        """
        [Broker]
        ClientSocket=\(directory)/client.sock
        AdminSocket=\(directory)/admin.sock
        [Grant bench]
        User=\(getuid())
        Devices=\(device)
        """
    }

    private static func program() throws -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        guard count > 0 else { throw Failure.system("read /proc/self/exe", errno) }
        let path = String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let directory = path[..<(path.lastIndex(of: "/") ?? path.startIndex)]
        let program = directory + "/smmu-brokerd"
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

import BrokerClient
import Foundation
import LinuxSystem
import SMMUv3
import Testing
import Wire

@Suite("smmu-brokerd as a process")
struct DaemonTests {
    static let vm = name("vm")
    static let disk = name("disk0")

    private static func name(_ text: String) -> Name {
        guard let name = Name(text) else { preconditionFailure("'\(text)' is no name") }
        return name
    }

    // MARK: Arguments

    struct Invocation: Sendable, CustomTestStringConvertible {
        var arguments: String
        var status: Int32
        var output: String
        var testDescription: String { arguments }
    }

    @Test(
        "Arguments: the exit status says whose fault it is",
        arguments: [
            Invocation(arguments: "--help", status: 0, output: "Usage: smmu-brokerd"),
            Invocation(arguments: "--version", status: 0, output: "smmu-brokerd "),
            Invocation(arguments: "--check-config", status: 0, output: "broker.conf: OK"),
            Invocation(arguments: "--bogus", status: 2, output: "there is no option '--bogus'"),
            Invocation(arguments: "--config", status: 2, output: "comes twice"),
            Invocation(arguments: "--help=yes", status: 2, output: "takes no value"),
            Invocation(arguments: "extra", status: 2, output: "'extra' is not an option"),
        ])
    func arguments(_ invocation: Invocation) throws {
        let daemon = try DaemonProcess()
        try daemon.start(arguments: invocation.arguments + (invocation.arguments == "--config" ? " twice" : ""))
        #expect(try daemon.wait() == invocation.status)
        #expect(daemon.output.contains(invocation.output), "\(daemon.output)")
    }

    @Test(
        "A configuration with errors is shown with file and line, by --check-config and at the start",
        arguments: [("--check-config", 1), ("", 78)])
    func brokenConfiguration(_ argument: String, status: Int32) throws {
        let daemon = try DaemonProcess("[Grant tests]\nMaxMemory=much\n")
        try daemon.start(arguments: argument)
        #expect(try daemon.wait() == status)
        #expect(daemon.output.contains("broker.conf:5: error:"), "\(daemon.output)")
    }

    @Test("A socket on which another daemon listens is not taken away")
    func twice() throws {
        let daemon = try DaemonProcess()
        try daemon.serve()
        let other = try DaemonProcess()
        try FileManager.default.removeItem(atPath: other.configuration)
        try FileManager.default.copyItem(atPath: daemon.configuration, toPath: other.configuration)
        try other.start()
        #expect(try other.wait() == 1)
        #expect(other.output.contains("another daemon"), "\(other.output)")
        _ = try BrokerConnection(connectingTo: daemon.socket).hello(Self.vm)
    }

    // MARK: Life

    @Test("SIGTERM and SIGINT end it with status 0, sessions and all", arguments: [SIGTERM, SIGINT])
    func stop(_ signal: Int32) throws {
        let daemon = try DaemonProcess()
        try daemon.serve()
        let client = try connected(daemon)
        daemon.kill(signal)
        #expect(try daemon.wait() == 0)
        #expect(throws: BrokerError.self) { _ = try client.createVSMMU(on: Self.disk) }
        #expect(daemon.output.contains("session"), "\(daemon.output)")
    }

    @Test("SIGHUP with a broken file keeps the old configuration and says why; with a good one it counts at once")
    func reload() throws {
        let daemon = try DaemonProcess("")
        try daemon.serve()
        #expect(throws: BrokerError.self) { _ = try connected(daemon) }
        try daemon.configure(DaemonProcess.grant + "MaxMemory=much\n")
        daemon.kill(SIGHUP)
        #expect(soon { daemon.output.contains("broker.conf:7: error:") }, "\(daemon.output)")
        #expect(throws: BrokerError.self) { _ = try connected(daemon) }
        try daemon.configure(DaemonProcess.grant)
        daemon.kill(SIGHUP)
        #expect(soon { (try? connected(daemon)) != nil })
        #expect(daemon.isRunning)
    }

    @Test("The service manager is told when it is ready, when it reloads, and when it stops; and that it is alive")
    func notifications() throws {
        let daemon = try DaemonProcess()
        let path = "\(daemon.directory)/notify"
        let manager = try Script(Self.serviceManager, arguments: [path])
        #expect(manager.says("listening"))
        try daemon.serve(environment: ["NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"])
        #expect(manager.says("READY=1"))
        #expect(manager.says("WATCHDOG=1"))
        daemon.kill(SIGHUP)
        #expect(manager.says("RELOADING=1") && manager.says("MONOTONIC_USEC="))
        #expect(soon { manager.output.components(separatedBy: "READY=1").count == 3 })
        daemon.kill(SIGTERM)
        #expect(manager.says("STOPPING=1"))
        #expect(try daemon.wait() == 0)
    }

    private static let serviceManager = """
        import socket, sys
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.bind(sys.argv[1])
        print("listening")
        while True: print(s.recv(4096).decode())
        """

    @Test("Sockets of the service manager are served, by their names")
    func activation() throws {
        let daemon = try DaemonProcess()
        let paths = ["\(daemon.directory)/by-admin", "\(daemon.directory)/by-client"]
        let manager = try Script(
            Self.activator, arguments: paths + [DaemonProcess.executable, daemon.configuration])
        #expect(soon { (try? BrokerConnection(connectingTo: paths[1]).hello(Self.vm)) != nil }, "\(manager.output)")
        #expect(!FileManager.default.fileExists(atPath: daemon.socket), "it made one of its own beside it")
    }

    /// Listens on both paths, as descriptors 3 and 4, and becomes the daemon.
    private static let activator = """
        import os, socket, sys
        for number, path in enumerate(sys.argv[1:3]):
            s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            s.bind(path); s.listen(8)
            os.dup2(s.detach(), 3 + number)
            os.set_inheritable(3 + number, True)
        os.environ.update(LISTEN_FDS="2", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="admin:client")
        os.execv(sys.argv[3], [sys.argv[3], "--config", sys.argv[4]])
        """

    // MARK: What clients do to it

    @Test("P24: a VMM that is killed leaves nothing behind in the daemon")
    func killedClient() throws {
        let daemon = try DaemonProcess()
        try daemon.serve()
        let name = "killed-\(UUID().uuidString)"
        let client = try Script(Self.mappingClient, arguments: [daemon.socket, name])
        #expect(client.says("mapped 0"), "\(client.output)")
        #expect(maps(of: daemon).contains(name))
        client.kill()
        #expect(soon { !maps(of: daemon).contains(name) && !descriptors(of: daemon).contains(name) })
        _ = try connected(daemon)
    }

    /// HELLO, VSMMU_CREATE, DEVICE_ATTACH, MEMORY_MAP; then it waits to be killed.
    private static let mappingClient = """
        import fcntl, os, socket, struct, sys, time
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.connect(sys.argv[1])
        def request(type, body, fds=[]):
            packet = struct.pack("<HHIQ", type, 0, 16 + len(body), 1) + body
            socket.send_fds(s, [packet], fds)
            return struct.unpack_from("<I", s.recv(70000), 16)[0]
        print("hello", request(1, struct.pack("<IIQ64s", 1, 0, 1, b"killed")))
        f = os.memfd_create(sys.argv[2], os.MFD_ALLOW_SEALING)
        os.ftruncate(f, 1 << 20)
        fcntl.fcntl(f, 1033, 2)
        print("mapped", request(6, struct.pack("<QQQII", 0x40000000, 1 << 20, 0, 3, 0), [f]))
        time.sleep(1000)
        """

    @Test("P31: without descriptors left it turns clients away, and goes on with those it has")
    func outOfDescriptors() throws {
        let daemon = try DaemonProcess()
        try daemon.serve(before: "ulimit -n 40;")
        let first = try connected(daemon)
        let vsmmu = try first.createVSMMU(on: Self.disk).reply.vsmmu
        var others: [BrokerConnection] = []
        // Each session takes some descriptors; before long there are none.
        for _ in 0..<40 {
            let client = try BrokerConnection(connectingTo: daemon.socket)
            client.timeout = 60_000
            others.append(client)
        }
        #expect(soon { daemon.output.contains("LimitNOFILE=") }, "\(daemon.output)")
        #expect(daemon.isRunning)
        #expect(throws: BrokerError.self) { for other in others { _ = try other.hello(Self.vm) } }
        // What needs no descriptor is done; what does is refused.
        _ = try first.reset(vsmmu)
        others = []
        #expect(soon { (try? connected(daemon)) != nil })
    }

    private func connected(_ daemon: DaemonProcess) throws -> BrokerConnection {
        let client = try BrokerConnection(connectingTo: daemon.socket)
        client.timeout = 60_000
        _ = try client.hello(Self.vm)
        return client
    }

    private func maps(of daemon: DaemonProcess) -> String {
        (try? String(contentsOfFile: "/proc/\(daemon.pid)/maps", encoding: .utf8)) ?? ""
    }

    private func descriptors(of daemon: DaemonProcess) -> String {
        let directory = "/proc/\(daemon.pid)/fd"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return names.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "\(directory)/\($0)") }
            .joined(separator: "\n")
    }
}

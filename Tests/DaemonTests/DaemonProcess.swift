import Foundation
import LinuxSystem
import Synchronization

/// `smmu-brokerd` as a process, with a directory, a configuration and sockets of its own.
final class DaemonProcess: Sendable {
    struct Failure: Error, CustomStringConvertible { var description: String }

    /// Beside the program that runs the tests.
    static var executable: String {
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent("smmu-brokerd").path
    }

    let directory: String
    private let process = Mutex<Process?>(nil)
    var socket: String { "\(directory)/c.sock" }
    var configuration: String { "\(directory)/broker.conf" }
    private var log: String { "\(directory)/log" }

    static let grant = "[Grant tests]\nUser=\(getuid())\nDevices=*\n"

    init(_ text: String = DaemonProcess.grant) throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("d-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try configure(text)
    }

    deinit {
        kill(SIGKILL)
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// The sockets, and `text`.
    func configure(_ text: String) throws {
        let sockets = "[Broker]\nClientSocket=\(directory)/c.sock\nAdminSocket=\(directory)/a.sock\n"
        try (sockets + text).write(toFile: configuration, atomically: true, encoding: .utf8)
    }

    /// Starts it through a shell, which may do something before; the shell becomes the daemon.
    func start(before: String = "", environment: [String: String] = [:], arguments: String = "") throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = [
            "-c", "\(before) exec \"$0\" --config \"$1\" \(arguments)", Self.executable, configuration,
        ]
        var all = ProcessInfo.processInfo.environment
        for name in ["NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_USEC"] { all[name] = nil }
        all["SWIFT_BACKTRACE"] = "enable=no"
        process.environment = all.merging(environment) { $1 }
        try Data().write(to: URL(fileURLWithPath: log))
        let output = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
        (process.standardError, process.standardOutput) = (output, output)
        try process.run()
        self.process.withLock { $0 = process }
    }

    /// Starts it and waits until it listens.
    func serve(before: String = "", environment: [String: String] = [:]) throws {
        try start(before: before, environment: environment)
        let deadline = Date().addingTimeInterval(60)
        while Date() < deadline {
            if (try? SeqPacketSocket(connectingTo: socket)) != nil { return }
            usleep(5000)
        }
        throw Failure(description: "the daemon does not listen: \(output)")
    }

    var pid: Int32 { process.withLock { $0?.processIdentifier ?? 0 } }
    var isRunning: Bool { process.withLock { $0?.isRunning ?? false } }
    /// What it has printed so far.
    var output: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

    func kill(_ signal: Int32) {
        let process = process.withLock { $0 }
        if let process, process.isRunning { _ = Foundation.kill(process.processIdentifier, signal) }
    }

    /// Waits for its end; the exit status, or minus the signal.
    func wait() throws -> Int32 {
        guard let process = process.withLock({ $0 }) else { throw Failure(description: "it was not started") }
        let deadline = Date().addingTimeInterval(60)
        while process.isRunning, Date() < deadline { usleep(5000) }
        if process.isRunning {
            _ = Foundation.kill(process.processIdentifier, SIGKILL)
            throw Failure(description: "it does not end: \(output)")
        }
        return process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
    }
}

/// A script in Python, which can do with sockets and descriptors what Foundation cannot, and the lines it prints.
final class Script: Sendable {
    private let process: Mutex<Process>
    private let log: String

    init(_ text: String, arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-u", "-c", text] + arguments
        log = FileManager.default.temporaryDirectory.appendingPathComponent("s-\(UUID().uuidString)").path
        try Data().write(to: URL(fileURLWithPath: log))
        let output = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
        (process.standardError, process.standardOutput) = (output, output)
        try process.run()
        self.process = Mutex(process)
    }

    deinit {
        kill()
        try? FileManager.default.removeItem(atPath: log)
    }

    var pid: Int32 { process.withLock { $0.processIdentifier } }
    func kill() {
        process.withLock { process in
            if process.isRunning { _ = Foundation.kill(process.processIdentifier, SIGKILL) }
            process.waitUntilExit()
        }
    }

    var output: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

    /// Waits until it has printed this.
    func says(_ text: String) -> Bool { soon { output.contains(text) } }
}

/// Waits for what another process is about to bring about; false after a minute.
func soon(_ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = Date().addingTimeInterval(60)
    while Date() < deadline {
        if try condition() { return true }
        usleep(5000)
    }
    return false
}

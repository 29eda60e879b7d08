import BrokerClient
import Foundation
import JSON
import LinuxSystem
import SMMUv3
import Testing
import Wire

/// smmuctl beside a daemon: what operators see and do, as they do it.
@Suite("smmuctl and the admin socket of a daemon")
struct AdminVerbTests {
    /// One run of smmuctl, whose output goes to files and not to a terminal.
    struct Run {
        let status: Int32
        let output: String
        let error: String

        init(_ daemon: DaemonProcess, _ arguments: [String]) throws {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: DaemonProcess.executable).deletingLastPathComponent()
                .appendingPathComponent("smmuctl")
            process.arguments = arguments + ["--socket", "\(daemon.directory)/a.sock"]
            process.standardInput = FileHandle.nullDevice
            let base = "\(daemon.directory)/run-\(UUID().uuidString)"
            func file(_ name: String) throws -> FileHandle {
                try Data().write(to: URL(fileURLWithPath: base + name))
                return try FileHandle(forWritingTo: URL(fileURLWithPath: base + name))
            }
            (process.standardOutput, process.standardError) = (try file("o"), try file("e"))
            try process.run()
            process.waitUntilExit()
            status = process.terminationStatus
            output = try String(contentsOfFile: base + "o", encoding: .utf8)
            error = try String(contentsOfFile: base + "e", encoding: .utf8)
        }
    }

    /// A VM with a device that has faulted once: its CD is all 0, and so C_BAD_CD.
    private func faultingVM(_ daemon: DaemonProcess) throws -> BrokerConnection {
        let broker = try BrokerConnection(connectingTo: daemon.socket)
        _ = try broker.hello(DaemonTests.vm, features: .model)
        let vsmmu = try broker.createVSMMU(on: DaemonTests.disk).reply.vsmmu
        try broker.attach(DaemonTests.disk, to: vsmmu, as: StreamID(8))
        let memory = try OwnedFD.memory(named: "admin-verbs", size: 1 << 16)
        try memory.seal(.shrink)
        try broker.mapMemory(memory, at: IPA(0x4000_0000), size: 1 << 16)
        let ste = StreamTableEntry(words: SIMD8(0x4000_0000 | 5 << 1 | 1, 0, 0, 0, 0, 0, 0, 0))
        _ = try broker.setState(
            of: vsmmu, .smmuEnabled, entries: [ContextEntry(vsid: StreamID(8), ste: ste)])
        let reply = try broker.translate(AccessRequest.Target(vsmmu: vsmmu, vsid: StreamID(8), iova: IOVA(0x1000)))
        #expect(reply.recorded)
        return broker
    }

    @Test("A VM is listed, shown by number, name and device, and its fault is told") func seen() throws {
        let daemon = try DaemonProcess()
        try daemon.serve()
        let broker = try faultingVM(daemon)
        #expect(try soon { try Run(daemon, ["list"]).output.contains(" vm ") })
        let list = try Run(daemon, ["list"])
        #expect(list.output.hasPrefix("SESSION"))
        #expect(list.output.hasSuffix("1 session.\n"))
        let sessions = try JSONValue(parsing: try Run(daemon, ["list", "--json"]).output)
        let number = try #require(sessions["sessions"]?[0]?["session"]?.uint64)
        for subject in ["\(number)", "vm", "disk0"] {
            let show = try Run(daemon, ["show", subject, "--json"])
            #expect(show.status == 0, "\(show.error)")
            let json = try JSONValue(parsing: show.output)
            #expect(json["vm"]?.string == "vm")
            #expect(json["devices"]?[0]?["device"]?.string == "disk0")
        }
        let events = try Run(daemon, ["events"])
        #expect(events.status == 0)
        #expect(events.output.contains("  vm  disk0  C_BAD_CD  vsid 8"), "\(events.output)")
        #expect(events.output.contains("  disk0  attached to vSMMU"), "\(events.output)")
        let none = try Run(daemon, ["events", "--vm", "other", "--json"])
        #expect((none.status, none.output) == (0, ""))
        let metrics = try Run(daemon, ["metrics"])
        #expect(metrics.output.contains("\nsmmu_broker_sessions 1\n"))
        #expect(metrics.output.hasSuffix("# EOF\n"))
        withExtendedLifetime(broker) {}
    }

    @Test("A quarantine shows, and ends with release") func quarantine() throws {
        let daemon = try DaemonProcess()
        try daemon.serve()
        let broker = try faultingVM(daemon)
        #expect(try soon { try Run(daemon, ["quarantine", "disk0"]).status == 0 })
        #expect(try soon { try Run(daemon, ["show", "disk0"]).output.contains("quarantined") })
        let release = try Run(daemon, ["release", "disk0"])
        #expect(release.status == 0, "\(release.error)")
        #expect(try soon { try Run(daemon, ["show", "disk0"]).output.contains("recovered") })
        #expect(daemon.output.contains("asks for QUARANTINE disk0"))
        withExtendedLifetime(broker) {}
    }

    @Test("A reload counts as a whole, or says what is wrong") func reload() throws {
        let daemon = try DaemonProcess()
        try daemon.serve()
        try daemon.configure("[Grant tests]\nMaxMemory=much\n")
        let refused = try Run(daemon, ["reload"])
        #expect(refused.status == 1)
        #expect(refused.error.contains("broker.conf:5: error:"), "\(refused.error)")
        #expect(refused.error.contains("Failed to reload the configuration"), "\(refused.error)")
        try daemon.configure(DaemonProcess.grant)
        let applied = try Run(daemon, ["reload"])
        #expect(applied.status == 0, "\(applied.error)")
        let status = try JSONValue(parsing: try Run(daemon, ["status", "--json"]).output)
        #expect(status["reloads"]?.uint64 == 1)
        #expect(status["refusedReloads"]?.uint64 == 1)
        #expect(status["pid"]?.uint64 == UInt64(daemon.pid))
        #expect(status["configurationFiles"]?[0]?.string == daemon.configuration)
    }

    @Test("What is not there is told with its own exit status") func failures() throws {
        let daemon = try DaemonProcess()
        for verb in [["status"], ["list"], ["show", "1"], ["events"], ["metrics"], ["reload"], ["release", "x"]] {
            let run = try Run(daemon, verb)
            #expect(run.status == 3, "\(verb)")
            #expect(run.error.split(separator: "\n").count == 2)
            #expect(run.error.hasPrefix("Failed to "))
        }
        try daemon.serve()
        for verb in [["show", "1"], ["show", "nobody"], ["quarantine", "nothing"], ["release", "a/b"]] {
            let run = try Run(daemon, verb)
            #expect(run.status == 4, "\(verb)")
            #expect(run.error.split(separator: "\n").count == 2)
        }
        let list = try Run(daemon, ["list"])
        #expect((list.status, list.output) == (0, "0 sessions.\n"))
    }

    @Test("Following ends when the daemon does, with status 3") func follow() throws {
        let daemon = try DaemonProcess()
        try daemon.serve()
        // Ends the daemon as soon as it serves a monitor.
        let ender = Foundation.Thread {
            let client = try? AdminClient(connectingTo: "\(daemon.directory)/a.sock")
            _ = try? soon { try client?.status().reply.monitors == 1 }
            daemon.kill(SIGTERM)
        }
        ender.start()
        let run = try Run(daemon, ["events", "--follow"])
        #expect(run.status == 3)
        #expect(run.error.contains("the broker has ended"), "\(run.error)")
        _ = try daemon.wait()
    }
}

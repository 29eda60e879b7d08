import Glibc
import LinuxSystem
import Systemd
import Testing

/// What passes between the daemon and systemd by the environment and by descriptors from 3 on: each test is a process of
/// its own.
@Suite struct ServiceManagerTests {
    @Test func notificationsSayWhatSystemdUnderstands() async {
        await #expect(processExitsWith: .success) {
            let manager = FakeManager()
            try ServiceNotification.ready(status: "2 sessions\nMAINPID=1")
            manager.expects("READY=1\nSTATUS=2 sessions MAINPID=1")
            try ServiceNotification.reloading(now: MonotonicTime(nanoseconds: 1_234_567_890))
            manager.expects("RELOADING=1\nMONOTONIC_USEC=1234567")
            try ServiceNotification.status("idle")
            manager.expects("STATUS=idle")
            try ServiceNotification.keepAlive()
            manager.expects("WATCHDOG=1")
            try ServiceNotification.stopping(status: "bye")
            manager.expects("STOPPING=1\nSTATUS=bye")
            let event = try EventFD()
            try ServiceNotification.store(event.fd, as: "session 7:map")
            manager.expects("FDSTORE=1\nFDNAME=session_7_map", descriptors: 1)
            try ServiceNotification.removeStored("session-7")
            manager.expects("FDSTOREREMOVE=1\nFDNAME=session-7")
        }
    }

    @Test func withoutServiceManagerNothingIsSaid() async {
        await #expect(processExitsWith: .success) {
            unsafe unsetenv("NOTIFY_SOCKET")
            try ServiceNotification.ready(status: "ready")
            try ServiceNotification.keepAlive()
            try ServiceNotification.stopping(status: "")
        }
    }

    @Test func aServiceManagerThatIsGoneIsAnError() async {
        await #expect(processExitsWith: .success) {
            unsafe setenv("NOTIFY_SOCKET", "@smmu-broker-nobody-\(getpid())", 1)
            do throws(Errno) {
                try ServiceNotification.keepAlive()
                fail("no error")
            } catch { check(error == .connectionRefused, "\(error)") }
        }
    }

    @Test func theWatchdogIsOnOnlyForTheProcessItIsMeantFor() async {
        await #expect(processExitsWith: .success) {
            unsafe unsetenv("WATCHDOG_USEC")
            check(ServiceNotification.watchdogInterval == nil, "unset")
            unsafe setenv("WATCHDOG_USEC", "30000000", 1)
            unsafe setenv("WATCHDOG_PID", "\(getpid())", 1)
            check(ServiceNotification.watchdogInterval == .seconds(30), "30 s")
            unsafe setenv("WATCHDOG_PID", "1", 1)
            check(ServiceNotification.watchdogInterval == nil, "somebody else's")
        }
    }

    @Test func journaldIsUsedWhenStandardErrorLeadsThere() async {
        await #expect(processExitsWith: .success) {
            unsafe unsetenv("JOURNAL_STREAM")
            check(!JournalThread.standardErrorIsJournal, "unset")
            var status = stat()
            check(unsafe fstat(STDERR_FILENO, &status) == 0, "fstat")
            unsafe setenv("JOURNAL_STREAM", "\(status.st_dev):\(status.st_ino)", 1)
            check(JournalThread.standardErrorIsJournal, "the same file")
            unsafe setenv("JOURNAL_STREAM", "\(status.st_dev):\(status.st_ino)1", 1)
            check(!JournalThread.standardErrorIsJournal, "another file")
        }
    }

    @Test func linesForPeopleAndServiceManagersGoToStandardError() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            unsafe unsetenv("JOURNAL_STREAM")
            let thread = try JournalThread.start()
            thread.journal.makeQueue().push(.text(.info, "Ready."))
            check(thread.stop(withinMilliseconds: 60_000), "not written")
        }
        let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(text.split(separator: "\n").contains("<6>Ready."))
    }

    @Test func socketsComeWithTheirNamesOnceAndCloseOnExec() async {
        await #expect(processExitsWith: .success) {
            passDescriptors([listener("a"), listener("b")], names: "client:admin")
            let sockets = try SocketActivation.take()
            check(sockets.map(\.name) == ["client", "admin"], "\(sockets.map(\.name))")
            for (index, number) in [Int32(3), 4].enumerated() {
                check(fcntl(number, F_GETFD) & FD_CLOEXEC != 0, "\(number) is not close-on-exec")
                check(fcntl(number, F_GETFL) & O_NONBLOCK != 0, "\(number) blocks")
                guard let socket = sockets[index].take() else { return fail("no socket \(index)") }
                check(try socket.accept() == nil, "a connection")
                check(sockets[index].take() == nil, "given twice")
            }
            for name in ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"] {
                check(unsafe getenv(name) == nil, "\(name) is still set")
            }
            check(try SocketActivation.take().isEmpty, "taken twice")
            succeed()
        }
    }

    @Test func socketsOfAnotherProcessAreNotTaken() async {
        await #expect(processExitsWith: .success) {
            unsafe setenv("LISTEN_FDS", "2", 1)
            unsafe setenv("LISTEN_PID", "1", 1)
            check(try SocketActivation.take().isEmpty, "taken")
        }
    }

    @Test func aSocketThatCannotServeSaysWhichSettingIsWrong() async {
        await #expect(processExitsWith: .success) {
            refuses(pipeEnd(), .notUnix, "ListenSequentialPacket=, with a path")
            refuses(socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0), .notSeqPacket, "not ListenStream=")
            refuses(socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0), .notUnix, "ListenSequentialPacket=")
            refuses(socket(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue), 0), .notListening, "Accept=no")
            succeed()
        }
    }

    @Test func garbageInListenFDsIsAnError() async {
        await #expect(processExitsWith: .success) {
            unsafe setenv("LISTEN_FDS", "many", 1)
            unsafe setenv("LISTEN_PID", "\(getpid())", 1)
            do throws(SocketActivationError) {
                _ = try SocketActivation.take()
                fail("no error")
            } catch { check("\(error)".contains("must be set by systemd"), "\(error)") }
        }
    }
}

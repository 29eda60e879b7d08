import Glibc
import LinuxSystem
import Synchronization
import Testing

@Suite struct ThreadTests {
    @Test func runsItsBodyUnderItsNameAndJoinWaitsForIt() throws {
        let seen = Seen()
        try Thread.start(name: "smmu-test-thread", stackSize: 256 << 10) { seen.set(Self.ownName()) }.join()
        #expect(seen.value == "smmu-test-threa")
    }

    @Test(arguments: [0, -1, 1]) func aStackIsAtLeastTheSystemsMinimum(size: Int) throws {
        let seen = Seen()
        try Thread.start(name: "tiny", stackSize: size) { seen.set("ran") }.join()
        #expect(seen.value == "ran")
    }

    @Test func aStackThatTheSystemCannotGiveIsAnError() {
        #expect(throws: Errno.self) {
            try Thread.start(name: "huge", stackSize: Int.max / 2) {}.join()
        }
    }

    @Test func whoDropsAThreadLetsItRunOn() throws {
        let seen = Seen()
        let go = try EventFD()
        let done = try EventFD()
        let (goNumber, doneNumber) = (go.fd.raw, done.fd.raw)
        do {
            _ = try Thread.start(name: "dropped", stackSize: 0) {
                Self.awaitReadable(goNumber)
                seen.set("ran")
                var one: UInt64 = 1
                unsafe write(doneNumber, &one, 8)
            }
        }
        try go.signal()
        Self.awaitReadable(doneNumber)
        #expect(seen.value == "ran")
        _ = consume go
        _ = consume done
    }

    private static func awaitReadable(_ descriptor: Int32) {
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while unsafe Glibc.poll(&poll, 1, -1) < 1 {}
    }

    /// What a thread tells its test.
    private final class Seen: Sendable {
        private let text = Mutex("")
        var value: String { text.withLock { $0 } }
        func set(_ value: String) { text.withLock { $0 = value } }
    }

    private static func ownName() -> String {
        guard let file = unsafe fopen("/proc/thread-self/comm", "r") else { return "" }
        defer { unsafe fclose(file) }
        var line = [CChar](repeating: 0, count: 64)
        guard unsafe fgets(&line, 64, file) != nil else { return "" }
        return String(decoding: line.prefix { $0 != 0 && $0 != 10 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

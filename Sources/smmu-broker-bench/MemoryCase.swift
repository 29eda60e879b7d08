import Glibc

/// Resident memory of the daemon.
enum MemoryCase: String, CaseIterable, Benchmark {
    case idle = "rss-idle"
    case session = "rss-session"

    static let all: [any Benchmark] = allCases
    private static let sessions = 32

    var name: String { rawValue }
    var what: String {
        switch self {
        case .idle: "resident memory of the daemon before anybody has connected"
        case .session: "what a session adds to it that has said HELLO and nothing else: the mean of \(Self.sessions)"
        }
    }

    func measure(quick: Bool) throws -> Measurement {
        let daemon = try DaemonProcess()
        // The daemon's first connection was that of whoever waited for its start.
        usleep(100_000)
        var result = Measurement()
        switch self {
        case .idle: result.kibibytes = try Self.resident(daemon.pid)
        case .session:
            // The first one makes what all share.
            let first = try daemon.connect()
            let before = try Self.resident(daemon.pid)
            let others = try (0..<Self.sessions).map { _ in try daemon.connect() }
            result.kibibytes = try (Self.resident(daemon.pid) - before) / Double(others.count)
            withExtendedLifetime(first) {}
        }
        return result
    }

    func count(_ side: Side, operations: UInt64) throws { throw Failure.usage }

    /// `Rss` of smaps_rollup, in KiB.
    private static func resident(_ pid: Int32) throws -> Double {
        let path = "/proc/\(pid)/smaps_rollup"
        guard let file = unsafe fopen(path, "r") else { throw Failure.system("read \(path)", errno) }
        defer { unsafe fclose(file) }
        var buffer = [CChar](repeating: 0, count: 256)
        while unsafe fgets(&buffer, 256, file) != nil {
            let line = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let words = line.split(whereSeparator: \.isWhitespace)
            if words.first == "Rss:", words.count > 1, let value = Double(words[1]) { return value }
        }
        throw Failure.system("find Rss in \(path)", EBADMSG)
    }
}

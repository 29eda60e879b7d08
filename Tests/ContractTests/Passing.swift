import Foundation
import LinuxSystem
import Testing

/// Descriptors to pass along with a packet. Those of memory bear a name that nobody else uses.
struct Passing {
    let passed: Malformed.Passed
    let mark: String

    init(_ passed: Malformed.Passed, _ mark: String) { (self.passed, self.mark) = (passed, mark) }

    /// Calls `body` with the descriptors, which are closed when it returns.
    func with<Result>(_ body: ([Int32]) throws -> Result) throws -> Result {
        switch passed {
        case .nothing: return try body([])
        case .memory(let sealed, let size):
            let memory = try OwnedFD.memory(named: mark, size: size)
            if sealed { try memory.seal(.shrink) }
            return try body([memory.raw])
        case .readOnlyMemory:
            let memory = try OwnedFD.memory(named: mark, size: 0x1_0000)
            try memory.seal(.shrink)
            return try reading("/proc/self/fd/\(memory.raw)", body)
        case .regularFile: return try reading("/proc/self/exe", body)
        case .pipe:
            let pipe = Pipe()
            return try body([pipe.fileHandleForReading.fileDescriptor])
        case .eventFD:
            let event = try EventFD()
            return try body([event.fd.raw])
        case .listener:
            let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString.prefix(13))")
                .path
            let listener = try SeqPacketListener(at: path)
            defer { try? FileManager.default.removeItem(atPath: path) }
            return try body([listener.fd.raw])
        case .many(let count):
            let memory = try OwnedFD.memory(named: mark, size: 0x1_0000)
            return try body([Int32](repeating: memory.raw, count: count))
        }
    }

    private func reading<Result>(_ path: String, _ body: ([Int32]) throws -> Result) throws -> Result {
        let file = try #require(FileHandle(forReadingAtPath: path))
        defer { try? file.close() }
        return try body([file.fileDescriptor])
    }
}

import Foundation
import LinuxSystem
import Testing

@Suite struct TextFileTests {
    private func makeDirectory() throws -> String {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("text-file-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        return directory.path
    }

    @Test(arguments: [0, 1, 99, 100])
    func readsUpToTheLimit(size: Int) throws {
        let directory = try makeDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
        try Data(bytes).write(to: URL(fileURLWithPath: "\(directory)/f"))
        #expect(try TextFile.read("\(directory)/f", limit: 100) == bytes)
    }

    @Test func refusesWhatIsLarger() throws {
        let directory = try makeDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try Data(repeating: 0, count: 101).write(to: URL(fileURLWithPath: "\(directory)/f"))
        #expect(throws: Errno.fileTooLarge) { try TextFile.read("\(directory)/f", limit: 100) }
        #expect(throws: Errno.fileTooLarge) { try TextFile.read("\(directory)/f", limit: 0) }
        #expect(throws: Errno.notFound) { try TextFile.read("\(directory)/g", limit: 100) }
        #expect(throws: Errno(21)) { try TextFile.read(directory, limit: 100) }
    }

    @Test func listsADirectory() throws {
        let directory = try makeDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        #expect(try DirectoryListing.names(in: directory).isEmpty)
        for name in ["b", "B", "ä", ".hidden"] { try Data().write(to: URL(fileURLWithPath: "\(directory)/\(name)")) }
        #expect(try DirectoryListing.names(in: directory) == [".hidden", "B", "b", "ä"])
        #expect(throws: Errno.notFound) { try DirectoryListing.names(in: "\(directory)/none") }
        #expect(throws: Errno(20)) { try DirectoryListing.names(in: "\(directory)/b") }
    }

    @Test func knowsUsersAndGroups() throws {
        #expect(try UserDatabase.user(named: "root") == 0)
        #expect(try UserDatabase.group(named: "root") == 0)
        #expect(try UserDatabase.user(named: "no such user") == nil)
        #expect(try UserDatabase.group(named: "") == nil)
    }
}

import Foundation
import Synchronization

/// The captures that the tests use, unpacked when first asked for.
///
/// They are archives in the source tree, not resources: found by this file's own path, they need no bundle. Each is
/// unpacked once per process into a temporary directory, which goes away when the process exits.
package enum CaptureFixtures {
    /// The captures with independent rows, and how many rows each has.
    package static let oracleRows = [
        "lin-4k-nested": 7234, "lin-4k-s1-faults": 3531, "lin-4k-s1-plain": 5617, "lin-4k-s2-vfio": 8171,
    ]

    /// All captures.
    package static let names = oracleRows.keys.sorted() + ["seq-short"]

    /// The directory of a capture, to be read only: other tests of the process use the same one.
    /// Errors: `FixtureError`. May be called from any thread; a second call waits for the first to finish unpacking.
    package static func directory(named name: String) throws -> String {
        try unpacked.withLock { unpacked in try unpacked.directory(named: name) }
    }

    /// An empty directory of the caller's own, which goes away with the others.
    package static func scratchDirectory() throws -> String {
        let parent = try unpacked.withLock { unpacked in try unpacked.root() }
        let path = "\(parent)/scratch-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        return path
    }

    /// Where the archives are: two directories above this file's own stand the fixtures beside the support code.
    fileprivate static let archives = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures/captures").path

    fileprivate static let unpacked = Mutex(UnpackedCaptures())
}

/// Why a fixture is not there.
package struct FixtureError: Error, CustomStringConvertible {
    package let description: String
}

/// What this process has unpacked, and where.
private struct UnpackedCaptures {
    private var path: String?
    private var names: Set<String> = []

    mutating func directory(named name: String) throws -> String {
        let directory = "\(try root())/\(name)"
        if !names.contains(name) {
            try unpack(name)
            names.insert(name)
        }
        return directory
    }

    /// The directory that holds everything; the first call makes it.
    mutating func root() throws -> String {
        if let path { return path }
        let path = "\(FileManager.default.temporaryDirectory.path)/captures-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        self.path = path
        atexit { CaptureFixtures.unpacked.withLock { $0.removeAll() } }
        return path
    }

    mutating func removeAll() {
        // Nobody is left to tell if this fails; the system clears its temporary directory in the end.
        if let path { try? FileManager.default.removeItem(atPath: path) }
        path = nil
        names = []
    }

    private mutating func unpack(_ name: String) throws {
        let archive = "\(CaptureFixtures.archives)/\(name).tar.xz"
        guard FileManager.default.isReadableFile(atPath: archive) else {
            throw FixtureError(description: "There is no capture \(name): \(archive) cannot be read.")
        }
        let tar = try program("tar", ofPackage: "tar")
        // tar runs xz by itself, and says little when it is missing.
        _ = try program("xz", ofPackage: "xz-utils")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: tar)
        process.arguments = ["-xJf", archive, "-C", try root()]
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw FixtureError(description: "tar cannot unpack \(archive): exit status \(process.terminationStatus).")
        }
    }

    private func program(_ name: String, ofPackage package: String) throws -> String {
        let search = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        let candidates = search.split(separator: ":").map { "\($0)/\(name)" }
        guard let path = candidates.first(where: FileManager.default.isExecutableFile) else {
            throw FixtureError(description: "\(name) is missing: install the Debian package \(package).")
        }
        return path
    }
}

import BrokerCore
import Configuration
import Foundation
import Testing
import UnitConfig

/// Which files are read, and in which order.
@Suite struct ConfigurationLoaderTests {
    /// A directory of this test alone, in place of `/`.
    private func makeRoot() throws -> String {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("configuration-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
        return root.path
    }

    private func write(_ text: String, _ path: String) throws {
        let url = URL(fileURLWithPath: path)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
    }

    private func load(_ files: ConfigurationFiles) -> LoadedConfiguration {
        ConfigurationLoader.load(files, identities: knownIdentities)
    }

    @Test func withoutFilesThereAreTheDefaults() throws {
        let root = try makeRoot()
        defer { try? FileManager.default.removeItem(atPath: root) }
        let loaded = load(.system(root: root))
        #expect(loaded.files.isEmpty && loaded.diagnostics.isEmpty && !loaded.hasErrors)
        #expect(loaded.configuration.devices == Configuration().devices)
    }

    @Test func laterDirectoriesOverride() throws {
        let root = try makeRoot()
        defer { try? FileManager.default.removeItem(atPath: root) }
        for (number, directory) in ["usr/lib", "etc", "run"].enumerated() {
            try write("[Broker]\nMaxSessions=\(number + 1)", "\(root)/\(directory)/smmu-broker/smmu-broker.conf")
        }
        #expect(load(.system(root: root)).configuration.maximumSessions == 3)
        try FileManager.default.removeItem(atPath: "\(root)/run/smmu-broker/smmu-broker.conf")
        #expect(load(.system(root: root)).configuration.maximumSessions == 2)
    }

    @Test func dropInsAreSortedByNameAndHideEachOther() throws {
        let root = try makeRoot()
        defer { try? FileManager.default.removeItem(atPath: root) }
        func path(_ directory: String, _ name: String) -> String {
            "\(root)/\(directory)/smmu-broker/smmu-broker.conf.d/\(name)"
        }
        try write("[Broker]\nMaxSessions=99", "\(root)/run/smmu-broker/smmu-broker.conf")
        for directory in ["usr/lib", "run", "etc"] {
            for name in directory == "usr/lib" ? ["10.conf", "20.conf", "30.conf"] : ["20.conf"] {
                try write("[Grant \(directory == "etc" ? "etc" : "x")]\nDevices=net0", path(directory, name))
            }
        }
        try write("[Broker]\nMaxSessions=5", path("run", "40.conf"))
        try write("nonsense", path("etc", "50.conf.example"))
        // What is linked to /dev/null is switched off.
        try FileManager.default.createSymbolicLink(atPath: path("etc", "30.conf"), withDestinationPath: "/dev/null")
        let loaded = load(.system(root: root))
        #expect(
            loaded.files == [
                "\(root)/run/smmu-broker/smmu-broker.conf", path("usr/lib", "10.conf"), path("etc", "20.conf"),
                path("etc", "30.conf"), path("run", "40.conf"),
            ])
        #expect(loaded.configuration.maximumSessions == 5)
        #expect(loaded.configuration.grants.map { $0.name } == ["etc", "x"])
    }

    @Test func anExplicitFileStandsAlone() throws {
        let root = try makeRoot()
        defer { try? FileManager.default.removeItem(atPath: root) }
        try write("[Broker]\nMaxSessions=2\nNonsense=1", "\(root)/my.conf")
        try write("[Broker]\nMaxSessions=3\nMore=1", "\(root)/my.conf.d/a.conf")
        let loaded = load(.explicit("\(root)/my.conf"))
        #expect(loaded.files == ["\(root)/my.conf", "\(root)/my.conf.d/a.conf"])
        #expect(loaded.configuration.maximumSessions == 3)
        #expect(
            loaded.diagnostics.map { $0.location.description } == ["\(root)/my.conf:3", "\(root)/my.conf.d/a.conf:3"])
    }

    @Test func anExplicitFileMustBeThere() throws {
        let root = try makeRoot()
        defer { try? FileManager.default.removeItem(atPath: root) }
        let loaded = load(.explicit("\(root)/none.conf"))
        #expect(loaded.hasErrors)
        #expect(
            loaded.diagnostics.map { $0.description } == [
                "\(root)/none.conf: error: the file cannot be read: No such file or directory (ENOENT)"
            ])
    }

    /// Neither of them can be read, neither is waited for, and the defaults are in effect.
    @Test func filesThatAreNone() throws {
        let root = try makeRoot()
        defer { try? FileManager.default.removeItem(atPath: root) }
        try FileManager.default.createDirectory(atPath: "\(root)/dir.conf", withIntermediateDirectories: true)
        #expect(load(.explicit("\(root)/dir.conf")).diagnostics.first?.text.hasSuffix("(EISDIR)") == true)
        #expect(load(.explicit("/dev/zero")).diagnostics.first?.text.contains("has more than") == true)
        // SAFETY: mkfifo reads the string, which ends with NUL, and keeps no pointer.
        let made = unsafe mkfifo("\(root)/fifo.conf", 0o600)
        try #require(made == 0)
        #expect(load(.explicit("\(root)/fifo.conf")).configuration.maximumSessions == 256)
        try write("", "\(root)/a.conf.d")
        try write("", "\(root)/a.conf")
        #expect(load(.explicit("\(root)/a.conf")).diagnostics.first?.text.hasSuffix("(ENOTDIR)") == true)
    }
}

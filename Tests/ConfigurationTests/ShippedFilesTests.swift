import BrokerCore
import Configuration
import Foundation
import Testing
import UnitConfig
import Wire

/// The files of `config/` and the manual page say what the daemon does.
@Suite struct ShippedFilesTests {
    private static func text(_ path: String) throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return String(decoding: try Data(contentsOf: root.appendingPathComponent(path)), as: UTF8.self)
    }

    /// With the `#` taken away from keys and sections; a blank behind it makes a comment.
    private static func uncommented(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.hasPrefix("#") && !line.hasPrefix("# ") ? line.dropFirst() : line
        }.joined(separator: "\n")
    }

    @Test func theFileAsShippedChangesNothing() throws {
        let shipped = read(try Self.text("config/smmu-broker.conf"))
        #expect(shipped.texts == [])
        #expect(shipped.settings == read().settings)
    }

    @Test func everyKeyStandsThereAtItsDefault() throws {
        let all = read(Self.uncommented(try Self.text("config/smmu-broker.conf")))
        let standard = read()
        // A grant that says nothing is nobody's, and the file is right in saying so.
        #expect(all.diagnostics.map { $0.severity } == [.warning, .warning])
        #expect(all.configuration.grants == [Grant(name: "NAME")])
        #expect(all.configuration.smmus == standard.configuration.smmus)
        #expect(all.configuration.devices == standard.configuration.devices)
        #expect(all.configuration.journal == standard.configuration.journal)
        let values = { (settings: [Setting]) in
            settings.filter { $0.section != .grant }.map { "\($0.title) \($0.key)=\($0.value)" }
        }
        #expect(values(all.settings) == values(standard.settings))
    }

    @Test(arguments: ConfigurationKey.all)
    func theFileHasEveryKeyInItsSection(key: ConfigurationKey) throws {
        let sections = try Self.text("config/smmu-broker.conf").components(separatedBy: "\n#[").flatMap {
            $0.components(separatedBy: "\n[")
        }
        let own = sections.filter { $0.hasPrefix(key.section.rawValue) }
        #expect(own.contains { $0.contains("\n#\(key.name)=") }, "\(key.section.title) \(key.name)=")
    }

    @Test(arguments: ConfigurationKey.all)
    func theManualPageHasEveryKeyInItsSection(key: ConfigurationKey) throws {
        let sections = try Self.text("docs/man/smmu-broker.conf.5").components(separatedBy: "\n.SH ")
        let own = sections.filter { $0.hasPrefix("\"\(key.section.title.uppercased()) SECTION") }
        #expect(own.count == 1)
        #expect(own.first?.contains("\n.BR \(key.name) =") == true, "\(key.section.title) \(key.name)=")
    }

    @Test func theExampleGrantsModelDevicesToTheGroupKVM() throws {
        let example = read(try Self.text("config/smmu-broker.conf.d/50-kvm-model-devices.conf.example"))
        #expect(example.texts == [])
        let grant = try #require(example.configuration.grants.first)
        #expect(grant.groups == [104] && grant.users.isEmpty && grant.units.isEmpty)
        #expect(grant.quota == Quota())
        #expect(grant.devices == example.configuration.devices.map { $0.device.name.description })
        #expect(example.configuration.grants.count == 1)
    }
}

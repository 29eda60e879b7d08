import BrokerCore
package import UnitConfig
import Wire

/// What files say: the configuration, what is wrong with them, and every key with its value and origin.
package struct ReadConfiguration: Sendable {
    package var configuration: Configuration
    package var diagnostics: [Diagnostic]
    /// Of every section that there is, built-in ones included, every key.
    package var settings: [Setting]
}

/// Makes a configuration of files. A pure function: the same files and identities give the same configuration.
///
/// An unknown section or key has no effect and gets a warning. A wrong value gets an error, and the default stays in
/// effect; a device that cannot be as it is described is left out; a name that nobody has matches nobody.
package struct ConfigurationReader {
    private let identities: IdentityLookup
    private var configuration = Configuration()
    private var diagnostics: [Diagnostic] = []
    private var settings: [Setting] = []

    /// - Parameter files: the later ones override the earlier ones.
    package static func read(_ files: [UnitFile], identities: IdentityLookup) -> ReadConfiguration {
        var reader = ConfigurationReader(identities: identities)
        reader.read(files.merged)
        return ReadConfiguration(
            configuration: reader.configuration, diagnostics: reader.diagnostics, settings: reader.settings)
    }

    private init(identities: IdentityLookup) { self.identities = identities }

    private mutating func read(_ all: [UnitSection]) {
        var sections: [SectionKind: [UnitSection]] = [:]
        for section in all {
            guard let kind = kind(of: section) else { continue }
            checkKeys(of: section, kind)
            sections[kind, default: []].append(section)
        }
        finish(readBroker(SectionReader(.broker, sections[.broker]?.first ?? .builtIn(.broker))))
        finish(readJournal(SectionReader(.journal, sections[.journal]?.first ?? .builtIn(.journal))))
        if configuration.backend == .model {
            readSMMUs(sections[.smmu] ?? BuiltIn.smmuNames.map { .builtIn(.smmu, $0) })
            readDevices(sections[.device])
        } else {
            configuration.devices = []
            for section in (sections[.smmu] ?? []) + (sections[.device] ?? []) { reportUnused(section) }
        }
        readGrants(sections[.grant] ?? [], namedDevices: (sections[.device] ?? []).compactMap(\.name))
    }

    private mutating func reportUnused(_ section: UnitSection) {
        diagnostics.append(
            Diagnostic(
                .warning, section.location,
                "[\(section.title.excerpt)] has no effect: with `Backend=\(configuration.backend.rawValue)` there are the "
                    + "host's SMMUs and devices, by their PCI addresses"))
    }

    private mutating func finish(_ reader: SectionReader) {
        diagnostics += reader.diagnostics
        settings += reader.settings
    }

    // MARK: - Sections and keys

    /// nil when the section has no effect, for a reason that is reported.
    private mutating func kind(of section: UnitSection) -> SectionKind? {
        func report(_ severity: Diagnostic.Severity, _ text: String) {
            diagnostics.append(Diagnostic(severity, section.location, text))
        }
        let title = "[\(section.title.excerpt)]"
        guard let kind = SectionKind(rawValue: section.type) else {
            let near = NearMiss.best(for: section.type, among: SectionKind.allCases.map(\.rawValue))
            let hint = near.flatMap(SectionKind.init).map { ": did you mean `\($0.title)`?" } ?? ""
            report(.warning, "unknown section \(title)\(hint)")
            return nil
        }
        switch (kind.isNamed, section.name) {
        case (false, nil): return kind
        case (false, _?): report(.error, "\(title) has no effect: this section has no name, `\(kind.title)`")
        case (true, nil): report(.error, "\(title) has no effect: it needs a name, `\(kind.title)`")
        case (true, let name?):
            if Name(name) != nil, !name.contains(":") { return kind }
            report(
                .error, "\(title) has no effect: a name has 1 to 63 letters, digits, `-`, `_` or `.`")
        }
        return nil
    }

    private mutating func checkKeys(of section: UnitSection, _ kind: SectionKind) {
        let known = ConfigurationKey.all.filter { $0.section == kind }.map(\.name)
        for assignment in section.assignments where !known.contains(assignment.key) {
            var hint = ""
            if let elsewhere = ConfigurationKey.all.first(where: { $0.name == assignment.key }) {
                hint = ": it belongs into \(elsewhere.section.title)"
            } else if let near = NearMiss.best(for: assignment.key, among: known) {
                hint = ": did you mean `\(near)=`?"
            }
            let text = "unknown key `\(assignment.key.excerpt)=` in [\(section.title.excerpt)]\(hint)"
            diagnostics.append(Diagnostic(.warning, assignment.location, text))
        }
    }

    // MARK: - What there is once

    private mutating func readBroker(_ section: SectionReader) -> SectionReader {
        var section = section
        let standard = Configuration()
        configuration.backend = section.value(.backend, default: standard.backend, text: { $0.rawValue }) {
            text throws(ValueFault) in try Value.word(text, of: Configuration.Backend.self)
        }
        configuration.clientSocket = section.value(
            .clientSocket, default: standard.clientSocket, text: { $0 }, Self.socketPath)
        configuration.adminSocket = section.value(
            .adminSocket, default: standard.adminSocket, text: { $0 }, Self.socketPath)
        if configuration.clientSocket == configuration.adminSocket {
            section.report(
                .error, at: .adminSocket,
                "`AdminSocket=` is the path of `ClientSocket=` too; the defaults are in effect")
            (configuration.clientSocket, configuration.adminSocket) = (standard.clientSocket, standard.adminSocket)
            section.replace(.clientSocket, by: standard.clientSocket)
            section.replace(.adminSocket, by: standard.adminSocket)
        }
        configuration.maximumSessions = section.integer(.sessions, default: standard.maximumSessions, in: 1...65536)
        return section
    }

    /// What fits into sockaddr_un.sun_path with its final 0.
    private static func socketPath(_ text: String) throws(ValueFault) -> String {
        guard text.hasPrefix("/"), text.utf8.count <= 107 else {
            throw ValueFault("is not an absolute path of at most 107 bytes")
        }
        return text
    }

    private mutating func readJournal(_ section: SectionReader) -> SectionReader {
        var section = section
        let standard = Configuration.JournalSettings()
        configuration.journal.faultBurst = section.integer(
            .faultBurst, default: standard.faultBurst, in: 1...1_000_000)
        configuration.journal.faultIntervalSeconds = section.value(
            .faultInterval, default: standard.faultIntervalSeconds,
            text: { Value.durationText(UInt64(clamping: $0) * 1000) },
            { text throws(ValueFault) in
                let milliseconds = try Value.duration(text, in: 1000...86_400_000)
                guard milliseconds % 1000 == 0 else { throw ValueFault("is not a whole number of seconds") }
                return Int(clamping: milliseconds / 1000)
            })
        return section
    }

    // MARK: - What there is many times

    private mutating func readSMMUs(_ sections: [UnitSection]) {
        configuration.smmus = []
        for section in sections {
            guard let name = section.name.flatMap({ Name($0) }) else { continue }
            var reader = SectionReader(.smmu, section)
            configuration.smmus.append(SMMUSettings(&reader).smmu(named: name))
            finish(reader)
        }
    }

    private mutating func readDevices(_ sections: [UnitSection]?) {
        var devices = DeviceReader(smmus: configuration.smmus)
        if let sections {
            for section in sections { devices.read(section) }
        } else {
            for device in BuiltIn.devices { devices.read(device) }
        }
        devices.assignStreamIDs()
        configuration.devices = devices.definitions
        diagnostics += devices.readers.flatMap(\.diagnostics)
        settings += devices.settings
    }

    private mutating func readGrants(_ sections: [UnitSection], namedDevices: [String]) {
        let devices = namedDevices + configuration.devices.map { $0.device.name.description }
        for section in sections {
            var reader = SectionReader(.grant, section)
            configuration.grants.append(Grant(&reader, identities, devices: devices))
            finish(reader)
        }
        configuration.grants.sort { $0.name < $1.name }
    }
}

extension UnitSection {
    /// A section that is not in any file.
    static func builtIn(_ kind: SectionKind, _ name: String? = nil) -> UnitSection {
        UnitSection(type: kind.rawValue, name: name, location: SourceLocation(file: "built-in defaults"))
    }
}

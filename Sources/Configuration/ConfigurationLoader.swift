import LinuxSystem
package import UnitConfig

/// A configuration as it was found on this host.
package struct LoadedConfiguration: Sendable {
    package var configuration: Configuration
    /// In the order of files and lines. Empty: all is as it was meant.
    package var diagnostics: [Diagnostic]
    /// The files that were read, later ones overriding earlier ones.
    package var files: [String]
    package var settings: [Setting]

    /// Whether something could not be meant as it stands, so that a default took its place.
    package var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }
}

/// Reads the files of a configuration and makes it of them. Looks up users and groups, and so may block.
package enum ConfigurationLoader {
    /// - Parameter explicitFile: reads only this file and those of `FILE.d`, and not those of the system.
    package static func load(explicitFile: String? = nil) -> LoadedConfiguration {
        load(explicitFile.map(ConfigurationFiles.explicit) ?? .system())
    }

    package static func load(
        _ files: ConfigurationFiles, identities: IdentityLookup = .ofThisHost
    ) -> LoadedConfiguration {
        var diagnostics: [Diagnostic] = []
        let paths = files.mains + dropIns(of: files, &diagnostics)
        let required = files.isExplicit ? files.mains : []
        let read = paths.compactMap { file(at: $0, isRequired: required.contains($0), &diagnostics) }
        let result = ConfigurationReader.read(read, identities: identities)
        diagnostics += result.diagnostics
        return LoadedConfiguration(
            configuration: result.configuration, diagnostics: inOrder(diagnostics, of: paths),
            files: read.map(\.path), settings: result.settings)
    }

    /// The paths of the drop-ins, sorted by name.
    private static func dropIns(of files: ConfigurationFiles, _ diagnostics: inout [Diagnostic]) -> [String] {
        var paths: [String: String] = [:]
        for directory in files.dropIns {
            do throws(Errno) {
                for name in try DirectoryListing.names(in: directory) where name.hasSuffix(".conf") {
                    paths[name] = "\(directory)/\(name)"
                }
            } catch  where error != .notFound {
                report("the directory cannot be listed: \(error)", directory, &diagnostics)
            } catch {}
        }
        return paths.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map(\.value)
    }

    /// nil for a file that is not there or cannot be read.
    private static func file(
        at path: String, isRequired: Bool, _ diagnostics: inout [Diagnostic]
    ) -> UnitFile? {
        do throws(Errno) {
            let bytes = try TextFile.read(path, limit: UnitFile.maximumSize)
            return UnitFile(path: path, bytes: bytes, diagnostics: &diagnostics)
        } catch  where error == .notFound && !isRequired {
            return nil
        } catch  where error == .fileTooLarge {
            report("the file has more than \(UnitFile.maximumSize) bytes and is not read", path, &diagnostics)
        } catch {
            report("the file cannot be read: \(error)", path, &diagnostics)
        }
        return nil
    }

    private static func report(_ text: String, _ path: String, _ diagnostics: inout [Diagnostic]) {
        diagnostics.append(Diagnostic(.error, SourceLocation(file: path), text))
    }

    private static func inOrder(_ diagnostics: [Diagnostic], of paths: [String]) -> [Diagnostic] {
        let place = { (diagnostic: Diagnostic) in
            (paths.firstIndex(of: diagnostic.location.file) ?? paths.count, diagnostic.location.line)
        }
        return diagnostics.enumerated().sorted { a, b in
            let (first, second) = (place(a.element), place(b.element))
            return first == second ? a.offset < b.offset : first < second
        }.map(\.element)
    }
}

extension IdentityLookup {
    /// By the databases of this host. A name that cannot be looked up now counts as unknown.
    package static var ofThisHost: IdentityLookup {
        IdentityLookup(
            user: { name in try? UserDatabase.user(named: name) },
            group: { name in try? UserDatabase.group(named: name) })
    }
}

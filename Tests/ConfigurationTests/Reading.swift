import Configuration
import UnitConfig

/// Users and groups that tests know.
let knownIdentities = IdentityLookup(
    user: { ["root": 0, "alice": 1000, "bob": 1001][$0] }, group: { ["kvm": 104, "root": 0][$0] })

/// What comes of these texts, as files `1.conf`, `2.conf`...
func read(_ texts: String...) -> ReadConfiguration {
    var diagnostics: [Diagnostic] = []
    let files = texts.enumerated().map { number, text in
        UnitFile(path: "\(number + 1).conf", bytes: Array(text.utf8), diagnostics: &diagnostics)
    }
    var result = ConfigurationReader.read(files, identities: knownIdentities)
    result.diagnostics = diagnostics + result.diagnostics
    return result
}

extension ReadConfiguration {
    var texts: [String] { diagnostics.map { $0.description } }

    /// `value` or `value (origin)` of a setting.
    func setting(_ title: String, _ key: String) -> String? {
        guard let setting = settings.first(where: { $0.title == title && $0.key == key }) else { return nil }
        let origins = setting.origins.map { $0.description }.joined(separator: " ")
        return origins.isEmpty ? setting.value : "\(setting.value) (\(origins))"
    }
}

import ArgumentParser
import Configuration
import JSON
import UnitConfig

/// `smmuctl config check`: what is wrong with the configuration.
struct ConfigCheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Say what is wrong with the daemon's configuration files.",
        discussion: """
            Reads what the daemon would read now: the files of the system, or only FILE and FILE.d/*.conf. Prints one \
            line per problem, "FILE:LINE: warning: TEXT" or "FILE:LINE: error: TEXT". A warning is about something that \
            has no effect, an error about something whose default is in effect instead.

            EXIT STATUS
              0   there is nothing to complain about
              1   there are warnings or errors

            EXAMPLE
              smmuctl config check /etc/smmu-broker/smmu-broker.conf
            """)

    @Argument(help: ArgumentHelp("Check this file, and not those of the system.", valueName: "file"))
    var file: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let loaded = ConfigurationLoader.load(explicitFile: file)
        let style = Style.ofOutput
        if json {
            let report = JSONObject([
                ("files", .array(loaded.files.map(JSONValue.string))),
                ("problems", .array(loaded.diagnostics.map(\.json))),
            ])
            print(JSONValue.object(report).text(.pretty))
        } else if loaded.diagnostics.isEmpty {
            print(style.good(loaded.praise))
        } else {
            for diagnostic in loaded.diagnostics { print(diagnostic.line(style)) }
        }
        if !loaded.diagnostics.isEmpty { throw ExitCode.failure }
    }
}

extension LoadedConfiguration {
    fileprivate var praise: String {
        switch files.count {
        case 0: "There are no configuration files: the defaults are in effect"
        case 1: "1 file, no problems: \(files[0].visible)"
        default: "\(files.count) files, no problems: \(files.map(\.visible).joined(separator: ", "))"
        }
    }
}

extension Diagnostic {
    fileprivate func line(_ style: Style) -> String {
        let word = severity == .error ? style.bad("error") : style.bold("warning")
        return "\(location.description.visible): \(word): \(text.visible)"
    }

    fileprivate var json: JSONValue {
        .object(
            JSONObject([
                ("severity", .string(severity.rawValue)), ("file", .string(location.file)),
                ("line", location.line > 0 ? JSONValue(UInt64(location.line)) : .null), ("text", .string(text)),
            ]))
    }
}

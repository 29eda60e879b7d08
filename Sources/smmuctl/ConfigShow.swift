import ArgumentParser
import Configuration
import JSON
import UnitConfig

/// `smmuctl config show`: every key with its value and where that comes from.
struct ConfigShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show every key of the configuration with its value, and where that comes from.",
        discussion: """
            Reads what the daemon would read now: the files of the system, or only FILE and FILE.d/*.conf. A value comes \
            from the places that are named behind it, or is the default. Whatever is wrong with the files is for \
            "smmuctl config check" to say; values that are wrong do not show, their defaults do.

            EXIT STATUS
              0   done
              1   FILE cannot be read

            EXAMPLE
              smmuctl config show
            """)

    @Option(help: ArgumentHelp("Show what this file says, and not those of the system.", valueName: "file"))
    var config: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        try reporting(status: .failure) { () throws(Failure) in
            let loaded = ConfigurationLoader.load(explicitFile: config)
            if let config, !loaded.files.contains(config) {
                let reason = loaded.diagnostics.first { $0.location.file == config }?.text ?? "it was not read"
                throw Failure(
                    action: "show \(config)", reason: "\(reason).",
                    advice: "Give the path of a configuration file, or leave --config out for those of the system.")
            }
            print(json ? loaded.json.text(.pretty) : loaded.text(.ofOutput))
            guard !loaded.diagnostics.isEmpty else { return }
            let file = config.map { " \($0)" } ?? ""
            let count = loaded.diagnostics.count
            let problems = count == 1 ? "There is 1 problem" : "There are \(count) problems"
            System.writeError("\(problems): see \"smmuctl config check\(file.visible)\".\n")
        }
    }
}

extension LoadedConfiguration {
    fileprivate func text(_ style: Style) -> String {
        var table = TextTable()
        var title = ""
        for setting in settings {
            if setting.title != title {
                if !title.isEmpty { table.add(line: "") }
                title = setting.title
                table.add(line: style.bold("[\(title.visible)]"))
            }
            let origin = setting.origins.map { $0.description.visible }.joined(separator: ", ")
            table.add("  \(setting.key)", setting.value.visible, origin.isEmpty ? "default" : origin) {
                setting.origins.isEmpty ? style.dim($0) : $0
            }
        }
        return table.lines(indent: 0).joined(separator: "\n")
    }

    fileprivate var json: JSONValue {
        .object(
            JSONObject([
                ("files", .array(files.map(JSONValue.string))), ("settings", .array(settings.map(\.json))),
                ("problems", JSONValue(UInt64(diagnostics.count))),
            ]))
    }
}

extension Setting {
    fileprivate var json: JSONValue {
        let places = origins.map { origin in
            JSONValue.object(
                JSONObject([("file", .string(origin.file)), ("line", JSONValue(UInt64(origin.line)))]))
        }
        return .object(
            JSONObject([
                ("section", .string(section.rawValue)), ("name", name.map(JSONValue.string) ?? .null),
                ("key", .string(key)), ("value", .string(value)), ("origins", .array(places)),
            ]))
    }
}

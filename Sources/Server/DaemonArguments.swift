/// What `smmu-brokerd` is started with.
package struct DaemonArguments: Hashable, Sendable {
    package enum Action: Hashable, Sendable { case serve, checkConfiguration, help, version }

    package var action = Action.serve
    /// nil: the files of the system.
    package var configurationFile: String?

    /// `arguments` are those after the program's name. `--help` and `--version` are done whatever else there is.
    package init(_ arguments: [String]) throws(ArgumentFault) {
        var left = arguments[...]
        while let argument = left.popFirst() {
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            switch String(parts[0]) {
            case "--config", "-c":
                guard let file = parts.count == 2 ? String(parts[1]) : left.popFirst(), !file.isEmpty else {
                    throw .missingFile(argument)
                }
                if configurationFile != nil { throw .repeated(String(parts[0])) }
                configurationFile = file
            case let flag where parts.count == 1: try take(flag)
            default: throw .unwantedValue(String(parts[0]))
            }
        }
    }

    private mutating func take(_ flag: String) throws(ArgumentFault) {
        switch flag {
        case "--check-config": if action == .serve { action = .checkConfiguration }
        case "--help", "-h": action = .help
        case "--version": if action != .help { action = .version }
        default: throw .unknown(flag)
        }
    }

    package static let help = """
        Usage: smmu-brokerd [--config FILE] [--check-config]

        Serves virtual machine monitors that want nested SMMUv3 translation for their guests.

          -c, --config FILE  Read FILE and FILE.d/*.conf instead of smmu-broker.conf in
                             /usr/lib/smmu-broker, /etc/smmu-broker and /run/smmu-broker
              --check-config Say what is wrong with the configuration, and end
          -h, --help         Show this
              --version      Show the version

        SIGHUP reads the configuration anew, SIGTERM ends the daemon.
        Exit status: 0 on success, 1 for a failure, 2 for wrong arguments.

        """
}

/// What is wrong with the arguments.
package enum ArgumentFault: Error, Hashable, Sendable, CustomStringConvertible {
    case unknown(String)
    case missingFile(String)
    case unwantedValue(String)
    case repeated(String)

    package var description: String {
        switch self {
        case .unknown(let argument):
            argument.hasPrefix("-") ? "there is no option '\(argument)'" : "'\(argument)' is not an option"
        case .missingFile(let argument): "'\(argument)' needs the name of a file"
        case .unwantedValue(let option): "'\(option)' takes no value"
        case .repeated(let option): "'\(option)' comes twice"
        }
    }
}

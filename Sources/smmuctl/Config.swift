import ArgumentParser

/// `smmuctl config`: what the daemon's configuration files say.
struct Config: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check the daemon's configuration files, and show what they come to.",
        subcommands: [ConfigCheck.self, ConfigShow.self])
}

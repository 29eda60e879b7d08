import ArgumentParser

/// `smmuctl model`: what has to do with the software SMMU.
struct Model: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure the software SMMU against recordings.", subcommands: [ModelCheck.self])
}

struct ModelCheck: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "check", abstract: "x")
}
struct Translate: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "x")
}

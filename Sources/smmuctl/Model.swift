import ArgumentParser

/// `smmuctl model`: what has to do with the software SMMU.
struct Model: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure the software SMMU against recordings.", subcommands: [ModelCheck.self])
}

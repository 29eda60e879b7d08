import ArgumentParser

/// The command line of smmu-broker.
@main
struct SmmuCtl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "smmuctl",
        abstract: "Look into SMMUv3 structures, recordings and the broker.")
}

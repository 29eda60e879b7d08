import ArgumentParser

/// The command line of smmu-broker.
@main
struct SmmuCtl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "smmuctl",
        abstract: "Look into SMMUv3 structures, recordings of SMMUs, and a running smmu-brokerd.",
        discussion: """
            decode, explain, model and translate work offline: on words copied from a log, or on the directory of an \
            unpacked capture. Nothing is changed, no device is opened and no rights are needed. doctor looks at this \
            host. replay talks to a running smmu-brokerd as a VMM does; the other verbs talk to its admin socket.
            """,
        version: "0.1.0",
        subcommands: [
            Config.self, Decode.self, Doctor.self, ExplainCommand.self, Model.self, ReplayCommand.self, Translate.self,
            StatusCommand.self,
            ListCommand.self, ShowCommand.self, EventsCommand.self, MetricsCommand.self, ReloadCommand.self,
            QuarantineCommand.self, ReleaseCommand.self, TopCommand.self,
        ])
}

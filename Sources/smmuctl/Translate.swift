import ArgumentParser
struct Translate: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "x")
}

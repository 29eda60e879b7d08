/// Something to be measured, and a line of the report.
protocol Benchmark: Sendable {
    var name: String { get }
    var what: String { get }
    func measure(quick: Bool) throws -> Measurement
    /// Runs one side alone, for someone who counts from outside: what leads to the steady state, then `operations`.
    func count(_ side: Side, operations: UInt64) throws
}

/// What there is, in the order of the report.
enum Benchmarks {
    static let all: [any Benchmark] = Case.all + SocketCase.all + ForwardCase.all + StormCase.all + MemoryCase.all

    static func named(_ name: String) throws -> any Benchmark {
        guard let one = all.first(where: { $0.name == name }) else { throw Failure.usage }
        return one
    }
}

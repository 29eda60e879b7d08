import Glibc

/// Compares the model with a C reference that does the same: time in turns, instructions, allocations.
///
///     smmu-broker-bench [CASE...]
///     smmu-broker-bench --count CASE OPERATIONS swift|c
@main
enum Bench {
    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst()
        if arguments.first == "--count" { return try count(Array(arguments.dropFirst())) }
        let cases = arguments.isEmpty ? Case.all : try arguments.map { try Case.named($0).orThrow() }
        let quick = environment("BENCH_QUICK").map { $0 != "0" } ?? false
        var report = Report(jsonPath: environment("BENCH_JSON"))
        report.begin()
        for one in cases {
            var result = try one.measure(rounds: quick ? 5 : 21, quick: quick)
            result.instructions = Instructions.perOperation(one.name, quick: quick)
            report.add(one, result)
        }
        try report.end()
    }

    /// Runs one side alone, for someone who counts from outside.
    private static func count(_ arguments: [String]) throws {
        guard arguments.count == 3, let operations = UInt64(arguments[1]), let side = Side(rawValue: arguments[2])
        else { throw Failure.usage }
        let one = try Case.named(arguments[0]).orThrow()
        let sides = one.makeSides()
        _ = sides.run(side, 0, one.warmUp)
        print(sides.run(side, one.warmUp, operations))
    }

    private static func environment(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        let text = unsafe String(cString: value)
        return text.isEmpty ? nil : text
    }
}

extension Optional where Wrapped == Case {
    fileprivate func orThrow() throws -> Case {
        guard let self else { throw Failure.usage }
        return self
    }
}

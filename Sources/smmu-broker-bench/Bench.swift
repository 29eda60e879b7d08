import Glibc

/// Compares the model and the daemon with C that does the same: time in turns, instructions, allocations.
///
///     smmu-broker-bench [CASE...]
///     smmu-broker-bench --count CASE OPERATIONS swift|c
///     smmu-broker-bench --piped-daemon DIRECTORY
@main
enum Bench {
    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst()
        if arguments.first == "--count" { return try count(Array(arguments.dropFirst())) }
        if arguments.first == "--piped-daemon", arguments.count == 2, let directory = arguments.last {
            return try PipedDaemon.serve(directory)
        }
        let cases = arguments.isEmpty ? Benchmarks.all : try arguments.map(Benchmarks.named)
        let quick = environment("BENCH_QUICK").map { $0 != "0" } ?? false
        var report = Report(jsonPath: environment("BENCH_JSON"))
        report.begin()
        for one in cases { report.add(one, try one.measure(quick: quick)) }
        try report.end(cases)
    }

    private static func count(_ arguments: [String]) throws {
        guard arguments.count == 3, let operations = UInt64(arguments[1]), let side = Side(rawValue: arguments[2])
        else { throw Failure.usage }
        try Benchmarks.named(arguments[0]).count(side, operations: operations)
    }

    private static func environment(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        let text = unsafe String(cString: value)
        return text.isEmpty ? nil : text
    }
}

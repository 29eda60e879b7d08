/// One thing to compare. Both sides do operation `first` to `first + count - 1` and return a sum of what came out.
struct Case: Benchmark {
    let name: String
    let what: String
    /// Operations until both sides are in their steady state.
    let warmUp: UInt64
    /// Operations that take about a hundredth of a second.
    let batch: UInt64
    let makeSides: @Sendable () -> any Sides

    static let all = translations + commands

    func count(_ side: Side, operations: UInt64) {
        let sides = makeSides()
        _ = sides.run(side, 0, warmUp)
        print(sides.run(side, warmUp, operations))
    }
}

/// The two implementations, ready to run.
protocol Sides: AnyObject {
    func swift(_ first: UInt64, _ count: UInt64) -> UInt64
    func reference(_ first: UInt64, _ count: UInt64) -> UInt64
}

enum Side: String, CaseIterable {
    case swift
    case reference = "c"
}

extension Sides {
    func run(_ side: Side, _ first: UInt64, _ count: UInt64) -> UInt64 {
        side == .swift ? swift(first, count) : reference(first, count)
    }
}

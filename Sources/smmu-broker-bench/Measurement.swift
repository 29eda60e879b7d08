import CBenchReference
import Glibc

/// What a case came to.
struct Measurement {
    /// Median time of Swift over the median time of C.
    var ratio = 0.0
    /// The ratio of each pair of rounds, sorted.
    var pairs: [Double] = []
    /// Nanoseconds per operation, by side: medians.
    var nanoseconds: [Side: Double] = [:]
    /// Instructions per operation, by side; nil without valgrind.
    var instructions: [Side: Double]?
    /// Allocations per operation of Swift.
    var allocations = 0.0
}

enum Failure: Error {
    case sidesDisagree(String, UInt64, UInt64)
    case cannotWrite(String)
    case usage
}

extension Case {
    /// Runs both sides in turns: each round is a pair, and each pair begins with the other side.
    func measure(rounds: Int, quick: Bool) throws -> Measurement {
        let sides = makeSides()
        var next: UInt64 = 0
        func round(_ count: UInt64, swiftFirst: Bool) throws -> (swift: Double, reference: Double) {
            var (times, sums) = ([Side: Double](), [Side: UInt64]())
            for side in swiftFirst ? [Side.swift, .reference] : [.reference, .swift] {
                let start = Self.now()
                sums[side] = sides.run(side, next, count)
                times[side] = Double(Self.now() - start) / Double(count)
            }
            next += count
            let (swift, reference) = (sums[.swift, default: 0], sums[.reference, default: 0])
            guard swift == reference else { throw Failure.sidesDisagree(name, swift, reference) }
            return (times[.swift, default: 0], times[.reference, default: 0])
        }
        _ = try round(warmUp, swiftFirst: true)
        let count = quick ? max(batch / 10, 1) : batch
        let pairs = try (0..<rounds).map { try round(count, swiftFirst: $0 % 2 == 0) }

        var result = Measurement()
        let before = ref_allocations()
        _ = sides.swift(next, count)
        result.allocations = Double(ref_allocations() - before) / Double(count)
        let swift = median(pairs.map(\.swift))
        let reference = median(pairs.map(\.reference))
        result.nanoseconds = [.swift: swift, .reference: reference]
        result.ratio = swift / reference
        result.pairs = pairs.map { $0.swift / $0.reference }.sorted()
        return result
    }

    private static func now() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

private func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

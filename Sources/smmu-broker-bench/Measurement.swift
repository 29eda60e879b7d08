import CBenchReference
import Glibc

/// What a case came to; what it does not measure is nil.
struct Measurement {
    /// Median time of Swift over the median time of C.
    var ratio: Double?
    /// The same of the 99th percentile.
    var ratioP99: Double?
    /// The ratio of each pair of rounds, sorted.
    var pairs: [Double] = []
    /// Nanoseconds per operation, by side: medians.
    var nanoseconds: [Side: Double] = [:]
    /// Instructions per operation, by side.
    var instructions: [Side: Double] = [:]
    /// Allocations per operation of Swift.
    var allocations: Double?
    /// Operations a second of Swift; orientation only.
    var rate: Double?
    /// Exact numbers of what was done, by name, for cases that count.
    var counts: [(name: String, value: Double)] = []
    /// Resident memory, of the cases that measure that and nothing else.
    var kibibytes: Double?
}

enum Failure: Error {
    case sidesDisagree(String, UInt64, UInt64)
    case cannotWrite(String)
    case usage
    /// What did not work, and with which errno.
    case system(String, Int32)
    /// The daemon answered otherwise than it has to.
    case refused(String)
    case noDaemon(String)
    /// Records are neither delivered nor counted as lost.
    case unaccounted(String)

    /// For functions that return -errno.
    static func check(_ what: String, _ status: Int32) throws {
        if status < 0 { throw Failure.system(what, -status) }
    }
}

extension Case {
    /// Runs both sides in turns: each round is a pair, and each pair begins with the other side.
    func measure(quick: Bool) throws -> Measurement {
        let rounds = quick ? 5 : 21
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
        result.ratioP99 = percentile(99, of: result.pairs)
        result.rate = 1e9 / swift
        result.instructions = Instructions.perOperation(name, operations: counted(quick: quick))
        return result
    }

    /// How many operations are counted under callgrind: few of those that scan a whole cache.
    private func counted(quick: Bool) -> UInt64 {
        name.hasPrefix("tlbi-asid") || name.hasSuffix("global") ? 100 : (quick ? 2000 : 10_000)
    }

    private static func now() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/// The nearest rank; `sorted` is not empty.
func percentile<Value>(_ percent: Int, of sorted: [Value]) -> Value {
    sorted[max(0, (sorted.count * percent + 99) / 100 - 1)]
}

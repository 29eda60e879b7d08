import CBenchReference

/// Two servers and one client, which asks them in turns.
struct RoundTrips {
    private let script: Script
    private let clients: [Side: ref_client]
    private var next: UInt64 = 0
    private var samples: [Side: [UInt32]] = [:]

    init(_ script: Script, _ clients: [Side: ref_client]) { (self.script, self.clients) = (script, clients) }

    /// The first of `rounds` is for warming up. Each round is a pair, and each pair begins with the other side.
    consuming func measure(rounds: Int, requests: Int) throws -> Measurement {
        try round(requests, first: .swift)
        samples = [:]
        var pairs: [Double] = []
        for index in 0..<rounds {
            let medians = try round(requests, first: index % 2 == 0 ? .swift : .reference)
            pairs.append(Double(medians[.swift, default: 0]) / Double(medians[.reference, default: 1]))
        }
        let sorted = samples.mapValues { $0.sorted() }
        guard let swift = sorted[.swift], let reference = sorted[.reference] else { throw Failure.usage }
        var result = Measurement()
        result.ratio = Double(percentile(50, of: swift)) / Double(percentile(50, of: reference))
        result.ratioP99 = Double(percentile(99, of: swift)) / Double(percentile(99, of: reference))
        result.pairs = pairs.sorted()
        result.nanoseconds = sorted.mapValues { Double(percentile(50, of: $0)) }
        result.rate = Double(swift.count) * 1e9 / swift.reduce(0) { $0 + Double($1) }
        return result
    }

    /// The median of each side.
    @discardableResult
    private mutating func round(_ requests: Int, first: Side) throws -> [Side: UInt32] {
        var medians: [Side: UInt32] = [:]
        for side in [first, first == .swift ? Side.reference : .swift] {
            guard let client = clients[side] else { throw Failure.usage }
            var times = [UInt32](repeating: 0, count: requests)
            let status = unsafe script.withReference { script in
                unsafe ref_client_run(client, script, next, UInt64(requests), &times)
            }
            try Failure.check("ask the \(side == .swift ? "daemon" : "echo server")", status)
            samples[side, default: []] += times
            medians[side] = percentile(50, of: times.sorted())
        }
        next += UInt64(requests)
        return medians
    }
}

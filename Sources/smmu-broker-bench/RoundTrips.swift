import CBenchReference

/// Two things that are measured in turns, by how long each of many operations takes.
struct RoundTrips {
    /// Does as many operations as there is room for times, from `first` on, and fills in the nanoseconds of each.
    typealias Operations = (_ first: UInt64, _ times: inout [UInt32]) throws -> Void

    private let sides: [Side: Operations]
    private var next: UInt64 = 0
    private var samples: [Side: [UInt32]] = [:]

    init(_ sides: [Side: Operations]) { self.sides = sides }

    /// One client asks two servers.
    init(_ script: Script, _ clients: [Side: ref_client]) {
        self.init(
            clients.mapValues { client in
                { first, times in try script.ask(client, first, &times) }
            })
    }

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
            guard let operations = sides[side] else { throw Failure.usage }
            var times = [UInt32](repeating: 0, count: requests)
            try operations(next, &times)
            samples[side, default: []] += times
            medians[side] = percentile(50, of: times.sorted())
        }
        next += UInt64(requests)
        return medians
    }
}

extension Script {
    /// Asks for as many packets as there is room for times, from packet `first` on.
    func ask(_ client: ref_client, _ first: UInt64, _ times: inout [UInt32]) throws {
        let status = unsafe withReference { script in
            unsafe ref_client_run(client, script, first, UInt64(times.count), &times)
        }
        try Failure.check("ask a server", status)
    }
}

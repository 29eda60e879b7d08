/// OpenMetrics text 1.0, read strictly: what a scraper would refuse, this does.
struct OpenMetrics {
    struct Sample: Hashable {
        var name: String
        var labels: [String: String]
        var value: Double
    }

    struct Family {
        var type: String
        var help: String
        var samples: [Sample] = []
    }

    struct Mistake: Error, CustomStringConvertible {
        var description: String
    }

    private(set) var families: [String: Family] = [:]
    /// In the order of the text.
    private(set) var samples: [Sample] = []

    private static let suffixes: [String: [String]] = [
        "counter": ["_total"], "gauge": [""], "info": ["_info"], "summary": ["", "_count", "_sum"],
        "histogram": ["_bucket", "_count", "_sum"],
    ]

    init(_ text: String) throws {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard lines.popLast()?.isEmpty == true, lines.popLast() == "# EOF" else { throw Mistake(description: "no end") }
        var current = ""
        var seen: Set<Sample> = []
        for line in lines {
            if let type = line.wholeMatch(of: /# TYPE ([a-z][a-z0-9_]*) ([a-z]+)/) {
                current = String(type.1)
                guard families[current] == nil else { throw Mistake(description: "\(current) twice") }
                guard Self.suffixes[String(type.2)] != nil else { throw Mistake(description: line) }
                families[current] = Family(type: String(type.2), help: "")
            } else if let help = line.wholeMatch(of: /# HELP ([a-z0-9_]+) (.+)/) {
                guard help.1 == current, families[current]?.help.isEmpty == true else {
                    throw Mistake(description: line)
                }
                families[current]?.help = String(help.2)
            } else {
                let sample = try Self.sample(line)
                guard let family = families[current], let allowed = Self.suffixes[family.type],
                    allowed.contains(where: { current + $0 == sample.name })
                else { throw Mistake(description: "\(line) is not of \(current)") }
                guard seen.insert(Sample(name: sample.name, labels: sample.labels, value: 0)).inserted else {
                    throw Mistake(description: "\(line) is there twice")
                }
                families[current]?.samples.append(sample)
                samples.append(sample)
            }
        }
        for (name, family) in families {
            if family.help.isEmpty { throw Mistake(description: "\(name) has no help") }
            if family.type == "histogram" { try Self.checkHistogram(name, family) }
            if family.type == "counter", family.samples.contains(where: { $0.value < 0 }) {
                throw Mistake(description: "\(name) is below 0")
            }
        }
    }

    private static func sample(_ line: String) throws -> Sample {
        guard let match = line.wholeMatch(of: /([a-z][a-z0-9_]*)(?:\{(.*)\})? ([0-9]+(?:\.[0-9]+)?)/),
            let value = Double(match.3)
        else { throw Mistake(description: "not a sample: \(line)") }
        var labels: [String: String] = [:]
        var rest = match.2 ?? ""
        while !rest.isEmpty {
            guard let label = rest.prefixMatch(of: /([a-z][a-z0-9_]*)="([^"\\\n]*)"(,|$)/) else {
                throw Mistake(description: "labels of \(line)")
            }
            guard labels.updateValue(String(label.2), forKey: String(label.1)) == nil else {
                throw Mistake(description: "a label twice: \(line)")
            }
            rest = rest[label.range.upperBound...]
            if rest.isEmpty, label.3 == "," { throw Mistake(description: "a comma at the end: \(line)") }
        }
        return Sample(name: String(match.1), labels: labels, value: value)
    }

    /// Buckets in the order of their bounds, never decreasing, `+Inf` last and equal to the count.
    private static func checkHistogram(_ name: String, _ family: Family) throws {
        func others(_ sample: Sample) -> [String: String] { sample.labels.filter { $0.key != "le" } }
        for labels in Set(family.samples.map(others)) {
            let mine = family.samples.filter { others($0) == labels }
            let buckets = mine.filter { $0.name == name + "_bucket" }
            let bounds = buckets.map {
                $0.labels["le"] == "+Inf" ? Double.infinity : Double($0.labels["le"] ?? "") ?? -1
            }
            let count = mine.first { $0.name == name + "_count" }?.value
            guard bounds.last == .infinity, bounds == bounds.sorted(), Set(bounds).count == bounds.count,
                buckets.map(\.value) == buckets.map(\.value).sorted(), buckets.last?.value == count,
                mine.contains(where: { $0.name == name + "_sum" })
            else { throw Mistake(description: "the histogram \(name) of \(labels)") }
        }
    }

    func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        samples.first { $0.name == "smmu_broker_" + name && $0.labels == labels }?.value
    }
}

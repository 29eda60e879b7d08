import Glibc
import JSON

/// Prints the table, and keeps a line of JSON for each case.
struct Report {
    private let jsonPath: String?
    private var lines: [UInt8] = []

    init(jsonPath: String?) { self.jsonPath = jsonPath }

    func begin() {
        print("Swift against C; instructions and allocations per operation. Times are orientation only.\n")
        row("case", "p50 ratio", "p99 ratio", "pairs", "instr.", "C instr.", "instr. ratio", "allocs", "ns", "C ns")
    }

    mutating func add(_ one: any Benchmark, _ result: Measurement) {
        let swift = result.instructions[.swift]
        let reference = result.instructions[.reference]
        var instructionRatio: Double?
        if let swift, let reference { instructionRatio = swift / reference }
        if let kibibytes = result.kibibytes {
            row(one.name, "\(kibibytes.text(0)) KiB")
        } else if result.ratio != nil {
            row(
                one.name, text(result.ratio, 2), text(result.ratioP99, 2), spread(result.pairs), text(swift, 0),
                text(reference, 0), text(instructionRatio, 2),
                text(result.allocations, result.allocations == 0 ? 0 : 3),
                text(result.nanoseconds[.swift], 1), text(result.nanoseconds[.reference], 1))
        }
        if !result.counts.isEmpty {
            let counts = result.counts.map { "\($0.name) \($0.value.text($0.value < 1000 ? 1 : 0))" }
            print(one.name.padded(16) + counts.joined(separator: ", "))
        }
        func number(_ value: Double?) -> JSONValue { value.map(JSONValue.double) ?? .null }
        var members: [(String, JSONValue)] = [
            ("name", .string(one.name)), ("ratio_p50", number(result.ratio)), ("ratio_p99", number(result.ratioP99)),
            ("allocations", number(result.allocations)), ("instructions", number(swift)), ("rate", number(result.rate)),
            ("reference_instructions", number(reference)), ("pairs", .array(result.pairs.map(JSONValue.double))),
            ("ns", number(result.nanoseconds[.swift])), ("reference_ns", number(result.nanoseconds[.reference])),
        ]
        if let kibibytes = result.kibibytes { members.append(("kib", .double(kibibytes))) }
        if !result.counts.isEmpty { members.append(("counts", .array(result.counts.map { .double($0.value) }))) }
        lines += JSONValue.object(JSONObject(members)).encoded() + [10]
    }

    func end(_ cases: [any Benchmark]) throws {
        print("")
        for one in cases { print("\(one.name.padded(16)) \(one.what)") }
        guard let jsonPath else { return }
        guard let file = unsafe fopen(jsonPath, "w") else { throw Failure.cannotWrite(jsonPath) }
        let written = unsafe fwrite(lines, 1, lines.count, file)
        guard unsafe fclose(file) == 0, written == lines.count else { throw Failure.cannotWrite(jsonPath) }
    }

    /// The middle half of the pairs.
    private func spread(_ pairs: [Double]) -> String {
        guard !pairs.isEmpty else { return "-" }
        let quarter = pairs.count / 4
        return "\(pairs[quarter].text(2))-\(pairs[pairs.count - 1 - quarter].text(2))"
    }

    private func text(_ value: Double?, _ decimals: Int) -> String { value?.text(decimals) ?? "-" }

    private func row(_ name: String, _ columns: String...) {
        print(name.padded(16) + columns.map { $0.padded(12, left: true) }.joined())
        fflush(nil)
    }
}

extension Double {
    /// With a fixed number of decimals.
    fileprivate func text(_ decimals: Int) -> String {
        let scale = (0..<decimals).reduce(1.0) { product, _ in product * 10 }
        let scaled = Int64((self * scale).rounded())
        guard decimals > 0 else { return "\(scaled)" }
        let digits = "\(scaled.magnitude)".padded(decimals + 1, left: true, with: "0")
        return (scaled < 0 ? "-" : "") + digits.dropLast(decimals) + "." + digits.suffix(decimals)
    }
}

extension String {
    fileprivate func padded(_ width: Int, left: Bool = false, with pad: Character = " ") -> String {
        let padding = String(repeating: pad, count: max(0, width - count))
        return left ? padding + self : self + padding
    }
}

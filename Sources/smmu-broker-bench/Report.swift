import Glibc
import JSON

/// Prints the table, and keeps a line of JSON for each case.
struct Report {
    private let jsonPath: String?
    private var lines: [UInt8] = []

    init(jsonPath: String?) { self.jsonPath = jsonPath }

    func begin() {
        print("Swift against C; instructions and allocations per operation. Times are orientation only.\n")
        row("case", "ratio", "pairs", "instr.", "C instr.", "instr. ratio", "allocs", "ns", "C ns")
    }

    mutating func add(_ one: Case, _ result: Measurement) {
        let instructions = result.instructions
        let swift = instructions?[.swift]
        let reference = instructions?[.reference]
        let middle = result.pairs.count / 4
        let spread = "\(result.pairs[middle].text(2))-\(result.pairs[result.pairs.count - 1 - middle].text(2))"
        var instructionRatio: Double?
        if let swift, let reference { instructionRatio = swift / reference }
        row(
            one.name, result.ratio.text(2), spread, swift?.text(0) ?? "-", reference?.text(0) ?? "-",
            instructionRatio?.text(2) ?? "-", result.allocations.text(result.allocations == 0 ? 0 : 3),
            result.nanoseconds[.swift, default: 0].text(1), result.nanoseconds[.reference, default: 0].text(1))
        let object: JSONValue = .object(
            JSONObject([
                ("name", .string(one.name)), ("ratio", .double(result.ratio)),
                ("pairs", .array(result.pairs.map(JSONValue.double))),
                ("instructions", swift.map(JSONValue.double) ?? .null),
                ("reference_instructions", reference.map(JSONValue.double) ?? .null),
                ("allocations", .double(result.allocations)),
                ("ns", .double(result.nanoseconds[.swift, default: 0])),
                ("reference_ns", .double(result.nanoseconds[.reference, default: 0])),
            ]))
        lines += object.encoded() + [10]
    }

    func end() throws {
        print("")
        for one in Case.all { print("\(one.name.padded(16)) \(one.what)") }
        guard let jsonPath else { return }
        guard let file = unsafe fopen(jsonPath, "w") else { throw Failure.cannotWrite(jsonPath) }
        let written = unsafe fwrite(lines, 1, lines.count, file)
        guard unsafe fclose(file) == 0, written == lines.count else { throw Failure.cannotWrite(jsonPath) }
    }

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

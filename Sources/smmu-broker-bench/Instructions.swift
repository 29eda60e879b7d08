import Glibc

/// Counts instructions by running this program again under callgrind: with a number of operations and with none, which
/// costs the start and the warm-up alone.
enum Instructions {
    /// Instructions per operation by side; nothing without valgrind. `functions`: only what these do and call, by side; a
    /// pattern with `*`. Nothing is timed meanwhile, so all runs go on at the same time.
    static func perOperation(
        _ name: String, operations: UInt64, within functions: [Side: String] = [:]
    ) -> [Side: Double] {
        let runs = Side.allCases.map { side in
            (side, Run(name, side, operations, functions[side]), Run(name, side, 0, functions[side]))
        }
        var result: [Side: Double] = [:]
        for (side, all, none) in runs {
            guard let all = all.total(), let none = none.total() else { continue }
            result[side] = (Double(all) - Double(none)) / Double(operations)
        }
        return result
    }
}

/// A run under callgrind.
@safe private struct Run {
    private let output: UnsafeMutablePointer<FILE>?

    init(_ name: String, _ side: Side, _ operations: UInt64, _ function: String?) {
        let arguments = "--count \(name) \(operations) \(side.rawValue)"
        // Hash tables whose seed is fixed make the two starts alike.
        let command =
            "exec env SWIFT_DETERMINISTIC_HASHING=1 valgrind --tool=callgrind --callgrind-out-file=/dev/null "
            + (function.map { "--toggle-collect='\($0)' " } ?? "")
            + "\"$(readlink /proc/\(getpid())/exe)\" \(arguments) 2>&1"
        unsafe output = popen(command, "r")
    }

    /// Waits for its end; nil when it did not come to a number. Once.
    func total() -> UInt64? {
        guard let output = unsafe output else { return nil }
        defer { unsafe pclose(output) }
        var result: UInt64?
        while let line = unsafe Self.readLine(from: output) {
            // ==pid== Collected : 123456
            let words = line.split(separator: " ")
            if let index = words.firstIndex(of: "Collected"), index + 2 < words.count {
                result = UInt64(words[index + 2])
            }
        }
        return result
    }

    private static func readLine(from stream: UnsafeMutablePointer<FILE>) -> String? {
        var buffer = [CChar](repeating: 0, count: 1024)
        guard unsafe fgets(&buffer, 1024, stream) != nil else { return nil }
        return String(decoding: buffer.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

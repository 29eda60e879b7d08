import Glibc

/// Counts instructions by running this program again under callgrind: with a number of operations and with none, which
/// costs the start and the warm-up alone.
enum Instructions {
    /// Instructions per operation by side; nothing without valgrind. `within`: only what this function does and calls.
    static func perOperation(_ name: String, operations: UInt64, within function: String? = nil) -> [Side: Double] {
        var result: [Side: Double] = [:]
        for side in Side.allCases {
            guard let all = total(name, side, operations, function), let start = total(name, side, 0, function)
            else { return [:] }
            result[side] = (Double(all) - Double(start)) / Double(operations)
        }
        return result
    }

    private static func total(_ name: String, _ side: Side, _ operations: UInt64, _ function: String?) -> UInt64? {
        let arguments = "--count \(name) \(operations) \(side.rawValue)"
        // Hash tables whose seed is fixed make the two starts alike.
        let command =
            "exec env SWIFT_DETERMINISTIC_HASHING=1 valgrind --tool=callgrind --callgrind-out-file=/dev/null "
            + (function.map { "--toggle-collect=\($0) " } ?? "")
            + "\"$(readlink /proc/\(getpid())/exe)\" \(arguments) 2>&1"
        guard let output = unsafe popen(command, "r") else { return nil }
        defer { unsafe pclose(output) }
        var result: UInt64?
        while let line = unsafe readLine(from: output) {
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

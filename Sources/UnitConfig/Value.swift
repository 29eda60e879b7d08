/// Why a value is not what its key wants: the end of a sentence that begins with the value.
package struct ValueFault: Error, Hashable, Sendable {
    package let reason: String
    package init(_ reason: String) { self.reason = reason }
}

/// Readers of values, and the texts that read back equal.
package enum Value {
    /// `yes`, `no`, `true`, `false`, `on`, `off`, `1`, `0`, in letters of either case.
    package static func boolean(_ text: String) throws(ValueFault) -> Bool {
        switch text.lowercased() {
        case "yes", "true", "on", "1": return true
        case "no", "false", "off", "0": return false
        default: throw ValueFault("is neither yes nor no")
        }
    }

    /// Decimal, or hexadecimal behind `0x`.
    package static func integer(_ text: String, in range: ClosedRange<UInt64>) throws(ValueFault) -> UInt64 {
        let isHexadecimal = text.hasPrefix("0x") || text.hasPrefix("0X")
        let digits = text.utf8.dropFirst(isHexadecimal ? 2 : 0)
        guard let value = number(digits, radix: isHexadecimal ? 16 : 10) else {
            throw ValueFault("is not a whole number such as 10 or 0x1f")
        }
        guard range.contains(value) else { throw outside(range, String.init) }
        return value
    }

    /// Bytes: a number with K, M, G, T or P behind it, powers of 1024, or with nothing or B.
    package static func size(_ text: String, in range: ClosedRange<UInt64>) throws(ValueFault) -> UInt64 {
        let (digits, unit) = split(text)
        guard let number = number(digits, radix: 10), let shift = sizeShifts[unit] else {
            throw ValueFault("is not a size such as 64K, 2G or 1T")
        }
        let (value, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
        guard !overflow, range.contains(value) else { throw outside(range, sizeText) }
        return value
    }

    private static let sizeShifts: [String: UInt64] = ["": 0, "B": 0, "K": 10, "M": 20, "G": 30, "T": 40, "P": 50]

    /// In the largest unit that leaves no fraction.
    package static func sizeText(_ bytes: UInt64) -> String {
        for (unit, shift) in [("P", 50), ("T", 40), ("G", 30), ("M", 20), ("K", 10)] {
            let size = UInt64(1) << UInt64(shift)
            if bytes >= size, bytes % size == 0 { return "\(bytes / size)\(unit)" }
        }
        return String(bytes)
    }

    /// Milliseconds: numbers with `ms`, `s`, `min`, `h` or `d` behind them, added up; seconds without a unit.
    package static func duration(_ text: String, in range: ClosedRange<UInt64>) throws(ValueFault) -> UInt64 {
        var total: UInt64 = 0
        var rest = text[...]
        repeat {
            let (digits, unit) = split(String(rest))
            let word = unit.prefix { !$0.isNumber }
            let name = String(word.filter { $0 != " " })
            guard let number = number(digits, radix: 10), let factor = durationUnits[name] else {
                throw ValueFault("is not a time such as 30s, 5min, 2h or 100ms")
            }
            let (product, overflow) = number.multipliedReportingOverflow(by: factor)
            let (sum, overflowOfSum) = total.addingReportingOverflow(product)
            guard !overflow, !overflowOfSum else { throw outside(range, durationText) }
            total = sum
            rest = unit.dropFirst(word.count)
        } while !rest.isEmpty
        guard range.contains(total) else { throw outside(range, durationText) }
        return total
    }

    private static let durationUnits: [String: UInt64] = [
        "": 1000, "ms": 1, "msec": 1, "s": 1000, "sec": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000,
        "hr": 3_600_000, "d": 86_400_000,
    ]

    /// In the largest unit that leaves no fraction.
    package static func durationText(_ milliseconds: UInt64) -> String {
        let units: [(String, UInt64)] = [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000)]
        for (unit, factor) in units where milliseconds > 0 && milliseconds % factor == 0 {
            return "\(milliseconds / factor)\(unit)"
        }
        return "\(milliseconds)ms"
    }

    /// One of a few words.
    package static func word<Choice: CaseIterable & RawRepresentable<String>>(
        _ text: String, of type: Choice.Type
    ) throws(ValueFault) -> Choice {
        if let choice = Choice(rawValue: text) { return choice }
        let choices = type.allCases.map(\.rawValue)
        let hint = NearMiss.best(for: text, among: choices).map { ": did you mean `\($0)`?" } ?? ""
        throw ValueFault("is none of: \(choices.joined(separator: ", "))\(hint)")
    }

    // MARK: - Parts

    /// The digits at the beginning, and the rest without blanks before it.
    private static func split(_ text: String) -> (digits: Substring.UTF8View, rest: String) {
        let digits = text.utf8.prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
        return (Substring(digits).utf8, String(decoding: text.utf8.dropFirst(digits.count).trimmed, as: UTF8.self))
    }

    /// nil without digits, with a sign, or beyond 64 bits.
    private static func number(_ digits: some Collection<UInt8>, radix: UInt64) -> UInt64? {
        guard !digits.isEmpty else { return nil }
        var value: UInt64 = 0
        for digit in digits {
            guard let digit = Character(Unicode.Scalar(digit)).hexDigitValue, digit < radix else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: radix)
            let (sum, overflowOfSum) = product.addingReportingOverflow(UInt64(digit))
            guard !overflow, !overflowOfSum else { return nil }
            value = sum
        }
        return value
    }

    private static func outside(_ range: ClosedRange<UInt64>, _ text: (UInt64) -> String) -> ValueFault {
        ValueFault("is not between \(text(range.lowerBound)) and \(text(range.upperBound))")
    }
}

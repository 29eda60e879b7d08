import ArgumentParser

/// A number on the command line: decimal, or hexadecimal behind `0x`. Groups of digits may be set apart by `_`.
struct Number<Value: FixedWidthInteger & UnsignedInteger>: ExpressibleByArgument {
    let value: Value

    init?(argument: String) {
        let isHexadecimal = argument.hasPrefix("0x") || argument.hasPrefix("0X")
        let digits = argument.dropFirst(isHexadecimal ? 2 : 0).filter { $0 != "_" }
        // Value(_:radix:) takes a sign, which is no digit.
        guard digits.allSatisfy(\.isASCII), digits.first?.isHexDigit == true,
            let value = Value(digits, radix: isHexadecimal ? 16 : 10)
        else { return nil }
        self.value = value
    }
}

/// A register on the command line: hexadecimal, with or without `0x`.
struct RegisterValue: ExpressibleByArgument {
    let value: UInt32

    init?(argument: String) {
        let hasPrefix = argument.hasPrefix("0x") || argument.hasPrefix("0X")
        guard let number = Number<UInt32>(argument: "0x\(argument.dropFirst(hasPrefix ? 2 : 0))") else { return nil }
        value = number.value
    }
}

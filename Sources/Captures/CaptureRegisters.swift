/// The registers of the SMMU at the moment of the capture.
package struct CaptureRegisters: Equatable, Sendable {
    /// All that have a number, by the names of IHI 0070 without the `SMMU_` in front, except that CR0ACK, IRQ_CTRL and the queue
    /// registers are spelt as in the file.
    package let values: [String: UInt64]

    /// The value of a register; nil if the capture does not have it.
    package subscript(name: String) -> UInt64? { values[name] }

    /// IDR0 to IDR5.
    package let idr: [UInt32]
    package let iidr: UInt32
    package let aidr: UInt32
    package let cr0: UInt32
    package let cr1: UInt32
    package let cr2: UInt32
    package let gbpa: UInt32
    package let strtabBase: UInt64
    package let strtabBaseConfig: UInt32

    /// The registers that a translation depends on.
    static let used: Set = [
        "IDR0", "IDR1", "IDR2", "IDR3", "IDR4", "IDR5", "IIDR", "AIDR", "CR0", "CR1", "CR2", "GBPA", "STRTAB_BASE",
        "STRTAB_BASE_CFG",
    ]

    /// Takes the registers that a translation depends on out of all; those that say nothing when zero may be missing.
    init(_ values: [String: UInt64]) throws(FieldError) {
        func required(_ name: String) throws(FieldError) -> UInt64 {
            guard let value = values[name] else { throw FieldError("The register \(name) is missing.") }
            return value
        }
        func word(_ name: String, _ value: UInt64) throws(FieldError) -> UInt32 {
            guard let word = UInt32(exactly: value) else { throw FieldError("The register \(name) has 32 bits.") }
            return word
        }
        func optionalWord(_ name: String) throws(FieldError) -> UInt32 { try word(name, values[name] ?? 0) }

        self.values = values
        idr = [
            try word("IDR0", try required("IDR0")), try word("IDR1", try required("IDR1")),
            try optionalWord("IDR2"), try optionalWord("IDR3"), try optionalWord("IDR4"),
            try word("IDR5", try required("IDR5")),
        ]
        iidr = try optionalWord("IIDR")
        aidr = try optionalWord("AIDR")
        cr0 = try optionalWord("CR0")
        cr1 = try optionalWord("CR1")
        cr2 = try optionalWord("CR2")
        gbpa = try optionalWord("GBPA")
        strtabBase = try required("STRTAB_BASE")
        strtabBaseConfig = try word("STRTAB_BASE_CFG", try required("STRTAB_BASE_CFG"))
    }
}

import ArgumentParser
import JSON

/// `smmuctl decode`: a structure out of its words.
struct Decode: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what an STE, a CD, a command or an event means, and whether it is right.",
        discussion: """
            Words are taken as Linux prints them: 64-bit words in order, up to 16 hexadecimal digits each, with or \
            without 0x; missing words at the end are 0. One argument of 32 digits (a command), 64 (an event) or 128 \
            (an STE or a CD) is the bytes in memory order.

            There are two verdicts: that of the architecture on an SMMU with all features, and that of a vSMMU whose \
            stage 1 runs nested on the host's SMMU. Both depend on ID registers, which the output names and the options \
            replace.

            EXAMPLES
              smmuctl decode ste 000000008001234b 00000000080000d4
              smmuctl decode event 0x0000002000000010 0x0000020800000000 0xdead0000
              smmuctl decode --json command 46000000000000000000000000000000
            """)

    @Argument(help: "What it is: ste, cd, command or event.")
    var kind: StructureKind

    @Argument(help: ArgumentHelp("Its words, or all its bytes in memory order.", valueName: "hex"))
    var words: [String]

    @Flag(help: "Print one JSON object.")
    var json = false

    @OptionGroup(title: "ID registers to judge by")
    var registers: RegisterOptions

    func run() throws {
        var values: [UInt64] = []
        try reporting(status: .validationFailure) { () throws(Failure) in values = try kind.words(words) }
        try reporting(status: .failure) { () throws(Failure) in
            let assumed = try registers.registers()
            let decoded = Decoded(kind, values, assumed)
            print(json ? decoded.json(assumed).text(.pretty) : decoded.text(assumed, .ofOutput))
        }
    }
}

import ArgumentParser
import Captures
import JSON
import SMMUModel
import SMMUv3

/// `smmuctl translate`: one address, step by step.
struct Translate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Follow one address through the tables of a capture.",
        discussion: """
            Shows each table that is read, the descriptor in it and what it decides. With two stages the stage 2 walk \
            that finds a descriptor stands indented below it. Then the result: the output address, or the event, whether \
            it is recorded, and what the device sees.

            Caches are cold, as after a reset. Of a capture with a script the state before its first step counts.

            EXAMPLE
              smmuctl translate --capture lin-4k-nested --sid 152 --iova 0x40009000
            """)

    @Option(help: ArgumentHelp("The capture, an unpacked directory.", valueName: "dir"))
    var capture: String

    @Option(help: ArgumentHelp("The StreamID, decimal or 0x.", valueName: "n"))
    var sid: Number<UInt32>

    @Option(help: ArgumentHelp("The device's address, decimal or 0x.", valueName: "address"))
    var iova: Number<UInt64>

    @Option(help: ArgumentHelp("The SubstreamID, if the access has one.", valueName: "n"))
    var ssid: Number<UInt32>?

    @Flag(help: "A write; else a read.")
    var write = false

    @Flag(help: "A privileged access.")
    var privileged = false

    @Flag(help: "An instruction fetch.")
    var execute = false

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        if write && execute { throw ValidationError("An instruction fetch is a read: give --write or --execute.") }
        if let ssid, ssid.value >= 1 << 20 { throw ValidationError("A SubstreamID has at most 20 bits.") }
    }

    func run() throws {
        try reporting(status: .failure) { () throws(Failure) in
            let capture = try openCapture(capture, to: "translate by")
            let transaction = Transaction(
                StreamID(sid.value), iova.value, substreamID: ssid.map { SubstreamID($0.value) }, write: write,
                privileged: privileged, instruction: execute)
            let report = TranslationReport(capture, transaction)
            print(json ? report.json.text(.pretty) : report.text(.ofOutput))
        }
    }
}

import ArgumentParser
import BrokerClient
import JSON
import SMMUModel
import SMMUv3
import Wire

/// `smmuctl explain`: an event in words.
struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say in words what an event record means, who is at fault, and what to look at.",
        discussion: """
            The record is given by its words, as for "smmuctl decode event"; or it is the newest fault that the broker \
            remembers, with --last. Of a device that the broker has, by --last or by --vm, the installed STE and the \
            last invalidations are shown too, and the access is followed through the guest's tables, as they are now, \
            where the broker has guest memory at hand. With --capture it is followed through the tables of a capture.

            EXIT STATUS
              0    done
              1    it failed
              3    the broker does not run
              4    the broker remembers no fault
              64   wrong usage

            EXAMPLES
              smmuctl explain 0x0000002000000010 0x0000020800000000 0xdead0000
              smmuctl explain --last --vm web1
            """)

    @Argument(help: ArgumentHelp("The record's words, or all its bytes in memory order.", valueName: "hex"))
    var words: [String] = []
    @Flag(help: "Explain the newest fault that the broker remembers.")
    var last = false
    @Option(help: ArgumentHelp("Only of this VM; with words: whose device it was.", valueName: "name"))
    var vm: String?
    @Option(help: ArgumentHelp("Follow the access in this capture, an unpacked directory.", valueName: "dir"))
    var capture: String?
    @OptionGroup var admin: AdminOptions
    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        if last == !words.isEmpty { throw ValidationError("Give the words of an event, or --last.") }
    }

    func run() throws {
        var values: [UInt64] = []
        if !last {
            try reporting(status: .validationFailure) { () throws(Failure) in
                values = try StructureKind.event.words(words)
            }
        }
        try reporting { () throws(Failure) in
            let subject = try self.subject(values)
            var walk: TranslationReport?
            if let capture {
                walk = TranslationReport(
                    try openCapture(capture, to: "follow the access in"), Transaction(subject.record))
            }
            let report = ExplanationReport(subject, walk: walk)
            print(json ? report.json.text(.pretty) : report.text(.ofOutput))
        }
    }

    private func subject(_ words: [UInt64]) throws(Failure) -> EventSubject {
        if last { return try newest() }
        let record = EventRecord(words: SIMD4(words))
        guard let vm else { return EventSubject(record) }
        let action = "explain an event of VM \(vm)"
        let found = try admin.ask(action) { client throws(BrokerError) in try EventSubject(record, ofVM: vm, client) }
        if let found { return found }
        throw Failure(
            action: action,
            reason: "it has no device with the vSID \(record.streamID.rawValue), or there is no such VM.",
            advice: "Without --vm the event is explained by itself.", status: .noSuchObject)
    }

    private func newest() throws(Failure) -> EventSubject {
        let action = "explain the newest fault"
        let found = try admin.ask(action) { client throws(BrokerError) in try EventSubject(newestOf: vm, client) }
        if let found { return found }
        throw Failure(
            action: action, reason: "the broker remembers none\(vm.map { " of VM \($0)" } ?? "").",
            advice: "Older ones may be in the journal: journalctl -u smmu-brokerd -g 'F_|C_'.", status: .noSuchObject)
    }
}

extension Transaction {
    /// The access that a record tells of; of an event without address that of address 0, which ends before it counts.
    init(_ record: EventRecord) {
        let substream = record.id == .badSubstreamID ? record.badSubstreamID : record.substreamID
        let names = record.id?.fields.map(\.name) ?? []
        let hasAddress = names.contains("InputAddr")
        let write = names.contains("RnW") && !record.read
        self.init(
            record.streamID, hasAddress ? record.inputAddress : 0, substreamID: substream, write: write,
            privileged: hasAddress && record.privileged, instruction: hasAddress && !write && record.instruction)
    }
}

import ArgumentParser
import BrokerClient
import JSON
import SMMUv3
import Wire

/// `smmuctl events`: faults, and what else happens.
struct EventsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "Show faults, and what else happened to sessions and devices.",
        discussion: """
            Shows the last few hundred that the broker remembers; with --follow also those that come, until it is \
            interrupted. Who does not keep up is told how many are left out.

            \(AdminHelp.exitStatus)

            EXAMPLE
              smmuctl events --follow --vm web1
              smmuctl events --faults --device 0000:01:00.0 --kind F_TRANSLATION --kind F_PERMISSION
            """)

    @OptionGroup var admin: AdminOptions
    @Flag(help: "Go on with those that come.")
    var follow = false
    @Option(help: ArgumentHelp("Only of this VM.", valueName: "name"))
    var vm: String?
    @Option(help: ArgumentHelp("Only of this session.", valueName: "number"))
    var session: UInt64?
    @Option(help: ArgumentHelp("Only what concerns this vSMMU of its session.", valueName: "number"))
    var vsmmu: UInt32?
    @Option(help: ArgumentHelp("Only what concerns this device.", valueName: "name"))
    var device: String?
    @Option(help: ArgumentHelp("Of faults, only those of this kind: a name or a number. May be repeated."))
    var kind: [String] = []
    @Flag(help: "Only faults.")
    var faults = false
    @Flag(help: "Print one JSON object per line.")
    var json = false

    func run() throws {
        try reporting { () throws(Failure) in
            let action = follow ? "follow the events" : "show the events"
            let request = try request(action)
            let receiver = try admin.ask(action) { client throws(BrokerError) in try client.monitor(request) }
            do throws(BrokerError) { try show(receiver) } catch { throw Failure(error, action) }
            if follow {
                throw Failure(
                    action: action, reason: "the broker has ended.",
                    advice: "Follow them again when it runs: systemctl status smmu-brokerd.", status: .notRunning)
            }
        }
    }

    private func request(_ action: String) throws(Failure) -> AdminMonitorRequest {
        var flags: AdminMonitorRequest.Flags = [.history]
        if follow { flags.insert(.follow) }
        if !faults { flags.insert(.notices) }
        var request = AdminMonitorRequest(session: session, flags: flags)
        if let vsmmu { request.vsmmu = VSMMUID(vsmmu) }
        if let device { request.device = try deviceName(device, action) }
        if !kind.isEmpty { request.kinds = 0 }
        for kind in kind {
            guard let number = Self.number(ofKind: kind) else {
                throw Failure(
                    action: action, reason: "there is no kind of event \(kind.visible).",
                    advice: "Give a name such as F_TRANSLATION, or the number of an event record.")
            }
            request.kinds |= AdminMonitorRequest.kind(number)
        }
        return request
    }

    private static func number(ofKind text: String) -> UInt8? {
        if let known = EventID.allCases.first(where: { $0.name.lowercased() == text.lowercased() }) {
            return known.rawValue
        }
        return text.hasPrefix("0x") ? UInt8(text.dropFirst(2), radix: 16) : UInt8(text)
    }

    private func show(_ receiver: MonitorReceiver) throws(BrokerError) {
        let style = Style.ofOutput
        while true {
            switch try receiver.next() {
            case .events(let events):
                for event in events where isWanted(event.vm) {
                    print(json ? EventLine.json(event).text() : EventLine.text(event, style))
                }
            case .notices(let notices):
                for notice in notices where isWanted(notice.vm) {
                    print(json ? EventLine.json(notice).text() : EventLine.text(notice, style))
                }
            case .lost(let loss):
                print(json ? EventLine.json(lost: loss).text() : EventLine.text(lost: loss, style))
            case .nothing: continue
            case .ended: return
            }
            System.flush()
        }
    }

    private func isWanted(_ name: Name?) -> Bool { vm == nil || name?.description == vm }
}

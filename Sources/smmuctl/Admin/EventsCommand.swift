import ArgumentParser
import BrokerClient
import JSON
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
            """)

    @OptionGroup var admin: AdminOptions
    @Flag(help: "Go on with those that come.")
    var follow = false
    @Option(help: ArgumentHelp("Only of this VM.", valueName: "name"))
    var vm: String?
    @Flag(help: "Only faults.")
    var faults = false
    @Flag(help: "Print one JSON object per line.")
    var json = false

    func run() throws {
        try reporting { () throws(Failure) in
            let action = follow ? "follow the events" : "show the events"
            var flags: AdminMonitorRequest.Flags = [.history]
            if follow { flags.insert(.follow) }
            if !faults { flags.insert(.notices) }
            let receiver = try admin.ask(action) { client throws(BrokerError) in
                try client.monitor(AdminMonitorRequest(flags: flags))
            }
            do throws(BrokerError) { try show(receiver) } catch { throw Failure(error, action) }
            if follow {
                throw Failure(
                    action: action, reason: "the broker has ended.",
                    advice: "Follow them again when it runs: systemctl status smmu-brokerd.", status: .notRunning)
            }
        }
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
            case .lost(let count):
                print(json ? EventLine.json(lost: count).text() : EventLine.text(lost: count, style))
            case .nothing: continue
            case .ended: return
            }
            System.flush()
        }
    }

    private func isWanted(_ name: Name?) -> Bool { vm == nil || name?.description == vm }
}

import ArgumentParser
import BrokerClient
import JSON
import LinuxSystem
import Wire

/// `smmuctl top`: how much happens now.
struct TopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Show what sessions and devices do per second.",
        discussion: """
            Shows the sessions with their devices, again after each interval; q or Ctrl-C ends it. Where standard output \
            is no terminal one table follows the other. Rates are differences of counters, divided by the time that was \
            measured between them; BUSY is how long a session has been at what it does now.

            \(AdminHelp.exitStatus)

            EXAMPLES
              smmuctl top --sort commands
              smmuctl top --once --interval 5 --json
            """)

    @OptionGroup var admin: AdminOptions
    @Option(help: ArgumentHelp("Seconds between two looks, 0.1 to 3600.", valueName: "seconds"))
    var interval = Seconds(milliseconds: 1000)
    @Option(help: ArgumentHelp("What to sort by: \(RateColumn.list).", valueName: "column"))
    var sort = RateColumn.vm
    @Flag(help: "Show one interval and end.")
    var once = false
    @Flag(help: "Print JSON: with --once one object, else one per line.")
    var json = false

    private static let action = "show what happens"

    func run() throws {
        try reporting { () throws(Failure) in
            // The screen is as it was before when a failure is told.
            try admin.ask(Self.action) { client throws(BrokerError) in
                if once || json { try plain(client) } else { try live(client) }
            }
        }
    }

    private func rates(_ old: inout Snapshot, _ client: AdminClient) throws(BrokerError) -> RatesReport {
        let new = try Snapshot(client)
        var rates = Rates(from: old, to: new)
        rates.sort(by: sort)
        old = new
        return RatesReport(rates: rates)
    }

    private func live(_ client: AdminClient) throws(BrokerError) {
        var last = try Snapshot(client)
        let screen = try Self.system { () throws(Errno) in try LiveScreen() }
        let style = Style.ofOutput
        if screen.isTerminal { screen.draw(["Looking for \(interval.description) s; q ends this."]) }
        while try wait(after: last, screen) {
            screen.draw(try rates(&last, client).lines(style, rows: screen.rows) + (screen.isTerminal ? [] : [""]))
        }
    }

    private func wait(after last: Snapshot, _ screen: borrowing LiveScreen) throws(BrokerError) -> Bool {
        do { return try screen.wait(until: last.time.advanced(byMilliseconds: interval.milliseconds)) } catch {
            throw BrokerError(error, "The terminal failed")
        }
    }

    private func plain(_ client: AdminClient) throws(BrokerError) {
        var last = try Snapshot(client)
        repeat {
            System.sleep(until: last.time.advanced(byMilliseconds: interval.milliseconds))
            let report = try rates(&last, client)
            if json {
                print(once ? report.json.text(.pretty) : report.json.text())
            } else {
                print(report.lines(.ofOutput).joined(separator: "\n"))
            }
            System.flush()
        } while !once
    }

    private static func system<Result: ~Copyable>(_ make: () throws(Errno) -> Result) throws(BrokerError) -> Result {
        do { return try make() } catch { throw BrokerError(error, "Cannot watch the terminal") }
    }
}

extension RateColumn: ExpressibleByArgument {
    static var list: String { allCases.map(\.rawValue).joined(separator: ", ") }
}

/// A time on the command line: `2` or `0.5`.
struct Seconds: ExpressibleByArgument, CustomStringConvertible {
    let milliseconds: UInt64

    init(milliseconds: UInt64) { self.milliseconds = milliseconds }

    init?(argument: String) {
        guard argument.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }), let value = Double(argument),
            (0.1...3600).contains(value)
        else { return nil }
        milliseconds = UInt64((value * 1000).rounded())
    }

    var description: String {
        let (whole, rest) = milliseconds.quotientAndRemainder(dividingBy: 1000)
        if rest == 0 { return "\(whole)" }
        var digits = String(String(1000 + rest).dropFirst())
        while digits.last == "0" { digits.removeLast() }
        return "\(whole).\(digits)"
    }

    var defaultValueDescription: String { description }
}

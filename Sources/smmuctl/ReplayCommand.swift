import ArgumentParser
import Captures
import JSON

/// `smmuctl replay`: captures through the broker, as a VMM whose guest they were.
struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Replay captures through the broker, as a VMM would, and compare the answers.",
        discussion: """
            The captured memory becomes a guest's RAM, the SMMU a vSMMU, its streams model devices; STEs, commands, \
            translations and events take the way that they take for a VMM. The broker has to run its model.

            Prints one line per capture, "NAME: R rows, A agree", and behind it how many rows were skipped and why: \
            those of streams whose guest uses stage 2 itself, which the broker refuses, and those that depend on \
            memory that cannot be read or on a stream table entry that is not there. Then every disagreement in full, \
            and whatever else went wrong. A row agrees when the result of stage 1 does, its event included, which has \
            to arrive at the subscriber byte for byte; stage 2 is the broker's own.

            A capture that cannot be replayed is told on standard error, and the others are replayed all the same.

            EXIT STATUS
              0   every row that was not skipped agrees, and every step could be done
              1   a row disagrees, a step failed, or a capture cannot be read or replayed

            EXAMPLE
              tar -xf lin-4k-s1-faults.tar.xz && smmuctl replay lin-4k-s1-faults
            """)

    @Argument(help: ArgumentHelp("Unpacked captures.", valueName: "dir"))
    var directories: [String]

    @Option(help: ArgumentHelp("The broker's socket.", valueName: "path"))
    var socket = "/run/smmu-broker/client.sock"

    @Option(help: ArgumentHelp("The template of model devices that stand for the streams.", valueName: "name"))
    var device = "model"

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        var reports: [ReplayReport] = []
        var failures: [JSONValue] = []
        for directory in directories {
            do throws(Failure) {
                let report = try ReplayReport(directory, socket: socket, device: device)
                reports.append(report)
                if !json { print(report.text(.ofOutput)) }
            } catch {
                error.report()
                failures.append(["path": .string(directory), "reason": .string(error.reason)])
            }
        }
        if json {
            let report = JSONObject([("captures", .array(reports.map(\.json))), ("failures", .array(failures))])
            print(JSONValue.object(report).text(.pretty))
        } else if directories.count > 1 {
            print(ReplayReport.total(of: reports))
        }
        if !failures.isEmpty || !reports.allSatisfy(\.isClean) { throw ExitCode.failure }
    }
}

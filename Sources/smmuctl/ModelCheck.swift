import ArgumentParser
import Captures
import JSON

/// `smmuctl model check`: every question of captures, asked of the software SMMU.
struct ModelCheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Ask the software SMMU every question of captures, and compare the answers.",
        discussion: """
            Prints one line per capture, "NAME: R rows, A agree", then every disagreement in full and every step of a \
            script that could not be done. Some rows of a script have two right answers, because nothing was \
            invalidated yet: the line says how many got the earlier one.

            A capture that cannot be read is told on standard error, and the others are checked all the same.

            EXIT STATUS
              0   every row of every capture agrees, and every step could be done
              1   a row disagrees, a step failed, or a capture cannot be read

            EXAMPLE
              tar -xf lin-4k-nested.tar.xz && smmuctl model check lin-4k-nested
            """)

    @Argument(help: ArgumentHelp("Unpacked captures.", valueName: "dir"))
    var directories: [String]

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        var total = CheckTotal()
        var reports: [JSONValue] = []
        var failures: [JSONValue] = []
        for directory in directories {
            do throws(Failure) {
                let report = try CheckReport(directory)
                total.add(report.check)
                reports.append(report.json)
                if !json { print(report.text(.ofOutput)) }
            } catch {
                error.report()
                failures.append(["path": .string(directory), "reason": .string(error.reason)])
            }
        }
        if json {
            let report = JSONObject([("captures", .array(reports)), ("failures", .array(failures))])
            print(JSONValue.object(report).text(.pretty))
        } else if directories.count > 1 {
            print(total.text)
        }
        if !total.isClean || !failures.isEmpty { throw ExitCode.failure }
    }
}

/// What came of all captures together.
private struct CheckTotal {
    var captures = 0
    var rows = 0
    var agreed = 0
    var isClean = true

    mutating func add(_ check: CaptureCheck) {
        captures += 1
        rows += check.rows
        agreed += check.agreed
        isClean = isClean && check.isClean
    }

    var text: String { "\(captures) \(captures == 1 ? "capture" : "captures"): \(rows) rows, \(agreed) agree" }
}

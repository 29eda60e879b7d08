import ArgumentParser

/// Something that could not be done, in the one form in which people are told: what failed and why, and what to do.
struct Failure: Error {
    /// What was to be done: "check DIR".
    let action: String
    let reason: String
    /// One line.
    let advice: String
    /// 1: it failed; 3: the daemon does not run; 4: there is no such object.
    var status = ExitCode.failure

    /// Says it on standard error.
    func report() {
        System.writeError("Failed to \(action.visible): \(reason.visible)\n\(advice.visible)\n")
    }
}

extension ParsableCommand {
    /// Does the work of a verb; a failure is told and ends the program with `status`.
    func reporting(status: ExitCode, _ work: () throws(Failure) -> Void) throws {
        do throws(Failure) {
            try work()
        } catch {
            error.report()
            throw status
        }
    }

    /// Does the work of a verb; a failure is told and ends the program with the status that it has.
    func reporting(_ work: () throws(Failure) -> Void) throws {
        do throws(Failure) {
            try work()
        } catch {
            error.report()
            throw error.status
        }
    }
}

extension ExitCode {
    static let notRunning = ExitCode(3)
    static let noSuchObject = ExitCode(4)
}

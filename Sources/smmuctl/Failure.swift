import ArgumentParser

/// Something that could not be done, in the one form in which people are told: what failed and why, and what to do.
struct Failure: Error {
    /// What was to be done: "check DIR".
    let action: String
    let reason: String
    /// One line.
    let advice: String

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
}

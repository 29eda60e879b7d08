/// One thing that was looked at, and what came of it.
package struct Finding: Hashable, Sendable {
    package enum Verdict: String, Hashable, Sendable, CaseIterable {
        case ok, missing
        /// It could not be found out.
        case unknown
        /// Worth knowing, and nothing to judge.
        case note
    }

    /// What was looked at. The names are part of the JSON.
    package enum Check: String, Hashable, Sendable, CaseIterable {
        case architecture, smmu, firmware, iommufd, kernel, device, groups, group, msiIsolation, memoryLock
        case memoryMaximum
        case clientSocket, adminSocket, daemon, vmm, catalog, configuration
    }

    package var check: Check
    package var verdict: Verdict
    /// What is missing is needed by the backend that is asked about.
    package var isNeeded: Bool
    package var text: String
    /// What to do; empty: nothing.
    package var advice: String

    package init(_ check: Check, _ verdict: Verdict, needed: Bool = false, _ text: String, advice: String = "") {
        (self.check, self.verdict, self.isNeeded, self.text, self.advice) = (check, verdict, needed, text, advice)
    }

    /// Keeps the backend from working.
    package var isFatal: Bool { verdict == .missing && isNeeded }
}

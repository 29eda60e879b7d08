import SMMUv3
import Wire

// The sentences of refusals: what failed, whose fault it is, what to do.

extension Refusal {
    static func unknownVSMMU(_ id: VSMMUID) -> Refusal {
        Refusal(.unknownVSMMU, .notFound, "The session has no vSMMU \(id): use a number that VSMMU_CREATE gave.")
    }

    static func unknownVSID(_ vsid: StreamID, of id: VSMMUID) -> Refusal {
        Refusal(
            .unknownVSID, .notFound,
            "No device of vSMMU \(id) has the vSID \(vsid.rawValue): attach one with DEVICE_ATTACH first.")
    }

    static func duplicateVSID(_ vsid: StreamID, of id: VSMMUID) -> Refusal {
        Refusal(
            .duplicateVSID, .exists,
            "A device of vSMMU \(id) has the vSID \(vsid.rawValue) already: give each its own, and name each once.")
    }

    static func vsmmuFailed(_ id: VSMMUID) -> Refusal {
        Refusal(
            .vsmmuFailed, .inputOutput,
            "The host failed for vSMMU \(id) and could not resynchronize it, so its devices abort: send VSMMU_RESET.")
    }

    /// `now`: what is in effect, and what to do; without a final stop.
    static func hostFailure(
        _ failure: BackendFailure, _ now: String, commandError: CommandError = .none, completed: UInt32 = 0
    ) -> Refusal {
        Refusal(
            .hostFailure, failure.status == .done ? .inputOutput : failure.status,
            "The host failed to \(failure.operation): \(failure.advice). \(now).", commandError: commandError,
            completed: completed)
    }

    static func notGranted() -> Refusal {
        Refusal(
            .notGranted, .notPermitted,
            "No grant of the host's configuration lets this client in: ask the operator for a [Grant] section that "
                + "names its user, group or unit.")
    }

    static func notSupported(_ text: String) -> Refusal { Refusal(.notSupported, .notSupported, text) }

    static func quota(_ what: String, limit: UInt64, usage: UInt64, setting: String, grant: String) -> Refusal {
        Refusal(
            .quota, .quotaExceeded,
            "The quota of \(what) is \(limit) and \(usage) are in use: free some, or have \(setting)= of [Grant \(grant)] "
                + "raised.")
    }
}

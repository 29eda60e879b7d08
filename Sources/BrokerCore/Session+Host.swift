import SMMUv3
import Wire

// What the host does beside answering calls.

extension Session {
    /// Takes note of what the backend has noticed. True: it knows which device did not answer an ATC_INV.
    @discardableResult
    func hearOfHost(at now: Instant) -> Bool {
        var knowsDevice = false
        for notice in backend.takeNotices() {
            switch notice {
            case .slowCall(let name, let milliseconds):
                counts.slowCalls += 1
                observer.saw(.slowCall(name: name, milliseconds: milliseconds))
            case .moreSlowCalls(let count): counts.slowCalls &+= count
            case .trouble(let trouble):
                let isTimeout = trouble.reason == .atcTimeout
                if isTimeout { knowsDevice = true }
                noteTrouble(trouble, parks: isTimeout, at: now)
            case .deviceMemoryLost(let failure, let ipa):
                counts.hostFailures += 1
                observer.saw(.deviceMemoryLost(failure, at: ipa))
            case .eventsFailed(let vsmmu, let failure): eventsFailed(vsmmu, failure)
            }
        }
        return knowsDevice
    }

    /// Nobody would hear of the faults of its devices: so they abort, and the client is told at its next request.
    private func eventsFailed(_ vsmmu: VSMMUID, _ failure: BackendFailure) {
        guard state.vsmmus.index(of: vsmmu) != nil else { return }
        counts.hostFailures += 1
        giveUp(vsmmu, failure)
        effects.insert(.eventSources)
    }
}

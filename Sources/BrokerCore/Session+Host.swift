import SMMUv3
import Wire

// What the host does beside answering calls.

extension Session {
    /// Takes note of what the backend has noticed.
    func hearOfHost() {
        for notice in backend.takeNotices() {
            switch notice {
            case .slowCall(let name, let milliseconds):
                counts.slowCalls += 1
                observer.saw(.slowCall(name: name, milliseconds: milliseconds))
            case .moreSlowCalls(let count): counts.slowCalls &+= count
            case .slowATC(let key): suspect(key)
            case .eventsFailed(let vsmmu, let failure): eventsFailed(vsmmu, failure)
            }
        }
    }

    /// A device that lets others wait. What an operator has decided stays.
    func suspect(_ key: ContextKey) {
        guard let index = state.contexts.index(of: key) else { return }
        switch state.contexts[index].health {
        case .suspect, .quarantined: return
        case .healthy, .recovered: break
        }
        commit(.health(key, .suspect))
        tellHealth(of: index)
    }

    /// Nobody would hear of the faults of its devices: so they abort, and the client is told at its next request.
    private func eventsFailed(_ vsmmu: VSMMUID, _ failure: BackendFailure) {
        guard state.vsmmus.index(of: vsmmu) != nil else { return }
        counts.hostFailures += 1
        giveUp(vsmmu, failure)
        effects.insert(.eventSources)
    }
}

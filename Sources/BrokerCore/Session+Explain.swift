package import SMMUv3
package import Wire

/// What an operator asks about one access of a device.
package struct ExplanationRequest: Hashable, Sendable {
    package var vsmmu: VSMMUID
    package var vsid: StreamID
    package var iova: IOVA
    package var substream: SubstreamID?
    package var write: Bool
    package var privileged: Bool
    package var instruction: Bool

    package init(
        vsmmu: VSMMUID, vsid: StreamID, iova: IOVA, substream: SubstreamID? = nil, write: Bool = false,
        privileged: Bool = false, instruction: Bool = false
    ) {
        (self.vsmmu, self.vsid, self.iova, self.substream) = (vsmmu, vsid, iova, substream)
        (self.write, self.privileged, self.instruction) = (write, privileged, instruction)
    }
}

/// What a session knows of an access: the context's state, what was invalidated last, and the words of a walk.
package struct Explanation: Hashable, Sendable {
    package var context: ContextSnapshot
    /// As the guest gave it; nil: none since its vSMMU was reset.
    package var ste: StreamTableEntry?
    /// The newest first.
    package var invalidations: [PastInvalidation]
    /// nil: guest memory is not at hand.
    package var walk: TableWalk?
    /// When it was made.
    package var at: Instant
}

extension Session {
    /// Changes nothing, and records no event. nil: there is no such context.
    package func explain(_ request: ExplanationRequest, at now: Instant) -> Explanation? {
        let key = ContextKey(request.vsmmu, request.vsid)
        guard let index = state.contexts.index(of: key), let snapshot = contextSnapshot(at: index) else { return nil }
        let access = DeviceAccess(
            vsmmu: request.vsmmu, vsid: request.vsid, iova: request.iova, substream: request.substream,
            write: request.write, privileged: request.privileged, instruction: request.instruction, size: 0)
        return Explanation(
            context: snapshot, ste: state.contexts[index].ste,
            invalidations: invalidations.index(of: request.vsmmu).map { invalidations[$0].all } ?? [],
            walk: backend.walk(access), at: now)
    }
}

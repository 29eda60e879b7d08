package import SMMUv3
package import Wire

/// A change of a session's state: the only way in which one comes about. Plain values, which name descriptors by
/// ``ResourceID``: whoever has all changes of a session in order can make its state again.
package enum Change: Hashable, Sendable {
    case began(SessionState.Hello)
    case mapped(MemoryMap)
    /// By the IPA at which it begins.
    case unmapped(ipa: UInt64)
    case madeVSMMU(VSMMUID, on: PhysicalSMMU, advertised: IDRegisters)
    case destroyedVSMMU(VSMMUID)
    /// What the guest wrote to CR0.SMMUEN and GBPA.ABORT.
    case switched(VSMMUID, enabled: Bool, gbpaAborts: Bool)
    /// Disabled, GBPA at its reset value, no longer failed, of the next generation; no context has an STE.
    case reset(VSMMUID)
    case failed(VSMMUID)
    case attached(SessionState.Context)
    case rebound(ContextKey, to: StreamID)
    case detached(ContextKey)
    /// What the guest gave, what is in effect, and whether it aborts because the STE is ILLEGAL.
    case installed(ContextKey, ste: StreamTableEntry?, Installation, illegal: Bool)
    case health(ContextKey, ContextHealth)
    case subscribed(SessionState.Subscription)
    case unsubscribed(VSMMUID)
    /// Records have been read: the number of the next one.
    case numbered(VSMMUID, next: EventSequence)
    case ended
}

/// Which context: ordered by vSMMU, then by vSID.
package struct ContextKey: Hashable, Comparable, Sendable {
    package var vsmmu: VSMMUID
    package var vsid: StreamID

    package init(_ vsmmu: VSMMUID, _ vsid: StreamID) { (self.vsmmu, self.vsid) = (vsmmu, vsid) }

    private var number: UInt64 { UInt64(vsmmu.rawValue) << 32 | UInt64(vsid.rawValue) }
    package static func < (a: ContextKey, b: ContextKey) -> Bool { a.number < b.number }
    package static func == (a: ContextKey, b: ContextKey) -> Bool { a.number == b.number }
}

package import Wire

/// What a backend has noticed of its host.
package enum HostNotice: Hashable, Sendable {
    /// One call of the host took so long that others may have waited; `name` is the host's own.
    case slowCall(name: String, milliseconds: UInt64)
    /// So many more, of which nothing else is kept.
    case moreSlowCalls(UInt64)
    /// A device answered an ATC_INV late, or not at all: the host may not say which (`slowATC`), or who it was
    /// (`atcTimeout`, beside ``InvalidationOutcome/deviceTimedOut``).
    case trouble(DeviceTrouble)
    /// A BAR could not be mapped again: no device reaches it until the client maps it anew.
    case deviceMemoryLost(BackendFailure, at: UInt64)
    /// The event source cannot be read any more, and ``TranslationBackend/eventSource(of:)`` gives none.
    case eventsFailed(VSMMUID, BackendFailure)
}

/// Knows whether anybody still has a descriptor of a device that its session has let go. Any thread may ask, which takes no
/// time that matters.
package protocol DeviceHold: AnyObject, Sendable {
    var isHeld: Bool { get }
}

/// What an entry is about. Each kind has one message ID, by which `journalctl MESSAGE_ID=` finds it, and an entry in the
/// catalog (systemd/smmu-broker.catalog), which `journalctl -x` shows. An ID is never given to anything else.
package enum JournalKind: String, Hashable, Sendable, CaseIterable {
    /// A device's access failed: an event record of the SMMU.
    case fault = "f8b16c3823e840e8b670ed37803e6de5"
    /// The rate limit of a context has ended; so many faults were not logged.
    case suppressedFaults = "f2b42e6b355243dd8f2752c771bda667"
    /// The source of a vSMMU lost event records.
    case eventsLost = "70834e1d65bd42399661f39cb77649bf"
    /// A VMM said HELLO.
    case sessionBegan = "dc5b559f7df747eeb7f945bec726a994"
    /// A session is over and its devices are contained.
    case sessionEnded = "9d3466ad039949149f90f3352968727d"
    /// A device was attached.
    case attached = "c3453eb6166f43899becf1ce07bced35"
    /// A device was detached.
    case detached = "34005f2ce0ed41df8e4a6a7b949745ca"
    /// A request that a policy or a quota forbids.
    case requestRefused = "5b1b89f22f9b4df482a49e743fc920be"
    /// The host failed; the vSMMU's caches were invalidated as a whole, and it goes on.
    case resynchronized = "1b890333f7794892838635a164638586"
    /// The host failed, and so did the resynchronization: the vSMMU's devices abort until it is reset.
    case vsmmuFailed = "ec5b81efcd2a46099886200cf1fa292f"
    /// A device did not answer an ATC invalidation in time.
    case deviceTimedOut = "809d2fdb74d44dd3bf84a6ddeb34a944"
    /// A device's faults are out of proportion.
    case suspected = "558903decf8c4567b6c119ff7d092339"
    /// A device was parked on ABORT.
    case quarantined = "8fa4651b7469488d91100b8d4ea2659e"
    /// A device is out of quarantine.
    case released = "bca3f82bad4b40908080d634971e07f2"
    /// A device has been calm for long enough to count as healthy.
    case calmed = "87c2272d8ea04d3387ba84594ea83e46"
    /// A new configuration is in effect.
    case configurationReloaded = "30b7b7f5023c443a843168be9b622dbd"
    /// A new configuration was not usable; the one before stays in effect.
    case configurationKept = "33b8db74425d4e8ebe0a982baf550ab5"
    /// The journal was too slow; so many entries of a session were dropped.
    case entriesLost = "1853ef1fe81845cd90990f4589e90100"

    /// MESSAGE_ID: 32 hexadecimal digits.
    package var messageID: String { rawValue }

    package var priority: JournalPriority {
        switch self {
        case .sessionBegan, .sessionEnded, .attached, .detached: .info
        case .configurationReloaded, .released, .calmed, .requestRefused: .notice
        case .fault, .suppressedFaults, .eventsLost, .resynchronized, .suspected, .quarantined, .entriesLost: .warning
        case .vsmmuFailed, .deviceTimedOut, .configurationKept: .error
        }
    }
}

/// PRIORITY of syslog(3).
package enum JournalPriority: UInt8, Hashable, Sendable {
    case critical = 2
    case error = 3
    case warning = 4
    case notice = 5
    case info = 6
    case debug = 7
}

/// Who connected: as the kernel noted it, and the unit that the process belonged to when it was asked.
package struct PeerIdentity: Hashable, Sendable {
    package var pid: UInt32
    package var uid: UInt32
    package var gid: UInt32
    /// Supplementary groups.
    package var groups: [UInt32]
    /// `qemu-vm1.service`; nil when it is in none, or could not be found out.
    package var unit: String?

    package init(pid: UInt32, uid: UInt32, gid: UInt32, groups: [UInt32] = [], unit: String? = nil) {
        (self.pid, self.uid, self.gid, self.groups, self.unit) = (pid, uid, gid, groups, unit)
    }
}

/// A `[Grant NAME]` of the configuration: which peer may have which devices, and how much of everything.
package struct Grant: Hashable, Sendable {
    package var name: String
    /// All of those that are given must be met; a grant with none of them is nobody's.
    package var users: [UInt32]
    package var groups: [UInt32]
    package var units: [String]
    /// Names, PCI addresses, and patterns with `*` and `?`.
    package var devices: [String]
    package var quota: Quota
    /// What becomes of devices that fault without end.
    package var faults: FaultPolicy

    package init(
        name: String, users: [UInt32] = [], groups: [UInt32] = [], units: [String] = [], devices: [String] = [],
        quota: Quota = Quota(), faults: FaultPolicy = FaultPolicy()
    ) {
        (self.name, self.users, self.groups, self.units) = (name, users, groups, units)
        (self.devices, self.quota, self.faults) = (devices, quota, faults)
    }
}

/// How much sessions of a grant may have. All but `sessions` are for one session.
package struct Quota: Hashable, Sendable {
    /// Sessions at the same time.
    package var sessions: Int
    /// Bytes of mapped memory, holes of sparse files included.
    package var memory: UInt64
    /// Maps at the same time.
    package var maps: Int
    package var vsmmus: Int
    package var contexts: Int

    package init(
        sessions: Int = 64, memory: UInt64 = 1 << 40, maps: Int = 256, vsmmus: Int = 8, contexts: Int = 64
    ) {
        (self.sessions, self.memory, self.maps) = (sessions, memory, maps)
        (self.vsmmus, self.contexts) = (vsmmus, contexts)
    }
}

package import SMMUv3
package import Wire

/// A physical SMMU, or a software one of the configuration.
package struct PhysicalSMMU: Hashable, Sendable {
    package var name: Name
    package var registers: IDRegisters
    package var errata: VSMMUCreateReply.Errata
    /// Whether faults of its streams may stall and be answered.
    package var stalls: Bool

    package init(name: Name, registers: IDRegisters, errata: VSMMUCreateReply.Errata = [], stalls: Bool = false) {
        (self.name, self.registers, self.errata, self.stalls) = (name, registers, errata, stalls)
    }
}

/// A device that can be given to a session.
package struct HostDevice: Hashable, Sendable {
    /// `0000:01:00.0`, or the name of a model device. One made from a template has its number behind it: `disk:0`.
    package var name: Name
    package var smmu: PhysicalSMMU
    /// On the physical SMMU.
    package var streamID: StreamID
    package var hasATS: Bool
    package var pasidBits: Int
    /// Another one after the host's driver has let the device go and has taken it again; 0: not known.
    package var binding: UInt64

    package init(
        name: Name, smmu: PhysicalSMMU, streamID: StreamID, hasATS: Bool = false, pasidBits: Int = 0,
        binding: UInt64 = 0
    ) {
        (self.name, self.smmu, self.streamID) = (name, smmu, streamID)
        (self.hasATS, self.pasidBits, self.binding) = (hasATS, pasidBits, binding)
    }
}

/// The devices of the host itself, which no configuration describes. Safe to be asked by every session's thread.
package protocol HardwareDevices: AnyObject, Sendable {
    /// What is known of a device without taking it: its SMMU's name, not its registers. nil: there is none of this name
    /// that could be given to a VMM. Reads files.
    func find(_ name: Name) -> HostDevice?
}

/// As many devices as sessions attach: `NAME:0`, `NAME:1`…, with StreamIDs from the template's own on.
package struct DeviceTemplate: Hashable, Sendable {
    package var device: HostDevice
    /// How many there may be at the same time: so many StreamIDs are theirs.
    package var instances: UInt32

    package init(_ device: HostDevice, instances: UInt32) { (self.device, self.instances) = (device, instances) }
    package var name: Name { device.name }
}

/// What all sessions share: which devices there are, and whose they are. Safe to be called by every session's thread;
/// never blocks for longer than another such call takes.
package protocol DeviceDirectory: AnyObject, Sendable {
    /// The device by its name, or one newly made when the name is that of a template; it belongs to the session from then
    /// on. A device that it has already is given again. Refusals: UNKNOWN_DEVICE, NOT_GRANTED, DEVICE_BUSY.
    func claim(_ name: Name, for session: SessionID, under grant: Grant) throws(Refusal) -> HostDevice
    /// The physical SMMU that a device or a template is behind; claims nothing.
    func smmu(of name: Name, for session: SessionID, under grant: Grant) throws(Refusal) -> PhysicalSMMU
    /// Gives a device back.
    func release(_ name: Name, by session: SessionID)
    /// Gives a device back of which somebody else may still have a descriptor, as `hold` knows: until that is closed it is
    /// orphaned, and nobody's. `withheld`: the host wants it, and nobody gets it until an operator says so.
    func release(_ name: Name, by session: SessionID, vm: Name?, hold: (any DeviceHold)?, withheld: Bool)
    /// Whether a device is orphaned, or was until now. Refusals: NOT_GRANTED.
    func orphanage(of name: Name, under grant: Grant) throws(Refusal) -> Orphanage
    /// Gives everything back that the session has; its place in its grant too.
    func releaseEverything(of session: SessionID)
    /// Counts a session against its grant's MaxSessions. Refusals: QUOTA.
    func admit(_ session: SessionID, under grant: Grant) throws(Refusal)
}

extension DeviceDirectory {
    package func release(_ name: Name, by session: SessionID, vm: Name?, hold: (any DeviceHold)?, withheld: Bool) {
        release(name, by: session)
    }
    package func orphanage(of name: Name, under grant: Grant) throws(Refusal) -> Orphanage { .none }
}

/// What became of a device whose session has ended.
package enum Orphanage: Hashable, Sendable {
    /// It is not orphaned.
    case none
    /// Its last holder has just been found gone: the kernel has reset it.
    case over
    /// Somebody still has a descriptor of it.
    case lasting
}

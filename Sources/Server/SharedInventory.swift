package import BrokerCore
package import Configuration
import Synchronization
package import Wire

/// The host's devices and whose they are, for all sessions: ``HostInventory`` behind a lock, which nobody holds across a
/// system call.
package final class SharedInventory: DeviceDirectory {
    private let inventory: Mutex<HostInventory>
    private let hardware: (any HardwareDevices)?
    /// Called by any thread when a device is kept from others; set before there is a second one.
    private let kept: Mutex<(@Sendable () -> Void)?> = Mutex(nil)

    /// - Parameter hardware: the host's own devices; nil: they are not to be had.
    package init(_ devices: [DeviceDefinition], hardware: (any HardwareDevices)? = nil) {
        self.hardware = hardware
        inventory = Mutex(
            HostInventory(devices: devices.plain.map(\.device), templates: devices.templates))
    }

    /// What a reload has found. What sessions have stays theirs until they give it back.
    package func replace(_ devices: [DeviceDefinition]) {
        inventory.withLock {
            $0.replace(devices: devices.plain.map(\.device), templates: devices.templates)
        }
    }

    package func owner(of name: Name) -> SessionID? { inventory.withLock { $0.owner(of: name) } }

    package func claim(_ name: Name, for session: SessionID, under grant: Grant) throws(Refusal) -> HostDevice {
        let found = find(name, grant)
        _ = sweep(name)
        return try inventory.withLock { inventory throws(Refusal) in
            try inventory.claim(name, for: session, under: grant, hardware: found)
        }
    }

    package func smmu(of name: Name, for session: SessionID, under grant: Grant) throws(Refusal) -> PhysicalSMMU {
        let found = find(name, grant)
        _ = sweep(name)
        return try inventory.withLock { inventory throws(Refusal) in
            try inventory.smmu(of: name, for: session, under: grant, hardware: found)
        }
    }

    /// Before the lock is taken, and only for those who may have the device.
    private func find(_ name: Name, _ grant: Grant) -> HostDevice? { grant.allows(name) ? hardware?.find(name) : nil }

    package func release(_ name: Name, by session: SessionID) {
        inventory.withLock { $0.release(name, by: session) }
    }

    package func release(_ name: Name, by session: SessionID, vm: Name?, hold: (any DeviceHold)?, withheld: Bool) {
        // Asked before the lock is taken: it is a call of the kernel.
        let holding = hold?.isHeld ?? false ? hold : nil
        inventory.withLock { $0.release(name, by: session, vm: vm, hold: holding, withheld: withheld) }
        if holding != nil { kept.withLock { $0 }?() }
    }

    package func orphanage(of name: Name, under grant: Grant) throws(Refusal) -> Orphanage {
        try inventory.withLock { inventory throws(Refusal) in try inventory.check(name, under: grant) }
        let ended = sweep(name)
        if inventory.withLock({ !$0.holds(of: name).isEmpty }) { return .lasting }
        return ended ? .over : .none
    }

    // MARK: Devices that nobody gets

    package var heldBack: [HeldBack] { inventory.withLock { $0.heldBack } }
    package func readmit(_ name: Name) -> Bool { inventory.withLock { $0.readmit(name) } }
    package func takeUntold() -> [HeldBack] { inventory.withLock { $0.takeUntold() } }

    /// Has `body` called when a device is orphaned.
    package func whenKept(_ body: @escaping @Sendable () -> Void) { kept.withLock { $0 = body } }

    /// Asks who still holds what, and frees what nobody does. True: there was such a device.
    package func sweep(_ name: Name? = nil) -> Bool {
        let holds = inventory.withLock { $0.holds(of: name) }
        var found = false
        for (number, hold) in holds where !hold.isHeld {
            inventory.withLock { $0.endHold(number) }
            found = true
        }
        return found
    }

    /// Whether there is anything to ask for.
    package var hasHolds: Bool { inventory.withLock { !$0.holds().isEmpty } }

    package func releaseEverything(of session: SessionID) { inventory.withLock { $0.releaseEverything(of: session) } }

    package func admit(_ session: SessionID, under grant: Grant) throws(Refusal) {
        try inventory.withLock { inventory throws(Refusal) in try inventory.admit(session, under: grant) }
    }
}

extension [DeviceDefinition] {
    fileprivate var plain: [DeviceDefinition] { filter { !$0.isTemplate } }
    fileprivate var templates: [DeviceTemplate] {
        filter(\.isTemplate).map { DeviceTemplate($0.device, instances: UInt32(clamping: $0.instances)) }
    }
}

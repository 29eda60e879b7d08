import BrokerCore
import SMMUv3
import Synchronization
import Wire

// What a session needs around it.

/// A host with a few devices, and nobody else on it.
final class Directory: DeviceDirectory {
    static let none: Name = name("none")
    private let inventory: Mutex<HostInventory>

    private static func name(_ text: String) -> Name {
        guard let name = Name(text) else { preconditionFailure("'\(text)' is no name") }
        return name
    }

    init() {
        // Both stages, stalls, ATS, 16-bit ASIDs and VMIDs, SubstreamIDs of 10 bits, all granules, 48 bits.
        let registers = IDRegisters(
            idr0: 0x0c2c_1c1b & ~(3 << 24), idr1: 0x0273_0290, idr3: 1 << 10 | 1 << 2, idr5: 0x0040_0075, aidr: 2)
        let smmu = PhysicalSMMU(name: Self.name("smmu0"), registers: registers, stalls: true)
        let quiet = PhysicalSMMU(name: Self.name("smmu1"), registers: registers, stalls: false)
        let disk = HostDevice(
            name: Self.name("disk"), smmu: smmu, streamID: StreamID(1), hasATS: true, pasidBits: 8)
        let net = HostDevice(name: Self.name("net"), smmu: quiet, streamID: StreamID(2))
        let virt = HostDevice(name: Self.name("virt"), smmu: smmu, streamID: StreamID(16), hasATS: true, pasidBits: 10)
        inventory = Mutex(HostInventory(devices: [disk, net], templates: [DeviceTemplate(virt, instances: 8)]))
    }

    func claim(_ name: Name, for session: SessionID, under grant: Grant) throws(Refusal) -> HostDevice {
        try inventory.withLock { inventory throws(Refusal) in try inventory.claim(name, for: session, under: grant) }
    }
    func smmu(of name: Name, for session: SessionID, under grant: Grant) throws(Refusal) -> PhysicalSMMU {
        try inventory.withLock { inventory throws(Refusal) in try inventory.smmu(of: name, for: session, under: grant) }
    }
    func release(_ name: Name, by session: SessionID) { inventory.withLock { $0.release(name, by: session) } }
    func releaseEverything(of session: SessionID) { inventory.withLock { $0.releaseEverything(of: session) } }
    func admit(_ session: SessionID, under grant: Grant) throws(Refusal) {
        try inventory.withLock { inventory throws(Refusal) in try inventory.admit(session, under: grant) }
    }
}

/// The state, made again from the changes alone.
final class Replica: Ledger {
    private(set) var state = SessionState()
    func commit(_ change: Change) { state.apply(change) }
}

final class Silence: SessionObserver {
    func sawFault(_ fault: ObservedFault) {}
    func saw(_ notice: SessionNotice) {}
}

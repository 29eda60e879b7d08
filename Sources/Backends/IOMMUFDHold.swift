import BrokerCore
import IOMMUFD
import Synchronization

/// Whether somebody has a descriptor of a device that this daemon has let go.
final class IOMMUFDHold: DeviceHold {
    /// The device's number in its iommufd.
    let device: UInt32
    private let witness: any DeviceWitness
    private let hasEnded = Atomic(false)

    init(_ witness: any DeviceWitness, _ device: UInt32) { (self.witness, self.device) = (witness, device) }

    /// Its number is another device's now.
    func end() { hasEnded.store(true, ordering: .relaxed) }

    var isHeld: Bool {
        if hasEnded.load(ordering: .relaxed) { return false }
        if witness.isHeld { return true }
        end()
        return false
    }
}

import BrokerCore
import IOMMUFD
import SMMUv3

/// A device under a vSMMU of iommufd.
final class IOMMUFDStream {
    let device: HostDevice
    let bound: BoundDevice
    /// The guest's number.
    private(set) var vsid: StreamID
    /// What is in effect, as far as nobody else attaches the device.
    var installation = Installation.abort
    /// Something else was in effect for a while and could not be flushed: what is cached may be of that.
    var isUnsynchronized = false
    /// nil: a change of the vSID has failed, and could not be undone. Then there is no invalidation for the device.
    private(set) var vdevice: VDevice?

    init(_ device: HostDevice, _ bound: BoundDevice, as vsid: StreamID, in viommu: VIOMMU) throws(IOMMUError) {
        (self.device, self.bound, self.vsid) = (device, bound, vsid)
        vdevice = try VDevice(vsid, for: bound, in: viommu)
    }

    /// The kernel has refused to hand over its stalled transactions.
    var stallsAreRefused = false
    /// Whether its transactions may stall, and be answered by the guest.
    var canStall: Bool { !stallsAreRefused && (bound.canStall || device.smmu.registers.stallModel == .stallForced) }

    /// Whether the device may have cached translations.
    var usesATS: Bool { device.hasATS && installation.usesATS }

    /// Makes sure that the kernel has a number for it.
    func requireVDevice(in viommu: VIOMMU) throws(IOMMUError) {
        if vdevice == nil { vdevice = try VDevice(vsid, for: bound, in: viommu) }
    }

    /// Gives it another number, which counts from the next attachment on. A device has one at most, so that the old one
    /// has to go first.
    func renumber(_ new: StreamID, in viommu: VIOMMU) throws(IOMMUError) {
        let old = vsid
        vdevice = nil
        do throws(IOMMUError) {
            vdevice = try VDevice(new, for: bound, in: viommu)
            vsid = new
        } catch {
            restore(old, in: viommu)
            throw error
        }
    }

    /// Gives the earlier number back, if the kernel lets us; else ``requireVDevice(in:)`` tries again.
    func restore(_ old: StreamID, in viommu: VIOMMU) {
        vdevice = nil
        vsid = old
        do throws(IOMMUError) { try requireVDevice(in: viommu) } catch { return }
    }
}

package import LinuxSystem

/// A device that is bound to an iommufd; unbound, and its DMA blocked, when the last copy of its descriptor is closed.
package final class BoundDevice {
    package let kernel: any IOMMUKernel
    /// `0000:01:00.0`.
    package let name: String
    /// In the iommufd.
    package let id: UInt32
    /// Its transactions may stall: the kernel has been told so by firmware, or by a quirk of its own.
    package let canStall: Bool
    /// nil only while this is going: a device that is attached would keep what it is attached to.
    private var descriptor: OwnedFD?
    /// What it was attached to last, kept until it is not. Whoever has a copy of the descriptor may have attached
    /// something else since.
    package private(set) var attached: IOMMUObject?

    package init(
        _ name: String, at path: DevicePath, of kernel: any IOMMUKernel, canStall: Bool = false
    ) throws(IOMMUError) {
        (self.kernel, self.name, self.canStall) = (kernel, name, canStall)
        do throws(Errno) {
            let handle = try kernel.bind(path)
            id = handle.id
            descriptor = Optional(handle.descriptor)
        } catch { throw IOMMUError(error, .bind, "take over \(name)") }
    }

    deinit {
        // A copy elsewhere would leave it attached.
        if attached != nil { do throws(IOMMUError) { try detach() } catch { attached = nil } }
        descriptor = nil
    }

    /// Another descriptor of the device, for its VMM.
    package func duplicate() throws(Errno) -> OwnedFD {
        guard let copy = try descriptor?.duplicate() else { throw .badDescriptor }
        return copy
    }

    /// Replaces what is attached, atomically. The kernel does nothing when that is `hwpt` already.
    package func attach(_ hwpt: IOMMUObject) throws(IOMMUError) {
        do throws(Errno) {
            try kernel.attach(raw: raw, to: hwpt.id)
        } catch { throw IOMMUError(error, .attach, "attach \(name)") }
        attached = hwpt
    }

    /// Its DMA is blocked from now on.
    package func detach() throws(IOMMUError) {
        do throws(Errno) {
            try kernel.detach(raw: raw)
        } catch { throw IOMMUError(error, .detach, "detach \(name)") }
        attached = nil
    }

    package func reset() throws(IOMMUError) {
        do throws(Errno) {
            try kernel.reset(raw: raw)
        } catch { throw IOMMUError(error, .reset, "reset \(name)") }
    }

    /// To be asked whether anybody has the device, when this is gone.
    package func witness() throws(Errno) -> any DeviceWitness { try kernel.witness(of: id) }

    package func hardwareInfo() throws(IOMMUError) -> HardwareInfo {
        do throws(Errno) {
            return try kernel.hardwareInfo(of: id)
        } catch { throw IOMMUError(error, .hardwareInfo, "ask for the SMMU of \(name)") }
    }

    private var raw: Int32 { descriptor?.raw ?? -1 }
}

package import LinuxSystem

/// A device that is bound to an iommufd; unbound, and its DMA blocked, when the last copy of its descriptor is closed.
package final class BoundDevice {
    package let kernel: any IOMMUKernel
    /// `0000:01:00.0`.
    package let name: String
    /// In the iommufd.
    package let id: UInt32
    package let descriptor: OwnedFD

    package init(_ name: String, at path: DevicePath, of kernel: any IOMMUKernel) throws(IOMMUError) {
        (self.kernel, self.name) = (kernel, name)
        do throws(Errno) {
            let handle = try kernel.bind(path)
            id = handle.id
            descriptor = handle.descriptor
        } catch { throw IOMMUError(error, .bind, "take over \(name)") }
    }

    /// Replaces what is attached, atomically.
    package func attach(_ hwpt: IOMMUObject) throws(IOMMUError) {
        do throws(Errno) {
            try kernel.attach(descriptor, to: hwpt.id)
        } catch { throw IOMMUError(error, .attach, "attach \(name)") }
    }

    /// Its DMA is blocked from now on.
    package func detach() throws(IOMMUError) {
        do throws(Errno) {
            try kernel.detach(descriptor)
        } catch { throw IOMMUError(error, .detach, "detach \(name)") }
    }

    package func reset() throws(IOMMUError) {
        do throws(Errno) {
            try kernel.reset(descriptor)
        } catch { throw IOMMUError(error, .reset, "reset \(name)") }
    }
}

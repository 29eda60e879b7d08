import LinuxSystem
package import SMMUv3

// Objects of iommufd, each with what it rests on: an object keeps those below it alive, so that they can only go after
// it. The order is the kernel's (Documentation/userspace-api/iommufd.rst): vDevice, device, nested HWPT, fault queue,
// vEVENTQ, vIOMMU, nest parent, IOAS.

/// An object that the kernel destroys when the last reference to this goes.
package class IOMMUObject {
    package let kernel: any IOMMUKernel
    package let id: UInt32

    init(_ kernel: any IOMMUKernel, _ id: UInt32) {
        self.kernel = kernel
        self.id = id
    }

    deinit {
        do throws(Errno) {
            try kernel.destroy(id)
        } catch {
            // ENOENT: the kernel took it with its device. EBUSY: a VMM that keeps its copy of a device's descriptor has
            // attached the device to this, and can at any time; then the kernel takes it with the last copy.
            assert(error == .notFound || error == .busy, "object \(id): \(error)")
        }
    }
}

/// Guest memory by IPA.
package final class IOAS: IOMMUObject {
    /// Bytes that are mapped at the moment.
    package private(set) var mappedBytes: UInt64 = 0

    package init(_ kernel: any IOMMUKernel) throws(IOMMUError) {
        do throws(Errno) {
            super.init(kernel, try kernel.allocateIOAS())
        } catch { throw IOMMUError(error, .allocateIOAS, "make an address space for guest memory") }
    }

    /// Maps in areas of at most 1 GiB, so that no single call pins for too long; a failure leaves nothing of it mapped.
    package func map(_ map: FileMapping) throws(IOMMUError) {
        var done: UInt64 = 0
        while done < map.length {
            let length = min(map.length - done, Self.maximumArea)
            var part = map
            (part.offset, part.iova, part.length) = (map.offset + done, map.iova + done, length)
            do throws(Errno) {
                try kernel.mapFile(part, into: id)
            } catch {
                unmapAreas(iova: map.iova, length: done)
                throw IOMMUError(error, .mapFile(bytes: map.length), "map guest memory")
            }
            done += length
        }
        mappedBytes += map.length
    }

    /// Unmaps what one ``map(_:)`` has mapped.
    package func unmap(iova: UInt64, length: UInt64) throws(IOMMUError) {
        try unmapEach(iova: iova, length: length)
        mappedBytes -= min(length, mappedBytes)
    }

    private func unmapEach(iova: UInt64, length: UInt64) throws(IOMMUError) {
        var done: UInt64 = 0
        while done < length {
            let area = min(length - done, Self.maximumArea)
            do throws(Errno) {
                try kernel.unmap(iova: iova + done, length: area, from: id)
            } catch  where error == .notFound {
                // An earlier attempt that failed half-way has unmapped this area.
            } catch { throw IOMMUError(error, .unmap, "unmap guest memory") }
            done += area
        }
    }

    private func unmapAreas(iova: UInt64, length: UInt64) {
        // Nothing more can be done about an area that stays: it ends with the address space.
        do throws(IOMMUError) { try unmapEach(iova: iova, length: length) } catch { return }
    }

    package static let maximumArea: UInt64 = 1 << 30
}

/// Stage 2 on one physical SMMU.
package final class NestParent: IOMMUObject {
    package let ioas: IOAS

    package init(for device: BoundDevice, over ioas: IOAS) throws(IOMMUError) {
        self.ioas = ioas
        do throws(Errno) {
            super.init(ioas.kernel, try ioas.kernel.allocateNestParent(for: device.id, over: ioas.id))
        } catch {
            throw IOMMUError(error, .nestParent(bytes: ioas.mappedBytes), "make a stage 2 for \(device.name)")
        }
    }
}

/// A guest's SMMU on one physical SMMU.
package final class VIOMMU: IOMMUObject {
    package let parent: NestParent

    package init(for device: BoundDevice, over parent: NestParent) throws(IOMMUError) {
        self.parent = parent
        do throws(Errno) {
            super.init(parent.kernel, try parent.kernel.allocateVIOMMU(for: device.id, over: parent.id))
        } catch { throw IOMMUError(error, .viommu, "make a virtual SMMU for \(device.name)") }
    }

    /// Does commands in order; on an error nothing is known of what was done.
    package func invalidate(_ commands: Span<Command>) throws(IOMMUError) {
        do throws(Errno) {
            try kernel.invalidate(commands, in: id)
        } catch { throw IOMMUError(error, .invalidate, "invalidate by \(commands.count) commands") }
    }
}

/// A stage 1 of a guest, or its ABORT or bypass.
package final class NestedHWPT: IOMMUObject {
    private let viommu: VIOMMU
    /// Where its stalled transactions go; nil: the kernel aborts them.
    package let faults: FaultQueue?

    package init(
        for device: BoundDevice, in viommu: VIOMMU, word0: UInt64, word1: UInt64, faults: FaultQueue? = nil
    ) throws(IOMMUError) {
        (self.viommu, self.faults) = (viommu, faults)
        do throws(Errno) {
            let id = try viommu.kernel.allocateNested(
                for: device.id, in: viommu.id, word0: word0, word1: word1, faultQueue: faults?.id)
            super.init(viommu.kernel, id)
        } catch { throw IOMMUError(error, .nested, "make a nested stage 1 for \(device.name)") }
    }
}

/// A device's StreamID in a guest's SMMU.
package final class VDevice: IOMMUObject {
    private let viommu: VIOMMU
    /// Closed before this, its number would never be used again.
    private let device: BoundDevice
    package let vsid: StreamID

    package init(_ vsid: StreamID, for device: BoundDevice, in viommu: VIOMMU) throws(IOMMUError) {
        (self.viommu, self.device, self.vsid) = (viommu, device, vsid)
        do throws(Errno) {
            super.init(viommu.kernel, try viommu.kernel.allocateVDevice(vsid, for: device.id, in: viommu.id))
        } catch { throw IOMMUError(error, .vdevice, "give \(device.name) the virtual StreamID \(vsid.rawValue)") }
    }
}

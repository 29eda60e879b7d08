package import LinuxSystem

/// A call of iommufd or VFIO that failed: what was being done, why, whose fault that is and what to do.
package struct IOMMUError: Error, Hashable, Sendable, CustomStringConvertible {
    package var errno: Errno
    /// What was being done, as part of a sentence: "attach 0000:01:00.0".
    package var operation: String
    package var cause: Cause

    package init(_ errno: Errno, _ operation: String, _ cause: Cause) {
        (self.errno, self.operation, self.cause) = (errno, operation, cause)
    }

    /// Why the kernel refuses, as far as its errno and the call say it (linux/iommufd.h; drivers/iommu/iommufd).
    package enum Cause: Hashable, Sendable {
        /// No iommufd, or not this ioctl.
        case kernelTooOld
        /// The device's writes are not known to be coherent: neither CANWBS of its root complex nor S2FWB.
        case notCoherent
        /// The SMMU does not nest, or is one whose errata forbid it.
        case noNesting
        /// The device is bound to another driver, or owned by another iommufd or a legacy group.
        case deviceInUse
        /// Interrupts of the platform are not isolated (allow_unsafe_interrupts).
        case interruptsNotIsolated
        /// Addresses that the platform reserves: the MSI window, or a firmware region.
        case addressReserved
        /// Something is mapped there.
        case addressTaken
        /// The vSID, or the device, has a vDevice.
        case vdeviceTaken
        /// A translating STE needs a vDevice first.
        case noVDevice
        /// The device is being reset, or its group is attached otherwise.
        case busy
        /// RLIMIT_MEMLOCK, or memory itself; bytes that were wanted.
        case memory(UInt64)
        /// All VMIDs of the SMMU are in use.
        case noVMID
        /// The kernel does not let us.
        case notPermitted
        /// The device is not there (any more), or has no vfio cdev.
        case noDevice
        /// A CMD_SYNC was not seen for a second.
        case timedOut
        /// What was read is not what the kernel's interface says.
        case garbled
        /// Words of an STE, or fields of a command, that this kernel does not take although they were checked.
        case rejected
        /// Stalls of the device cannot be answered: CONFIG_ARM_SMMU_V3_SVA.
        case noStalls
        /// The file cannot be mapped: it is none of memory, or its dma-buf is revoked or of a device without memory enabled.
        case notMappable
        /// The limit of open files.
        case noDescriptors
        case other
    }

    /// Whether trying again soon may help.
    package var isTransient: Bool {
        switch cause {
        case .busy, .memory: true
        default: errno == .interrupted || errno == .again
        }
    }

    package var advice: String {
        switch cause {
        case .kernelTooOld: "the kernel has no such call: Linux 6.15 or later with CONFIG_IOMMUFD is needed"
        case .notCoherent:
            "the device's writes are not known to be coherent: the firmware must say CANWBS of its root complex (IORT), "
                + "or the SMMU needs S2FWB"
        case .noNesting:
            "the SMMU offers no nested translation to Linux: it needs both stages, no erratum that forbids them, and "
                + "CONFIG_ARM_SMMU_V3_IOMMUFD"
        case .deviceInUse: "somebody else has the device: bind it to vfio-pci, and have every descriptor of it closed"
        case .interruptsNotIsolated:
            "the platform does not isolate MSIs; iommufd.allow_unsafe_interrupts=1 would accept the risk"
        case .addressReserved:
            "the platform reserves addresses there, such as the MSI window at 0x8000000: leave a hole in guest memory"
        case .addressTaken: "something is mapped there already: unmap it first"
        case .vdeviceTaken: "this StreamID, or this device, already has a virtual device: give each its own"
        case .noVDevice: "the device has no virtual StreamID yet"
        case .busy: "the device is being reset, or is attached otherwise: try again"
        case .memory(let bytes):
            bytes == 0
                ? "the host is short of memory"
                : "not enough memory may be locked; \(bytes) bytes are needed: raise LimitMEMLOCK= of the service"
        case .noVMID: "all VMIDs of the SMMU are in use: end another virtual machine"
        case .notPermitted: "the kernel does not permit it: see User= and DeviceAllow= of the service"
        case .noDevice: "there is no such device: is it bound to vfio-pci?"
        case .timedOut: "the SMMU did not answer within a second"
        case .garbled: "the kernel gave what is no record: it is newer than this daemon, or has a fault"
        case .rejected:
            "the kernel takes less than linux/iommufd.h says of it, or the SMMU failed: its log says which; this is no "
                + "fault of the guest"
        case .noStalls: "the kernel cannot hand stalled transactions over: it needs CONFIG_ARM_SMMU_V3_SVA"
        case .notMappable:
            "the kernel cannot map this file: a memfd or tmpfs file works from Linux 6.13 on, a BAR's dma-buf on newer "
                + "ones, while its device is open and has memory enabled"
        case .noDescriptors: "the daemon has no descriptor left: raise LimitNOFILE= of the service"
        case .other: "the kernel's log may say more"
        }
    }

    package var description: String { "Failed to \(operation): \(errno); \(advice)." }
}

/// Which call failed, for what its errno means there.
package enum IOMMUCall: Hashable, Sendable {
    case open, bind, hardwareInfo, allocateIOAS, allowIOVAs, mapFile(bytes: UInt64), unmap, viommu, nested
    case nestParent(bytes: UInt64), vdevice, eventQueue, readEvents, faultQueue, answerFault, attach, detach, invalidate
    case reset
}

extension IOMMUError {
    /// What an errno means for this call.
    package init(_ errno: Errno, _ call: IOMMUCall, _ operation: String) {
        self.init(errno, operation, Self.cause(errno, call))
    }

    private static func cause(_ errno: Errno, _ call: IOMMUCall) -> Cause {
        switch (call, errno) {
        case (_, .noSuchRequest): .kernelTooOld
        case (_, .timedOut): .timedOut
        case (.readEvents, .protocolError): .garbled
        case (_, .noDescriptors), (_, .noSystemDescriptors): .noDescriptors
        case (.nested, .inputOutput), (.invalidate, .inputOutput): .rejected
        case (.attach, .notSupported): .noStalls
        case (.mapFile, .notSupported), (.mapFile, .noDevice), (.mapFile, .noSuchAddress), (.mapFile, .badAddress):
            .notMappable
        case (.open, .notFound): .kernelTooOld
        case (.bind, .notFound), (_, .noDevice): .noDevice
        // EINVAL: somebody has it open, by another descriptor of the same file.
        case (.bind, .busy), (.bind, .invalid): .deviceInUse
        case (.bind, .notPermitted): .interruptsNotIsolated
        case (_, .notPermitted), (_, .accessDenied): .notPermitted
        case (.mapFile(let bytes), .noMemory), (.nestParent(let bytes), .noMemory): .memory(bytes)
        case (_, .noMemory): .memory(0)
        case (.mapFile, .exists): .addressTaken
        case (.vdevice, .exists): .vdeviceTaken
        case (_, .inUse): .addressReserved
        case (.mapFile, .invalid): .addressReserved
        case (.viommu, .notSupported): .notCoherent
        case (.nestParent, .notSupported), (.hardwareInfo, .notSupported): .noNesting
        case (.nestParent, .noSpace): .noVMID
        case (.attach, .notFound): .noVDevice
        case (_, .busy): .busy
        default: .other
        }
    }
}

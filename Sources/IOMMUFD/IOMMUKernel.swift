package import LinuxSystem
package import SMMUv3

/// The calls that one open iommufd takes: one function for each ioctl, with the kernel's own numbers and errors.
///
/// ``LinuxIOMMU`` makes them; a fake stands in for it where there is no such hardware. Nothing here owns an object: that
/// is what ``IOAS``, ``NestParent``, ``VIOMMU`` and the rest are for. Object numbers are those of iommufd, never 0.
package protocol IOMMUKernel: AnyObject {
    /// IOMMU_DESTROY. `EBUSY`: something still refers to it. `ENOENT`: no such object, or the kernel took it itself.
    func destroy(_ id: UInt32) throws(Errno)

    // MARK: Memory
    /// IOMMU_IOAS_ALLOC.
    func allocateIOAS() throws(Errno) -> UInt32
    /// IOMMU_IOAS_ALLOW_IOVAS: the only addresses that may be mapped from now on. `EADDRINUSE`: one is reserved.
    func allowIOVAs(_ ranges: [ClosedRange<UInt64>], of ioas: UInt32) throws(Errno)
    /// IOMMU_IOAS_IOVA_RANGES: the addresses that can be mapped at the moment, reserved ones left out.
    func iovaRanges(of ioas: UInt32) throws(Errno) -> [ClosedRange<UInt64>]
    /// IOMMU_IOAS_MAP_FILE, at a fixed address. The descriptor is used during the call only.
    func mapFile(_ map: FileMapping, into ioas: UInt32) throws(Errno)
    /// IOMMU_IOAS_UNMAP of whole earlier maps.
    func unmap(iova: UInt64, length: UInt64, from ioas: UInt32) throws(Errno)

    // MARK: Translation
    /// IOMMU_GET_HW_INFO. `EOPNOTSUPP`: the device is not behind an SMMUv3.
    func hardwareInfo(of device: UInt32) throws(Errno) -> HardwareInfo
    /// IOMMU_HWPT_ALLOC with NEST_PARENT: a stage 2.
    func allocateNestParent(for device: UInt32, over ioas: UInt32) throws(Errno) -> UInt32
    /// IOMMU_VIOMMU_ALLOC of the type of an SMMUv3.
    func allocateVIOMMU(for device: UInt32, over nestParent: UInt32) throws(Errno) -> UInt32
    /// IOMMU_HWPT_ALLOC of a nested stage 1, from words 0 and 1 of an STE.
    func allocateNested(
        for device: UInt32, in viommu: UInt32, word0: UInt64, word1: UInt64, faultQueue: UInt32?
    ) throws(Errno) -> UInt32
    /// IOMMU_VDEVICE_ALLOC.
    func allocateVDevice(_ vsid: StreamID, for device: UInt32, in viommu: UInt32) throws(Errno) -> UInt32
    /// IOMMU_HWPT_INVALIDATE. What `entry_num` says is to be believed only on success, so it is not given on an error.
    func invalidate(_ commands: Span<Command>, in viommu: UInt32) throws(Errno)

    // MARK: Events
    /// IOMMU_VEVENTQ_ALLOC of the type of an SMMUv3. The descriptor is the caller's.
    func allocateEventQueue(in viommu: UInt32, depth: UInt32) throws(Errno) -> QueueHandle
    /// Reads a vEVENTQ's descriptor: whole records of 40 bytes, or a LOST marker of 8. 0: empty.
    func readEvents(raw descriptor: Int32, into bytes: inout [UInt8]) throws(Errno) -> Int

    // MARK: Stalled transactions
    /// IOMMU_FAULT_QUEUE_ALLOC. The descriptor is the caller's. It may serve any number of nested HWPTs.
    func allocateFaultQueue() throws(Errno) -> QueueHandle
    /// Reads a fault queue's descriptor: whole groups of records of 40 bytes each. 0: empty.
    func readFaults(raw descriptor: Int32, into bytes: inout [UInt8]) throws(Errno) -> Int
    /// Writes one answer: the access is tried again, or aborted. `EINVAL`: nothing waits under this cookie (any more).
    func answerFault(raw descriptor: Int32, cookie: UInt32, retry: Bool) throws(Errno)

    // MARK: Devices
    /// Opens the device's cdev and binds it to this iommufd (VFIO_DEVICE_BIND_IOMMUFD). DMA is blocked from then on.
    func bind(_ device: DevicePath) throws(Errno) -> BoundDeviceHandle
    /// VFIO_DEVICE_ATTACH_IOMMUFD_PT: replaces what was attached, atomically.
    func attach(raw descriptor: Int32, to hwpt: UInt32) throws(Errno)
    /// VFIO_DEVICE_DETACH_IOMMUFD_PT: DMA is blocked again.
    func detach(raw descriptor: Int32) throws(Errno)
    /// VFIO_DEVICE_RESET.
    func reset(raw descriptor: Int32) throws(Errno)
    /// For a device of this iommufd, by its object's number.
    func witness(of device: UInt32) throws(Errno) -> any DeviceWitness
}

/// A part of a file to be mapped. Addresses and lengths are multiples of the page size.
package struct FileMapping: Hashable, Sendable {
    /// Of the file; used during the call only.
    package var descriptor: Int32
    package var offset: UInt64
    package var length: UInt64
    package var iova: UInt64
    package var readable: Bool
    package var writable: Bool

    package init(
        descriptor: Int32, offset: UInt64, length: UInt64, iova: UInt64, readable: Bool, writable: Bool
    ) {
        (self.descriptor, self.offset, self.length, self.iova) = (descriptor, offset, length, iova)
        (self.readable, self.writable) = (readable, writable)
    }
}

/// What the kernel says of the SMMU behind which a device is (iommu_hw_info_arm_smmuv3).
package struct HardwareInfo: Hashable, Sendable {
    /// Raw. Only some fields are promised: the rest may be more than the kernel passes on.
    package var registers: IDRegisters
    /// Each TLBI and CFGI has to be issued twice.
    package var repeatsTLBIAndCFGI: Bool
    /// log2 of the PASIDs that are enabled; 0: none.
    package var pasidBits: Int
    package var hasATS: Bool

    package init(registers: IDRegisters, repeatsTLBIAndCFGI: Bool = false, pasidBits: Int = 0, hasATS: Bool = false) {
        (self.registers, self.repeatsTLBIAndCFGI) = (registers, repeatsTLBIAndCFGI)
        (self.pasidBits, self.hasATS) = (pasidBits, hasATS)
    }
}

/// A vEVENTQ or a fault queue: its object, and the descriptor that is read.
package struct QueueHandle: ~Copyable {
    package let id: UInt32
    package let descriptor: OwnedFD
    package init(id: UInt32, descriptor: consuming OwnedFD) {
        self.id = id
        self.descriptor = descriptor
    }
}

/// A device that has been bound: its object, and the descriptor that keeps it.
package struct BoundDeviceHandle: ~Copyable {
    package let id: UInt32
    package let descriptor: OwnedFD
    package init(id: UInt32, descriptor: consuming OwnedFD) {
        self.id = id
        self.descriptor = descriptor
    }
}

/// Where a device's cdev is: `/dev/vfio/devices/vfio3`.
package struct DevicePath: Hashable, Sendable {
    package var path: String
    package init(_ path: String) { self.path = path }
}

import CIOMMUFD
package import LinuxSystem
package import SMMUv3

/// The kernel's iommufd: every function is one ioctl (linux/iommufd.h, linux/vfio.h).
package final class LinuxIOMMU: IOMMUKernel, Sendable {
    private let iommufd: OwnedFD

    /// Opens `/dev/iommu`, which gives a context of its own.
    package init(path: String = "/dev/iommu") throws(Errno) {
        iommufd = try Self.open(path)
    }

    /// Takes an open iommufd over.
    package init(adopting iommufd: consuming OwnedFD) { self.iommufd = iommufd }

    private static func open(_ path: String) throws(Errno) -> OwnedFD {
        // SAFETY: as within.
        let raw = unsafe path.withCString { name in
            // SAFETY: the call reads a string that ends in 0 and keeps nothing of it.
            unsafe ciommufd_open(name)
        }
        return OwnedFD(adopting: try Errno.check(raw))
    }

    /// One ioctl on the structure of its request.
    private func call<Argument>(
        _ request: some BinaryInteger, _ argument: inout Argument, on descriptor: Int32? = nil
    ) throws(Errno) {
        // SAFETY: as within.
        let status = unsafe withUnsafeMutablePointer(to: &argument) { pointer in
            // SAFETY: the structure is that of the request, its size is filled in, and the kernel writes no further.
            unsafe ciommufd_ioctl(descriptor ?? iommufd.raw, UInt32(request), pointer)
        }
        try Errno.check(status)
    }

    package func destroy(_ id: UInt32) throws(Errno) {
        var argument = ciommufd_destroy(size: size(of: ciommufd_destroy.self), id: id)
        try call(CIOMMUFD_DESTROY, &argument)
    }

    private func size<Argument>(of _: Argument.Type) -> UInt32 { UInt32(MemoryLayout<Argument>.size) }
}

// MARK: - Memory

extension LinuxIOMMU {
    package func allocateIOAS() throws(Errno) -> UInt32 {
        var argument = ciommufd_ioas_alloc()
        argument.size = size(of: ciommufd_ioas_alloc.self)
        try call(CIOMMUFD_IOAS_ALLOC, &argument)
        return argument.out_ioas_id
    }

    package func allowIOVAs(_ ranges: [ClosedRange<UInt64>], of ioas: UInt32) throws(Errno) {
        let kernelRanges = ranges.map { ciommufd_iova_range(start: $0.lowerBound, last: $0.upperBound) }
        // SAFETY: as within: nobody keeps the pointer.
        let status = unsafe kernelRanges.withUnsafeBufferPointer { buffer -> Int32 in
            var argument = ciommufd_ioas_allow_iovas()
            argument.size = size(of: ciommufd_ioas_allow_iovas.self)
            argument.ioas_id = ioas
            argument.num_iovas = UInt32(buffer.count)
            // SAFETY: only its number is taken.
            argument.allowed_iovas = unsafe address(of: buffer.baseAddress)
            // SAFETY: the kernel reads `num_iovas` ranges from the buffer, which outlives the call.
            return unsafe ciommufd_ioctl(iommufd.raw, UInt32(CIOMMUFD_IOAS_ALLOW_IOVAS), &argument)
        }
        try Errno.check(status)
    }

    package func iovaRanges(of ioas: UInt32) throws(Errno) -> [ClosedRange<UInt64>] {
        var capacity = 16
        // The kernel says how many there are when there is not room for all; they may grow between two calls.
        for _ in 0..<8 {
            var ranges = [ciommufd_iova_range](repeating: ciommufd_iova_range(), count: capacity)
            var argument = ciommufd_ioas_iova_ranges()
            argument.size = size(of: ciommufd_ioas_iova_ranges.self)
            argument.ioas_id = ioas
            argument.num_iovas = UInt32(capacity)
            // SAFETY: as within: nobody keeps the pointer.
            let status = unsafe ranges.withUnsafeMutableBufferPointer { buffer -> Int32 in
                // SAFETY: only its number is taken.
                argument.allowed_iovas = unsafe address(of: UnsafePointer(buffer.baseAddress))
                // SAFETY: the kernel writes at most `num_iovas` ranges to the buffer, which outlives the call.
                return unsafe ciommufd_ioctl(iommufd.raw, UInt32(CIOMMUFD_IOAS_IOVA_RANGES), &argument)
            }
            if status == -Errno.messageTooLong.code, argument.num_iovas > UInt32(capacity) {
                capacity = Int(min(argument.num_iovas, 4096))
                continue
            }
            try Errno.check(status)
            return ranges.prefix(Int(argument.num_iovas)).filter { $0.start <= $0.last }.map { $0.start...$0.last }
        }
        throw .again
    }

    package func mapFile(_ map: FileMapping, into ioas: UInt32) throws(Errno) {
        var argument = ciommufd_ioas_map_file()
        argument.size = size(of: ciommufd_ioas_map_file.self)
        argument.flags = UInt32(CIOMMUFD_MAP_FIXED_IOVA)
        if map.readable { argument.flags |= UInt32(CIOMMUFD_MAP_READABLE) }
        if map.writable { argument.flags |= UInt32(CIOMMUFD_MAP_WRITEABLE) }
        argument.ioas_id = ioas
        argument.fd = map.descriptor
        (argument.start, argument.length, argument.iova) = (map.offset, map.length, map.iova)
        try call(CIOMMUFD_IOAS_MAP_FILE, &argument)
    }

    package func unmap(iova: UInt64, length: UInt64, from ioas: UInt32) throws(Errno) {
        var argument = ciommufd_ioas_unmap()
        argument.size = size(of: ciommufd_ioas_unmap.self)
        (argument.ioas_id, argument.iova, argument.length) = (ioas, iova, length)
        try call(CIOMMUFD_IOAS_UNMAP, &argument)
    }

    /// An address as the kernel takes it.
    private func address<Pointee>(of pointer: UnsafePointer<Pointee>?) -> UInt64 {
        UInt64(UInt(bitPattern: pointer))
    }
}

// MARK: - Translation

extension LinuxIOMMU {
    package func hardwareInfo(of device: UInt32) throws(Errno) -> HardwareInfo {
        var info = ciommufd_hw_info_arm_smmuv3()
        var argument = ciommufd_hw_info()
        argument.size = size(of: ciommufd_hw_info.self)
        argument.dev_id = device
        argument.data_len = size(of: ciommufd_hw_info_arm_smmuv3.self)
        // SAFETY: as within: nobody keeps the pointer.
        let status = unsafe withUnsafeMutablePointer(to: &info) { pointer -> Int32 in
            // SAFETY: only its number is taken.
            argument.data_uptr = unsafe address(of: UnsafePointer(pointer))
            // SAFETY: the kernel writes at most `data_len` bytes to `info`, which outlives the call.
            return unsafe ciommufd_ioctl(iommufd.raw, UInt32(CIOMMUFD_GET_HW_INFO), &argument)
        }
        try Errno.check(status)
        if argument.data_type != UInt32(CIOMMUFD_HW_INFO_TYPE_ARM_SMMUV3) { throw .notSupported }
        let idr = info.idr
        let registers = IDRegisters(
            idr0: idr.0, idr1: idr.1, idr2: idr.2, idr3: idr.3, idr4: idr.4, idr5: idr.5, iidr: info.iidr,
            aidr: info.aidr)
        let noATS = argument.out_capabilities & UInt64(CIOMMUFD_HW_CAPABILITY_PCI_ATS_NOT_SUPPORTED) != 0
        return HardwareInfo(
            registers: registers,
            repeatsTLBIAndCFGI: info.flags & UInt32(CIOMMUFD_HW_INFO_REPEAT_TLBI_CFGI) != 0,
            pasidBits: Int(argument.out_max_pasid_log2), hasATS: registers.atsSupported && !noATS)
    }

    package func allocateNestParent(for device: UInt32, over ioas: UInt32) throws(Errno) -> UInt32 {
        var argument = ciommufd_hwpt_alloc()
        argument.size = size(of: ciommufd_hwpt_alloc.self)
        argument.flags = UInt32(CIOMMUFD_HWPT_NEST_PARENT)
        (argument.dev_id, argument.pt_id) = (device, ioas)
        try call(CIOMMUFD_HWPT_ALLOC, &argument)
        return argument.out_hwpt_id
    }

    package func allocateVIOMMU(for device: UInt32, over nestParent: UInt32) throws(Errno) -> UInt32 {
        var argument = ciommufd_viommu_alloc()
        argument.size = size(of: ciommufd_viommu_alloc.self)
        argument.type = UInt32(CIOMMUFD_VIOMMU_TYPE_ARM_SMMUV3)
        (argument.dev_id, argument.hwpt_id) = (device, nestParent)
        try call(CIOMMUFD_VIOMMU_ALLOC, &argument)
        return argument.out_viommu_id
    }

    package func allocateNested(
        for device: UInt32, in viommu: UInt32, word0: UInt64, word1: UInt64, faultQueue: UInt32?
    ) throws(Errno) -> UInt32 {
        var ste = ciommufd_hwpt_arm_smmuv3(ste: (word0.littleEndian, word1.littleEndian))
        var argument = ciommufd_hwpt_alloc()
        argument.size = size(of: ciommufd_hwpt_alloc.self)
        (argument.dev_id, argument.pt_id) = (device, viommu)
        argument.data_type = UInt32(CIOMMUFD_HWPT_DATA_ARM_SMMUV3)
        argument.data_len = size(of: ciommufd_hwpt_arm_smmuv3.self)
        if let faultQueue {
            argument.flags = UInt32(CIOMMUFD_HWPT_FAULT_ID_VALID)
            argument.fault_id = faultQueue
        }
        // SAFETY: as within: nobody keeps the pointer.
        let status = unsafe withUnsafeMutablePointer(to: &ste) { pointer -> Int32 in
            // SAFETY: only its number is taken.
            argument.data_uptr = unsafe address(of: UnsafePointer(pointer))
            // SAFETY: the kernel reads `data_len` bytes of `ste`, which outlives the call.
            return unsafe ciommufd_ioctl(iommufd.raw, UInt32(CIOMMUFD_HWPT_ALLOC), &argument)
        }
        try Errno.check(status)
        return argument.out_hwpt_id
    }

    package func allocateVDevice(_ vsid: StreamID, for device: UInt32, in viommu: UInt32) throws(Errno) -> UInt32 {
        var argument = ciommufd_vdevice_alloc()
        argument.size = size(of: ciommufd_vdevice_alloc.self)
        (argument.viommu_id, argument.dev_id, argument.virt_id) = (viommu, device, UInt64(vsid.rawValue))
        try call(CIOMMUFD_VDEVICE_ALLOC, &argument)
        return argument.out_vdevice_id
    }

    package func invalidate(_ commands: Span<Command>, in viommu: UInt32) throws(Errno) {
        // SAFETY: as within: nobody keeps the pointer.
        let status = unsafe commands.withUnsafeBytes { bytes -> Int32 in
            var argument = ciommufd_hwpt_invalidate()
            argument.size = size(of: ciommufd_hwpt_invalidate.self)
            argument.hwpt_id = viommu
            argument.data_uptr = UInt64(UInt(bitPattern: bytes.baseAddress))
            argument.data_type = UInt32(CIOMMUFD_INVALIDATE_DATA_ARM_SMMUV3)
            argument.entry_len = size(of: ciommufd_viommu_arm_smmuv3_invalidate.self)
            argument.entry_num = UInt32(commands.count)
            // SAFETY: a Command is its two words, so the kernel reads `entry_num` entries within the span.
            return unsafe ciommufd_ioctl(iommufd.raw, UInt32(CIOMMUFD_HWPT_INVALIDATE), &argument)
        }
        try Errno.check(status)
    }
}

// MARK: - Events and devices

extension LinuxIOMMU {
    package func allocateEventQueue(in viommu: UInt32, depth: UInt32) throws(Errno) -> QueueHandle {
        var argument = ciommufd_veventq_alloc()
        argument.size = size(of: ciommufd_veventq_alloc.self)
        argument.viommu_id = viommu
        argument.type = UInt32(CIOMMUFD_VEVENTQ_TYPE_ARM_SMMUV3)
        argument.veventq_depth = depth
        try call(CIOMMUFD_VEVENTQ_ALLOC, &argument)
        let descriptor = OwnedFD(adopting: Int32(bitPattern: argument.out_veventq_fd))
        return QueueHandle(id: argument.out_veventq_id, descriptor: descriptor)
    }

    package func readEvents(raw: Int32, into bytes: inout [UInt8]) throws(Errno) -> Int {
        // SAFETY: as within: nobody keeps the pointer.
        let count = unsafe bytes.withUnsafeMutableBufferPointer { buffer in
            // SAFETY: the kernel writes at most `buffer.count` bytes.
            unsafe ciommufd_read(raw, buffer.baseAddress, buffer.count)
        }
        return Int(try Errno.check(count))
    }

    package func allocateFaultQueue() throws(Errno) -> QueueHandle {
        var argument = ciommufd_fault_alloc()
        argument.size = size(of: ciommufd_fault_alloc.self)
        try call(CIOMMUFD_FAULT_QUEUE_ALLOC, &argument)
        let descriptor = OwnedFD(adopting: Int32(bitPattern: argument.out_fault_fd))
        return QueueHandle(id: argument.out_fault_id, descriptor: descriptor)
    }

    package func readFaults(raw: Int32, into bytes: inout [UInt8]) throws(Errno) -> Int {
        try readEvents(raw: raw, into: &bytes)
    }

    package func answerFault(raw: Int32, cookie: UInt32, retry: Bool) throws(Errno) {
        let code = retry ? CIOMMUFD_PAGE_RESPONSE_SUCCESS : CIOMMUFD_PAGE_RESPONSE_INVALID
        var answer = ciommufd_hwpt_page_response(cookie: cookie, code: UInt32(code))
        // SAFETY: as within: nobody keeps the pointer.
        let count = unsafe withUnsafeBytes(of: &answer) { bytes in
            // SAFETY: the kernel reads the structure's own bytes.
            unsafe ciommufd_write(raw, bytes.baseAddress, bytes.count)
        }
        try Errno.check(count)
    }

    package func witness(of device: UInt32) throws(Errno) -> any DeviceWitness {
        LinuxDeviceWitness(LinuxIOMMU(adopting: try iommufd.duplicate()), device)
    }

    package func bind(_ device: DevicePath) throws(Errno) -> BoundDeviceHandle {
        let descriptor = try Self.open(device.path)
        var argument = cvfio_device_bind_iommufd()
        argument.argsz = size(of: cvfio_device_bind_iommufd.self)
        argument.iommufd = iommufd.raw
        try call(CVFIO_DEVICE_BIND_IOMMUFD, &argument, on: descriptor.raw)
        return BoundDeviceHandle(id: argument.out_devid, descriptor: descriptor)
    }

    package func attach(raw descriptor: Int32, to hwpt: UInt32) throws(Errno) {
        var argument = cvfio_device_attach_iommufd_pt()
        argument.argsz = size(of: cvfio_device_attach_iommufd_pt.self)
        argument.pt_id = hwpt
        try call(CVFIO_DEVICE_ATTACH_IOMMUFD_PT, &argument, on: descriptor)
    }

    package func detach(raw descriptor: Int32) throws(Errno) {
        var argument = cvfio_device_detach_iommufd_pt()
        argument.argsz = size(of: cvfio_device_detach_iommufd_pt.self)
        try call(CVFIO_DEVICE_DETACH_IOMMUFD_PT, &argument, on: descriptor)
    }

    package func reset(raw descriptor: Int32) throws(Errno) {
        let status = ciommufd_ioctl(descriptor, UInt32(CVFIO_DEVICE_RESET), nil)
        try Errno.check(status)
    }
}

/// Asks an iommufd that it shares with whoever bound the device.
private final class LinuxDeviceWitness: DeviceWitness, Sendable {
    private let iommufd: LinuxIOMMU
    private let device: UInt32

    init(_ iommufd: LinuxIOMMU, _ device: UInt32) { (self.iommufd, self.device) = (iommufd, device) }

    /// A device whose SMMU says nothing is there all the same.
    var isHeld: Bool {
        do throws(Errno) {
            _ = try iommufd.hardwareInfo(of: device)
            return true
        } catch { return error != .notFound }
    }
}

package import LinuxSystem
package import SMMUv3

/// An iommufd of which each call is timed, but for those that pin memory: they take as long as there is memory.
package final class TimedKernel: IOMMUKernel {
    private let kernel: any IOMMUKernel
    private let calls: SlowCalls

    package init(_ kernel: any IOMMUKernel, _ calls: SlowCalls) { (self.kernel, self.calls) = (kernel, calls) }

    private func timed<Result: ~Copyable>(
        _ name: StaticString, _ work: () throws(Errno) -> Result
    ) throws(Errno) -> Result {
        let began = calls.begin()
        defer { calls.end(name, since: began) }
        return try work()
    }

    package func destroy(_ id: UInt32) throws(Errno) {
        try timed("IOMMU_DESTROY") { () throws(Errno) in try kernel.destroy(id) }
    }

    // MARK: Memory

    package func allocateIOAS() throws(Errno) -> UInt32 {
        try timed("IOMMU_IOAS_ALLOC") { () throws(Errno) in try kernel.allocateIOAS() }
    }
    package func allowIOVAs(_ ranges: [ClosedRange<UInt64>], of ioas: UInt32) throws(Errno) {
        try timed("IOMMU_IOAS_ALLOW_IOVAS") { () throws(Errno) in try kernel.allowIOVAs(ranges, of: ioas) }
    }
    package func iovaRanges(of ioas: UInt32) throws(Errno) -> [ClosedRange<UInt64>] {
        try timed("IOMMU_IOAS_IOVA_RANGES") { () throws(Errno) in try kernel.iovaRanges(of: ioas) }
    }
    package func mapFile(_ map: FileMapping, into ioas: UInt32) throws(Errno) {
        try kernel.mapFile(map, into: ioas)
    }
    package func unmap(iova: UInt64, length: UInt64, from ioas: UInt32) throws(Errno) {
        try timed("IOMMU_IOAS_UNMAP") { () throws(Errno) in try kernel.unmap(iova: iova, length: length, from: ioas) }
    }

    // MARK: Translation

    package func hardwareInfo(of device: UInt32) throws(Errno) -> HardwareInfo {
        try timed("IOMMU_GET_HW_INFO") { () throws(Errno) in try kernel.hardwareInfo(of: device) }
    }
    package func allocateNestParent(for device: UInt32, over ioas: UInt32) throws(Errno) -> UInt32 {
        try kernel.allocateNestParent(for: device, over: ioas)
    }
    package func allocateVIOMMU(for device: UInt32, over nestParent: UInt32) throws(Errno) -> UInt32 {
        try timed("IOMMU_VIOMMU_ALLOC") { () throws(Errno) in try kernel.allocateVIOMMU(for: device, over: nestParent) }
    }
    package func allocateNested(
        for device: UInt32, in viommu: UInt32, word0: UInt64, word1: UInt64, faultQueue: UInt32?
    ) throws(Errno) -> UInt32 {
        try timed("IOMMU_HWPT_ALLOC (stage 1)") { () throws(Errno) in
            try kernel.allocateNested(for: device, in: viommu, word0: word0, word1: word1, faultQueue: faultQueue)
        }
    }
    package func allocateVDevice(_ vsid: StreamID, for device: UInt32, in viommu: UInt32) throws(Errno) -> UInt32 {
        try timed("IOMMU_VDEVICE_ALLOC") { () throws(Errno) in
            try kernel.allocateVDevice(vsid, for: device, in: viommu)
        }
    }
    package func invalidate(_ commands: Span<Command>, in viommu: UInt32) throws(Errno) {
        let began = calls.begin()
        defer { calls.end("IOMMU_HWPT_INVALIDATE", since: began) }
        try kernel.invalidate(commands, in: viommu)
    }

    // MARK: Events

    package func allocateEventQueue(in viommu: UInt32, depth: UInt32) throws(Errno) -> QueueHandle {
        try timed("IOMMU_VEVENTQ_ALLOC") { () throws(Errno) in
            try kernel.allocateEventQueue(in: viommu, depth: depth)
        }
    }
    package func readEvents(raw descriptor: Int32, into bytes: inout [UInt8]) throws(Errno) -> Int {
        let began = calls.begin()
        defer { calls.end("read of a vEVENTQ", since: began) }
        return try kernel.readEvents(raw: descriptor, into: &bytes)
    }
    package func allocateFaultQueue() throws(Errno) -> QueueHandle {
        try timed("IOMMU_FAULT_QUEUE_ALLOC") { () throws(Errno) in try kernel.allocateFaultQueue() }
    }
    package func readFaults(raw descriptor: Int32, into bytes: inout [UInt8]) throws(Errno) -> Int {
        let began = calls.begin()
        defer { calls.end("read of a fault queue", since: began) }
        return try kernel.readFaults(raw: descriptor, into: &bytes)
    }
    package func answerFault(raw descriptor: Int32, cookie: UInt32, retry: Bool) throws(Errno) {
        try timed("write to a fault queue") { () throws(Errno) in
            try kernel.answerFault(raw: descriptor, cookie: cookie, retry: retry)
        }
    }

    // MARK: Devices

    package func bind(_ device: DevicePath) throws(Errno) -> BoundDeviceHandle {
        try timed("VFIO_DEVICE_BIND_IOMMUFD") { () throws(Errno) in try kernel.bind(device) }
    }
    package func attach(raw descriptor: Int32, to hwpt: UInt32) throws(Errno) {
        try timed("VFIO_DEVICE_ATTACH_IOMMUFD_PT") { () throws(Errno) in try kernel.attach(raw: descriptor, to: hwpt) }
    }
    package func detach(raw descriptor: Int32) throws(Errno) {
        try timed("VFIO_DEVICE_DETACH_IOMMUFD_PT") { () throws(Errno) in try kernel.detach(raw: descriptor) }
    }
    package func reset(raw descriptor: Int32) throws(Errno) {
        try timed("VFIO_DEVICE_RESET") { () throws(Errno) in try kernel.reset(raw: descriptor) }
    }
    package func witness(of device: UInt32) throws(Errno) -> any DeviceWitness { try kernel.witness(of: device) }
}

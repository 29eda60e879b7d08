package import BrokerCore
package import IOMMUFD
package import LinuxSystem
package import SMMUv3
package import Wire

/// Translation by the host's SMMUs, through iommufd and VFIO: one iommufd for each session.
///
/// Guest memory is pinned by the kernel and never mapped here. It is opened with the first thing that needs it.
package final class IOMMUFDBackend: TranslationBackend {
    /// Opens an iommufd of its own.
    package typealias Opener = () throws(Errno) -> any IOMMUKernel

    private let descriptors: DescriptorTable
    private let opener: Opener
    private let calls: SlowCalls
    let locator: any DeviceLocator
    private var ioas: IOAS?
    private var maps: [MemoryMap] = []
    private(set) var vsmmus: [IOMMUFDVSMMU] = []
    /// What ``probe(_:)`` has taken and nothing has used yet.
    var probed: (device: HostDevice, bound: BoundDevice)?
    /// A device behind each SMMU that has been asked for: the kernel names an SMMU by a device.
    var representatives: [(smmu: Name, device: Name)] = []
    /// Event sources of vSMMUs that are gone. Whoever waited for them has turned away by the time of the next request.
    private var retired: [ResourceID] = []
    /// Of devices that have been taken away, until they are asked for.
    var holds: [(device: Name, hold: IOMMUFDHold)] = []
    private var notices: [HostNotice] = []

    /// - Parameter now: nanoseconds that never go back, for what takes long.
    package init(
        descriptors: DescriptorTable, locator: any DeviceLocator,
        now: @escaping () -> UInt64 = { MonotonicTime.now.nanoseconds }, opener: @escaping Opener
    ) {
        (self.descriptors, self.locator, self.opener) = (descriptors, locator, opener)
        calls = SlowCalls(now: now)
    }

    deinit {
        removeRetired()
        for vsmmu in vsmmus { descriptors.remove(vsmmu.events.resource.rawValue) }
    }

    /// Whether there is anything to answer the registers of a vSMMU say: STALL_MODEL.
    package var features: Features { [.pageResponse] }
    package var mapsMemory: Bool { false }
    package var mapsDeviceMemory: Bool { true }
    /// MSI_IOVA_BASE and MSI_IOVA_LENGTH (drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c).
    package var reservedWindow: MSIWindow { MSIWindow(base: 0x0800_0000, size: 1 << 20) }

    private func removeRetired() {
        for resource in retired { descriptors.remove(resource.rawValue) }
        retired = []
    }

    func requireIOAS() throws(BackendFailure) -> IOAS {
        if let ioas { return ioas }
        let made = try attempt { () throws(IOMMUError) in
            let kernel: any IOMMUKernel
            do throws(Errno) { kernel = TimedKernel(try opener(), calls) } catch {
                throw IOMMUError(error, .open, "open /dev/iommu")
            }
            return try IOAS(kernel)
        }
        ioas = made
        return made
    }

    /// Calls of the kernel, with their errors as a session is told.
    func attempt<Value>(_ work: () throws(IOMMUError) -> Value) throws(BackendFailure) -> Value {
        do throws(IOMMUError) { return try work() } catch { throw BackendFailure(error) }
    }

    // MARK: Memory

    package func map(_ map: MemoryMap) throws(BackendFailure) {
        removeRetired()
        let operation = "map \(map.size) bytes at IPA \(map.ipa.hex)"
        let window = reservedWindow
        if map.ipa < window.base + window.size && map.end > window.base {
            throw BackendFailure(
                .invalid, operation, advice: "the window of MSIs is there: leave it out of guest memory")
        }
        let ioas = try requireIOAS()
        let mapping = try mapping(of: map, operation)
        try attempt { () throws(IOMMUError) in try ioas.map(mapping) }
        maps.append(map)
    }

    private func mapping(of map: MemoryMap, _ operation: String) throws(BackendFailure) -> FileMapping {
        guard let raw = descriptors.raw(map.file.rawValue) else {
            throw BackendFailure(.invalid, operation, advice: "the descriptor is gone")
        }
        return FileMapping(
            descriptor: raw, offset: map.offset, length: map.size, iova: map.ipa, readable: map.readable,
            writable: map.writable)
    }

    /// What the kernel has taken away stays in the address space as a map of nothing, so that it has to go first. Where a
    /// BAR cannot be mapped now, because its device has memory disabled, nothing is until the client maps it anew.
    package func renewDeviceMemory() {
        guard let ioas else { return }
        for map in maps where map.isDeviceMemory {
            do throws(BackendFailure) {
                let mapping = try mapping(of: map, "map a BAR again")
                try attempt { () throws(IOMMUError) in
                    try ioas.unmap(iova: map.ipa, length: map.size)
                    try ioas.map(mapping)
                }
            } catch { notices.append(.deviceMemoryLost(error, at: map.ipa)) }
        }
    }

    package func unmap(_ map: MemoryMap) throws(BackendFailure) {
        guard let ioas, let index = maps.firstIndex(where: { $0.ipa == map.ipa && $0.size == map.size }) else {
            throw BackendFailure(
                .notFound, "unmap \(map.size) bytes at IPA \(map.ipa.hex)", advice: "there is no such map")
        }
        try attempt { () throws(IOMMUError) in try ioas.unmap(iova: map.ipa, length: map.size) }
        maps.remove(at: index)
    }

    // MARK: vSMMUs

    package func createVSMMU(_ id: VSMMUID, on smmu: PhysicalSMMU, advertised: IDRegisters) throws(BackendFailure) {
        removeRetired()
        if find(id) != nil {
            throw BackendFailure(.exists, "create vSMMU \(id)", advice: "there is one of that number")
        }
        let ioas = try requireIOAS()
        let device = try representative(of: smmu.name)
        let vsmmu = try attempt { () throws(IOMMUError) in
            try IOMMUFDVSMMU(id, on: smmu, advertised: advertised, with: device, over: ioas, descriptors, calls)
        }
        vsmmus.append(vsmmu)
    }

    package func destroyVSMMU(_ id: VSMMUID) {
        guard let index = vsmmus.firstIndex(where: { $0.id == id }) else { return }
        retired.append(vsmmus.remove(at: index).events.resource)
    }

    package func eventSource(of vsmmu: VSMMUID) -> ResourceID? {
        guard let events = find(vsmmu)?.events, events.failure == nil else { return nil }
        return events.resource
    }

    package func install(
        _ installation: Installation, for vsid: StreamID, on vsmmu: VSMMUID
    ) throws(BackendFailure) {
        let (target, stream) = try require(vsid, on: vsmmu, "install a translation for vSID \(vsid.rawValue)")
        do throws(IOMMUError) { try target.install(installation, for: stream) } catch {
            var failure = BackendFailure(error)
            failure.isUnsettled = target.isUnsettled
            failure.isUnsynchronized = stream.isUnsynchronized
            // To try again what half of was done would be to forget what was in effect before.
            if failure.isUnsettled { failure.isTransient = false }
            throw failure
        }
    }

    // MARK: Commands and events

    package func invalidate(_ commands: Span<Command>, on vsmmu: VSMMUID) -> InvalidationOutcome {
        guard let target = find(vsmmu) else { return .failed(Self.noVSMMU(vsmmu, "invalidate")) }
        defer { if !target.slowStreams.isEmpty { noteSlowStreams(target) } }
        return target.invalidate(commands)
    }

    private func noteSlowStreams(_ vsmmu: IOMMUFDVSMMU) {
        notices += vsmmu.slowStreams.map { .trouble(DeviceTrouble(vsmmu: vsmmu.id, vsid: $0, reason: .slowATC)) }
        vsmmu.slowStreams = []
    }

    package func resynchronize(_ vsmmu: VSMMUID) throws(BackendFailure) {
        let target = try require(vsmmu, "resynchronize vSMMU \(vsmmu)")
        defer { if !target.slowStreams.isEmpty { noteSlowStreams(target) } }
        try attempt { () throws(IOMMUError) in try target.resynchronize() }
    }

    package func readEvents(of vsmmu: VSMMUID, into slots: inout MutableSpan<EventRecord>) -> EventsRead {
        guard let target = find(vsmmu), target.events.failure == nil else { return EventsRead(count: 0) }
        let read = target.events.read(into: &slots, target.streams)
        if let failure = target.events.failure { notices.append(.eventsFailed(vsmmu, BackendFailure(failure))) }
        return read
    }

    package func restartEvents(of vsmmu: VSMMUID) { find(vsmmu)?.events.restart() }

    // MARK: What has been noticed

    package var hasNotices: Bool { !notices.isEmpty || !calls.isEmpty }

    package func takeNotices() -> [HostNotice] {
        let slow = calls.take()
        var all = slow.calls.map { HostNotice.slowCall(name: $0.name, milliseconds: $0.nanoseconds / 1_000_000) }
        if slow.more > 0 { all.append(.moreSlowCalls(slow.more)) }
        all += notices
        notices = []
        return all
    }

    // MARK: Stalled transactions

    /// The kernel knows to try again and to abort; a transaction that is to be terminated without the device being told is
    /// aborted too.
    package func respond(
        _ response: PageResponse, to tag: StallTag, of vsid: StreamID, on vsmmu: VSMMUID
    ) throws(BackendFailure) -> Bool {
        let (target, stream) = try require(vsid, on: vsmmu, "answer a stalled transaction")
        return try attempt { () throws(IOMMUError) in
            try target.stalls?.answer(tag.rawValue, of: stream, retry: response == .retry) ?? false
        }
    }

    package func terminateStalls(of vsid: StreamID?, on vsmmu: VSMMUID) throws(BackendFailure) {
        let target = try require(vsmmu, "end stalled transactions")
        var stream: IOMMUFDStream?
        if let vsid { stream = try require(vsid, on: vsmmu, "end stalled transactions").1 }
        try attempt { () throws(IOMMUError) in try target.terminateStalls(stream) }
    }

    /// Where the guest's own doorbell is does not matter: the kernel writes the window's address into the device.
    package func bindDoorbell(
        _ doorbell: Doorbell, of vsid: StreamID, on vsmmu: VSMMUID
    ) throws(BackendFailure) -> MSIWindow {
        _ = try require(vsid, on: vsmmu, "bind a doorbell")
        return reservedWindow
    }

    /// Only the model's devices can be asked.
    package func access(_ access: DeviceAccess, data: inout MutableRawSpan) -> AccessReply {
        AccessReply(
            stage1: .abort, stage2: .notReached, ipa: IPA(rawValue: 0), permissions: [], recorded: false,
            event: EventRecord())
    }
}

// MARK: - Look-up

extension IOMMUFDBackend {
    private func find(_ id: VSMMUID) -> IOMMUFDVSMMU? {
        for vsmmu in vsmmus where vsmmu.id == id { return vsmmu }
        return nil
    }

    func require(_ id: VSMMUID, _ operation: @autoclosure () -> String) throws(BackendFailure) -> IOMMUFDVSMMU {
        guard let vsmmu = find(id) else { throw Self.noVSMMU(id, operation()) }
        return vsmmu
    }

    func require(
        _ vsid: StreamID, on id: VSMMUID, _ operation: @autoclosure () -> String
    ) throws(BackendFailure) -> (IOMMUFDVSMMU, IOMMUFDStream) {
        let vsmmu = try require(id, operation())
        guard let stream = vsmmu.stream(vsid) else {
            throw BackendFailure(.notFound, operation(), advice: "vSMMU \(id) has no vSID \(vsid.rawValue)")
        }
        return (vsmmu, stream)
    }

    private static func noVSMMU(_ id: VSMMUID, _ operation: String) -> BackendFailure {
        BackendFailure(.notFound, operation, advice: "there is no vSMMU \(id)")
    }

    func insertDescriptor(_ fd: consuming OwnedFD) -> ResourceID { ResourceID(rawValue: descriptors.insert(fd)) }
}

import BrokerCore
import SMMUv3
import Wire

/// What a backend was asked to do, in order.
enum Call: Hashable {
    case map(UInt64)
    case unmap(UInt64)
    case create(VSMMUID)
    case destroy(VSMMUID)
    case attach(Name, ContextKey, Installation)
    case detach(ContextKey)
    case rebind(ContextKey, StreamID)
    case install(ContextKey, Installation)
    case invalidate([Command])
    case resynchronize(VSMMUID)
    case respond(PageResponse, StallTag, ContextKey)
    case terminateStalls(StreamID?)
    case doorbell(ContextKey)
    case access(DeviceAccess)
}

/// Records what it is asked, and fails when it is told to.
final class FakeBackend: TranslationBackend {
    var calls: [Call] = []
    var features: Features = [.model, .pageResponse]
    var mapsMemory = true
    var reservedWindow = MSIWindow(base: 0, size: 0)
    /// What is found out about devices, and why it is not.
    var probes: [Name: HostDevice] = [:]
    var probeFailure: BackendFailure?
    /// What has been probed and not been given back.
    private(set) var openProbe: Name?
    /// Of each call before it is done: throw what it is to fail with.
    var fail: (Call) -> BackendFailure? = { _ in nil }
    var outcome: InvalidationOutcome = .completed
    var troubles: [DeviceTrouble] = []
    var stalled: Set<StallTag> = []
    var source: [VSMMUID: [EventRecord]] = [:]
    var lost: [VSMMUID: UInt64] = [:]
    var descriptor: ResourceID?
    var reply = AccessReply(
        stage1: .done, stage2: .done, ipa: IPA(0x5000), permissions: [.read], recorded: false, event: EventRecord())

    /// Of the last DMA.
    private(set) var written: [UInt8] = []
    /// What is in effect, as a device would find it.
    private(set) var inEffect: [ContextKey: Installation] = [:]
    private(set) var mapped: Set<UInt64> = []

    private func note(_ call: Call) throws(BackendFailure) {
        calls.append(call)
        if let failure = fail(call) { throw failure }
    }

    func probe(_ device: Name) throws(BackendFailure) -> HostDevice? {
        openProbe = device
        if let probeFailure { throw probeFailure }
        return probes[device]
    }
    func endProbe() { openProbe = nil }

    func map(_ map: MemoryMap) throws(BackendFailure) {
        try note(.map(map.ipa))
        mapped.insert(map.ipa)
    }
    func unmap(_ map: MemoryMap) throws(BackendFailure) {
        try note(.unmap(map.ipa))
        mapped.remove(map.ipa)
    }
    func createVSMMU(_ id: VSMMUID, on smmu: PhysicalSMMU, advertised: IDRegisters) throws(BackendFailure) {
        try note(.create(id))
    }
    func destroyVSMMU(_ id: VSMMUID) { calls.append(.destroy(id)) }
    func eventSource(of vsmmu: VSMMUID) -> ResourceID? { ResourceID(9000 + UInt64(vsmmu.rawValue)) }

    func attach(
        _ device: HostDevice, to vsmmu: VSMMUID, as vsid: StreamID, initially: Installation
    ) throws(BackendFailure) -> AttachedDevice {
        try note(.attach(device.name, ContextKey(vsmmu, vsid), initially))
        inEffect[ContextKey(vsmmu, vsid)] = initially
        return AttachedDevice(msi: MSIWindow(base: 0x800_0000, size: 0x10_0000), descriptor: descriptor)
    }
    func detach(_ vsid: StreamID, from vsmmu: VSMMUID) throws(BackendFailure) {
        try note(.detach(ContextKey(vsmmu, vsid)))
        inEffect[ContextKey(vsmmu, vsid)] = nil
    }
    func rebind(_ vsid: StreamID, to newVSID: StreamID, on vsmmu: VSMMUID) throws(BackendFailure) {
        try note(.rebind(ContextKey(vsmmu, vsid), newVSID))
        inEffect[ContextKey(vsmmu, newVSID)] = inEffect.removeValue(forKey: ContextKey(vsmmu, vsid))
    }
    func install(_ installation: Installation, for vsid: StreamID, on vsmmu: VSMMUID) throws(BackendFailure) {
        try note(.install(ContextKey(vsmmu, vsid), installation))
        inEffect[ContextKey(vsmmu, vsid)] = installation
    }

    func invalidate(_ commands: Span<Command>, on vsmmu: VSMMUID) -> InvalidationOutcome {
        calls.append(.invalidate(commands.indices.map { commands[$0] }))
        return outcome
    }
    var hasNotices: Bool { !troubles.isEmpty }
    func takeNotices() -> [HostNotice] {
        defer { troubles = [] }
        return troubles.map { .trouble($0) }
    }
    func resynchronize(_ vsmmu: VSMMUID) throws(BackendFailure) { try note(.resynchronize(vsmmu)) }

    func readEvents(of vsmmu: VSMMUID, into slots: inout MutableSpan<EventRecord>) -> EventsRead {
        let lost = lost.removeValue(forKey: vsmmu) ?? 0
        let waiting = source[vsmmu] ?? []
        let count = min(waiting.count, slots.count)
        for index in 0..<count { slots[index] = waiting[index] }
        source[vsmmu] = Array(waiting.dropFirst(count))
        return EventsRead(count: count, lost: lost)
    }

    func respond(
        _ response: PageResponse, to tag: StallTag, of vsid: StreamID, on vsmmu: VSMMUID
    ) throws(BackendFailure) -> Bool {
        try note(.respond(response, tag, ContextKey(vsmmu, vsid)))
        return stalled.remove(tag) != nil
    }
    func terminateStalls(of vsid: StreamID?, on vsmmu: VSMMUID) throws(BackendFailure) {
        try note(.terminateStalls(vsid))
    }
    func bindDoorbell(_ doorbell: Doorbell, of vsid: StreamID, on vsmmu: VSMMUID) throws(BackendFailure) -> MSIWindow {
        try note(.doorbell(ContextKey(vsmmu, vsid)))
        return MSIWindow(base: doorbell.iova.rawValue, size: 4096)
    }
    func access(_ access: DeviceAccess, data: inout MutableRawSpan) -> AccessReply {
        calls.append(.access(access))
        var reply = reply
        reply.size = UInt32(access.size)
        if access.write {
            written = (0..<data.byteCount).map { UInt8.load(from: data.bytes, at: $0) }
        } else {
            for index in 0..<data.byteCount {
                data.storeBytes(of: UInt8(truncatingIfNeeded: index), toByteOffset: index, as: UInt8.self)
            }
        }
        return reply
    }
}

extension BackendFailure {
    static func busy(_ operation: String = "put it into effect") -> BackendFailure {
        BackendFailure(.busy, operation, advice: "the device is in reset", isTransient: true)
    }
    static let broken = BackendFailure(.inputOutput, "reach the hardware", advice: "look at the kernel's log")
}

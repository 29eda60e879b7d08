import Backends
import BrokerCore
import Glibc
import LinuxSystem
import SMMUv3
import Synchronization
import Wire

/// The model, but for the events: those are the records that somebody writes into a pipe. So a benchmark has a source
/// that costs no more than a read, as the one of hardware does, and another process decides when it becomes readable.
final class PipedBackend: TranslationBackend {
    private let wrapped: ModelBackend
    private let descriptors: DescriptorTable
    private let openSource: () throws -> OwnedFD
    private let counts: ReadCounts
    /// Of the one vSMMU.
    private var source: Source?

    private final class Source {
        let pipe: OwnedFD
        /// The same as the session names it.
        let resource: ResourceID
        let vsmmu: VSMMUID

        init(_ pipe: consuming OwnedFD, of vsmmu: VSMMUID, in descriptors: DescriptorTable) throws {
            let copy = try pipe.duplicate()
            self.pipe = pipe
            self.vsmmu = vsmmu
            resource = ResourceID(rawValue: descriptors.insert(copy))
        }
    }

    /// - Parameter openSource: Gives the end to be read of a new pipe, non-blocking.
    init(_ descriptors: DescriptorTable, counting counts: ReadCounts, openSource: @escaping () throws -> OwnedFD) {
        (self.descriptors, self.counts, self.openSource) = (descriptors, counts, openSource)
        wrapped = ModelBackend(descriptors: descriptors)
    }

    deinit { if let source { descriptors.remove(source.resource.rawValue) } }

    var features: Features { wrapped.features }

    func createVSMMU(_ id: VSMMUID, on smmu: PhysicalSMMU, advertised: IDRegisters) throws(BackendFailure) {
        try wrapped.createVSMMU(id, on: smmu, advertised: advertised)
        do {
            source = try Source(try openSource(), of: id, in: descriptors)
        } catch {
            throw BackendFailure(.noMemory, "open a pipe", advice: "\(error)")
        }
    }

    func eventSource(of vsmmu: VSMMUID) -> ResourceID? { source?.vsmmu == vsmmu ? source?.resource : nil }

    func readEvents(of vsmmu: VSMMUID, into slots: inout MutableSpan<EventRecord>) -> EventsRead {
        guard let source, source.vsmmu == vsmmu else { return EventsRead(count: 0) }
        let size = MemoryLayout<EventRecord>.stride
        let bytes = unsafe slots.withUnsafeMutableBufferPointer { slots in
            // SAFETY: the call writes at most the slots there are, and any bits are a record.
            unsafe read(source.pipe.raw, slots.baseAddress, slots.count * size)
        }
        let count = max(bytes, 0) / size
        counts.add(count)
        return EventsRead(count: count)
    }
}

/// How often a source was read, and what for. Written by the session's thread.
final class ReadCounts: Sendable {
    private let readings = Atomic<Int>(0)
    private let records = Atomic<Int>(0)
    private let largest = Atomic<Int>(0)

    fileprivate func add(_ count: Int) {
        readings.store(readings.load(ordering: .relaxed) + 1, ordering: .relaxed)
        records.store(records.load(ordering: .relaxed) + count, ordering: .relaxed)
        if count > largest.load(ordering: .relaxed) { largest.store(count, ordering: .relaxed) }
    }

    /// So far: reads, records, and the most records of one read.
    var all: (reads: Int, records: Int, most: Int) {
        (readings.load(ordering: .relaxed), records.load(ordering: .relaxed), largest.load(ordering: .relaxed))
    }
}

// MARK: - What the model does

extension PipedBackend {
    func map(_ map: MemoryMap) throws(BackendFailure) { try wrapped.map(map) }
    func unmap(_ map: MemoryMap) throws(BackendFailure) { try wrapped.unmap(map) }
    func destroyVSMMU(_ id: VSMMUID) { wrapped.destroyVSMMU(id) }

    func attach(
        _ device: HostDevice, to vsmmu: VSMMUID, as vsid: StreamID, initially: Installation
    ) throws(BackendFailure) -> AttachedDevice {
        try wrapped.attach(device, to: vsmmu, as: vsid, initially: initially)
    }
    func detach(_ vsid: StreamID, from vsmmu: VSMMUID) throws(BackendFailure) {
        try wrapped.detach(vsid, from: vsmmu)
    }
    func rebind(_ vsid: StreamID, to newVSID: StreamID, on vsmmu: VSMMUID) throws(BackendFailure) {
        try wrapped.rebind(vsid, to: newVSID, on: vsmmu)
    }
    func install(
        _ installation: Installation, for vsid: StreamID, on vsmmu: VSMMUID
    ) throws(BackendFailure) { try wrapped.install(installation, for: vsid, on: vsmmu) }

    func invalidate(_ commands: Span<Command>, on vsmmu: VSMMUID) -> InvalidationOutcome {
        wrapped.invalidate(commands, on: vsmmu)
    }
    func resynchronize(_ vsmmu: VSMMUID) throws(BackendFailure) { try wrapped.resynchronize(vsmmu) }

    func respond(
        _ response: PageResponse, to tag: StallTag, of vsid: StreamID, on vsmmu: VSMMUID
    ) throws(BackendFailure) -> Bool { try wrapped.respond(response, to: tag, of: vsid, on: vsmmu) }
    func terminateStalls(of vsid: StreamID?, on vsmmu: VSMMUID) throws(BackendFailure) {
        try wrapped.terminateStalls(of: vsid, on: vsmmu)
    }

    func bindDoorbell(
        _ doorbell: Doorbell, of vsid: StreamID, on vsmmu: VSMMUID
    ) throws(BackendFailure) -> MSIWindow { try wrapped.bindDoorbell(doorbell, of: vsid, on: vsmmu) }
    func access(_ access: DeviceAccess, data: inout MutableRawSpan) -> AccessReply {
        wrapped.access(access, data: &data)
    }
}

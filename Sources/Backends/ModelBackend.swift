package import BrokerCore
package import LinuxSystem
import SMMUModel
package import SMMUv3
package import Wire

/// Translation by software SMMUs, one for each vSMMU: for hosts without the hardware, and for tests.
///
/// It shares nothing with other sessions. Guest memory is mapped from the files that the descriptor table has; a file's
/// descriptor is needed only during ``map(_:)``.
package final class ModelBackend: TranslationBackend {
    private let descriptors: DescriptorTable
    private let guest = GuestMemory()
    private var vsmmus: [ModelVSMMU] = []
    /// Event sources of vSMMUs that are gone. Whoever waited for them has turned away by the time another vSMMU is made.
    private var retired: [ResourceID] = []

    package init(descriptors: DescriptorTable) { self.descriptors = descriptors }

    deinit {
        for resource in retired { descriptors.remove(resource.rawValue) }
        for vsmmu in vsmmus { descriptors.remove(vsmmu.events.resource.rawValue) }
    }

    package var features: Features { [.model, .pageResponse] }

    // MARK: Memory

    package func map(_ map: MemoryMap) throws(BackendFailure) {
        let (end, overflow) = map.ipa.addingReportingOverflow(map.size)
        guard !overflow, map.size > 0, (map.ipa | map.size | map.offset) % PrivateMemory.pageSize == 0,
            let count = Int(exactly: map.size)
        else {
            throw Self.failure(.invalid, map, "map", "IPA, size and offset are multiples of 4096 and end below 2^64.")
        }
        try requireFree(map, map.ipa..<end)
        let mapping: Mapping
        do throws(Errno) {
            let file = try descriptors.duplicate(map.file.rawValue)
            mapping = try Mapping(file, offset: map.offset, count: count, writable: map.writable)
        } catch {
            throw Self.failure(
                Status(rawValue: UInt32(bitPattern: error.code)), map, "map",
                "The kernel says: \(error). Check the daemon's memory and address space limits.",
                isTransient: error == .again || error == .noMemory)
        }
        guest.insert(map, mapping)
        for index in vsmmus.indices where !vsmmus[index].map(map) {
            for vsmmu in vsmmus[...index] { vsmmu.unmap(map) }
            guest.remove(map)
            throw Self.failure(
                .noMemory, map, "map", "Stage 2 of vSMMU \(vsmmus[index].id) has no room for its tables: map less.")
        }
    }

    /// Throws when something is in the way of guest memory in `bounds`.
    private func requireFree(_ map: MemoryMap, _ bounds: Range<UInt64>) throws(BackendFailure) {
        if guest.overlaps(bounds) { throw Self.failure(.exists, map, "map", "Part of the range is mapped already.") }
        for vsmmu in vsmmus {
            if vsmmu.stage2.layout.collides(with: bounds) { throw Self.collision(map, vsmmu.stage2.layout) }
            if vsmmu.smmu.memory.doorbells.contains(where: bounds.contains) {
                throw Self.failure(.exists, map, "map", "A doorbell of a device is there.")
            }
        }
    }

    package func unmap(_ map: MemoryMap) throws(BackendFailure) {
        guard guest.contains(map) else { throw Self.failure(.notFound, map, "unmap", "No such map.") }
        for vsmmu in vsmmus { vsmmu.unmap(map) }
        guest.remove(map)
    }

    // MARK: vSMMUs

    package func createVSMMU(
        _ id: VSMMUID, on smmu: PhysicalSMMU, advertised: IDRegisters
    ) throws(BackendFailure) {
        let operation = "create vSMMU \(id)"
        if vsmmus.contains(where: { $0.id == id }) {
            throw BackendFailure(.exists, operation, advice: "There is one of that number.")
        }
        for resource in retired { descriptors.remove(resource.rawValue) }
        retired = []
        let vsmmu: ModelVSMMU
        do throws(Errno) {
            vsmmu = ModelVSMMU(
                id, on: smmu, advertised: advertised, guest: guest, events: try ModelEventSource(in: descriptors))
        } catch {
            throw BackendFailure(
                Status(rawValue: UInt32(bitPattern: error.code)), operation,
                advice: "The kernel says: \(error). Raise the daemon's limit of open files.")
        }
        do throws(BackendFailure) {
            try mapAll(into: vsmmu)
        } catch {
            descriptors.remove(vsmmu.events.resource.rawValue)
            throw error
        }
        vsmmus.append(vsmmu)
    }

    /// Gives a new vSMMU all of the memory that the session has.
    private func mapAll(into vsmmu: ModelVSMMU) throws(BackendFailure) {
        for map in guest.maps {
            if vsmmu.stage2.layout.collides(with: map.ipa..<map.end) { throw Self.collision(map, vsmmu.stage2.layout) }
            if !vsmmu.map(map) {
                throw Self.failure(.noMemory, map, "map", "Stage 2 of vSMMU \(vsmmu.id) has no room for its tables.")
            }
        }
    }

    package func destroyVSMMU(_ id: VSMMUID) {
        guard let index = vsmmus.firstIndex(where: { $0.id == id }) else { return }
        retired.append(vsmmus.remove(at: index).events.resource)
    }

    package func eventSource(of vsmmu: VSMMUID) -> ResourceID? { find(vsmmu)?.events.resource }

    // MARK: Devices

    package func attach(
        _ device: HostDevice, to vsmmu: VSMMUID, as vsid: StreamID, initially: Installation
    ) throws(BackendFailure) -> AttachedDevice {
        let operation = "attach device \(device.name)"
        let target = try require(vsmmu, operation)
        guard device.streamID.rawValue >> UInt32(ModelLayout.streamIDBits) == 0 else {
            throw BackendFailure(
                .invalid, operation, advice: "StreamIDs of model devices have 16 bits; configure a lower one.")
        }
        if target.streams.contains(where: { $0.streamID == device.streamID || $0.vsid == vsid }) {
            throw BackendFailure(.exists, operation, advice: "Its StreamID or its vSID is in use on that vSMMU.")
        }
        target.attach(device, as: vsid, initially)
        return AttachedDevice()
    }

    package func detach(_ vsid: StreamID, from vsmmu: VSMMUID) throws(BackendFailure) {
        let (target, index) = try require(vsid, on: vsmmu, "detach vSID \(vsid.rawValue)")
        target.detach(at: index)
    }

    package func rebind(_ vsid: StreamID, to newVSID: StreamID, on vsmmu: VSMMUID) throws(BackendFailure) {
        let operation = "rebind vSID \(vsid.rawValue) to \(newVSID.rawValue)"
        let (target, index) = try require(vsid, on: vsmmu, operation)
        if newVSID == vsid { return }
        if target.streams.contains(where: { $0.vsid == newVSID }) {
            throw BackendFailure(.exists, operation, advice: "Another device has that vSID.")
        }
        target.streams[index].vsid = newVSID
    }

    package func install(
        _ installation: Installation, for vsid: StreamID, on vsmmu: VSMMUID
    ) throws(BackendFailure) {
        let (target, index) = try require(vsid, on: vsmmu, "install a translation for vSID \(vsid.rawValue)")
        target.install(installation, at: index)
    }

    /// Makes a device answer no ATC_INV, or answer again: for tests of what follows.
    package func setUnresponsive(_ unresponsive: Bool, _ vsid: StreamID, on vsmmu: VSMMUID) {
        guard let target = find(vsmmu), let index = target.index(of: vsid) else { return }
        let stream = target.streams[index].streamID
        if unresponsive {
            target.smmu.unresponsiveATCs.insert(stream)
        } else {
            target.smmu.unresponsiveATCs.remove(stream)
        }
    }

    // MARK: Commands

    package func invalidate(_ commands: Span<Command>, on vsmmu: VSMMUID) -> InvalidationOutcome {
        guard let target = find(vsmmu) else { return .failed(Self.noVSMMU(vsmmu, "invalidate")) }
        return target.invalidate(commands)
    }

    package func resynchronize(_ vsmmu: VSMMUID) throws(BackendFailure) {
        let operation = "resynchronize vSMMU \(vsmmu)"
        if try require(vsmmu, operation).resynchronize() { return }
        throw BackendFailure(
            .timedOut, operation, advice: "A device does not answer ATC_INV; detach it.", isTransient: true)
    }

    // MARK: Events

    package func readEvents(of vsmmu: VSMMUID, into slots: inout MutableSpan<EventRecord>) -> EventsRead {
        find(vsmmu)?.readEvents(into: &slots) ?? EventsRead(count: 0)
    }

    // MARK: Stalled transactions

    package func respond(
        _ response: PageResponse, to tag: StallTag, of vsid: StreamID, on vsmmu: VSMMUID
    ) throws(BackendFailure) -> Bool {
        let (target, index) = try require(vsid, on: vsmmu, "answer a stalled transaction of vSID \(vsid.rawValue)")
        return target.respond(response, to: tag, at: index)
    }

    package func terminateStalls(of vsid: StreamID?, on vsmmu: VSMMUID) throws(BackendFailure) {
        let operation = "terminate stalled transactions"
        guard let vsid else {
            let target = try require(vsmmu, operation)
            for index in target.streams.indices { target.terminateStalls(at: index) }
            return
        }
        let (target, index) = try require(vsid, on: vsmmu, operation)
        target.terminateStalls(at: index)
    }

    // MARK: MSIs and devices

    package func bindDoorbell(
        _ doorbell: Doorbell, of vsid: StreamID, on vsmmu: VSMMUID
    ) throws(BackendFailure) -> MSIWindow {
        let page = doorbell.ipa.rawValue & ~(PrivateMemory.pageSize - 1)
        let operation = "bind a doorbell at IPA \(doorbell.ipa.rawValue.hex)"
        let (target, index) = try require(vsid, on: vsmmu, operation)
        guard page < target.stage2.layout.base else {
            throw BackendFailure(
                .invalid, operation, advice: "It must be below \(target.stage2.layout.base.hex) on this vSMMU.")
        }
        if guest.overlaps(page..<page + PrivateMemory.pageSize) {
            throw BackendFailure(.exists, operation, advice: "Memory is mapped there: leave a hole for the doorbell.")
        }
        guard target.bindDoorbell(page, at: index) else {
            throw BackendFailure(.noMemory, operation, advice: "Stage 2 has no room for its tables: map less.")
        }
        return MSIWindow(base: page, size: PrivateMemory.pageSize)
    }

    package func access(_ access: DeviceAccess, data: inout MutableRawSpan) -> AccessReply {
        guard let target = find(access.vsmmu), let index = target.index(of: access.vsid) else { return .unreached }
        return target.access(access, at: index, data: &data)
    }

    package func walk(_ access: DeviceAccess) -> TableWalk? {
        guard let target = find(access.vsmmu), let index = target.index(of: access.vsid) else { return nil }
        return target.walk(access, at: index)
    }

    // MARK: Look-up

    private func find(_ id: VSMMUID) -> ModelVSMMU? {
        for vsmmu in vsmmus where vsmmu.id == id { return vsmmu }
        return nil
    }

    private func require(
        _ id: VSMMUID, _ operation: @autoclosure () -> String
    ) throws(BackendFailure) -> ModelVSMMU {
        guard let vsmmu = find(id) else { throw Self.noVSMMU(id, operation()) }
        return vsmmu
    }

    private func require(
        _ vsid: StreamID, on id: VSMMUID, _ operation: @autoclosure () -> String
    ) throws(BackendFailure) -> (ModelVSMMU, Int) {
        let vsmmu = try require(id, operation())
        guard let index = vsmmu.index(of: vsid) else {
            throw BackendFailure(.notFound, operation(), advice: "vSMMU \(id) has no vSID \(vsid.rawValue).")
        }
        return (vsmmu, index)
    }
}

// MARK: - Failures

extension ModelBackend {
    private static func failure(
        _ status: Status, _ map: MemoryMap, _ verb: String, _ advice: String, isTransient: Bool = false
    ) -> BackendFailure {
        BackendFailure(
            status, "\(verb) \(map.size) bytes at IPA \(map.ipa.hex)", advice: advice, isTransient: isTransient)
    }

    private static func collision(_ map: MemoryMap, _ layout: ModelLayout) -> BackendFailure {
        failure(
            .invalid, map, "map",
            "A software SMMU with addresses of \(layout.addressBits) bits keeps its tables from \(layout.base.hex) on: "
                + "map below that, or show the guest a larger IDR5.OAS.")
    }

    private static func noVSMMU(_ id: VSMMUID, _ operation: String) -> BackendFailure {
        BackendFailure(.notFound, operation, advice: "There is no vSMMU \(id).")
    }
}

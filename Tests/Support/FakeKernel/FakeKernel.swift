import IOMMUFD
package import LinuxSystem
import SMMUv3

/// iommufd and VFIO as far as nested translation needs them, without a kernel and without hardware: one open iommufd.
///
/// It has the semantics of Linux 7.3, odd ones included, and records what hardware would see. Descriptors that it gives
/// away are real ones; that the last copy of one has been closed shows with the next call.
package final class FakeKernel: IOMMUKernel {
    package let machine: FakeMachine
    /// Does what the hardware would do; nil: nobody.
    package weak var hardware: (any FakeHardware)?

    /// Calls so far, failed ones included.
    package private(set) var history: [Call] = []
    private var failures: [Failure] = []

    var objects: [UInt32: FakeObject] = [:]
    /// Ids that are never used again: of vDevices that went with their devices.
    var tombstones: Set<UInt32> = []
    /// Bytes that may be pinned.
    package var lockLimit = UInt64.max
    var lockedBytes: UInt64 = 0
    /// What the kernel wrote back as `entry_num` of the last invalidation.
    package internal(set) var lastEntryNumber = 0

    package init(_ machine: FakeMachine) { self.machine = machine }

    deinit {
        for device in machine.devices where device.owner === self { device.unbind() }
    }

    package enum Call: Hashable, Sendable, CaseIterable {
        case destroy, allocateIOAS, allowIOVAs, iovaRanges, mapFile, unmap, hardwareInfo, nestParent, viommu, nested
        case vdevice, invalidate, eventQueue, readEvents, bind, attach, detach, reset, faultQueue, readFaults,
            answerFault
    }

    /// What the next read of a vEVENTQ gives instead of what it has.
    package var garbage: [UInt8] = []
    private var delays: [Call: UInt64] = [:]

    /// Has each call of this kind take so many nanoseconds of the machine's time.
    package func delay(_ call: Call, _ nanoseconds: UInt64) { delays[call] = nanoseconds }

    /// Calls from the next one on that all fail, whichever they are, but for those of `sparing`; nil: none.
    package var plan: Plan?

    package struct Plan {
        package var skip: Int
        package var times: Int
        package var errno: Errno
        package var sparing: Set<Call>
        package init(skip: Int, times: Int, _ errno: Errno, sparing: Set<Call> = []) {
            (self.skip, self.times, self.errno, self.sparing) = (skip, times, errno, sparing)
        }
    }

    private struct Failure {
        var call: Call
        var skip: Int
        var times: Int
        var errno: Errno
    }

    /// Has a call of this kind fail without any effect: after `skip` that do not, `times` in a row.
    package func fail(_ call: Call, _ errno: Errno, after skip: Int = 0, times: Int = 1) {
        failures.append(Failure(call: call, skip: skip, times: times, errno: errno))
    }

    package func failNothing() { (failures, plan) = ([], nil) }

    package func count(of call: Call) -> Int { history.count { $0 == call } }

    /// What every call begins with.
    func enter(_ call: Call) throws(Errno) {
        noticeClosedDevices()
        history.append(call)
        machine.now += delays[call] ?? 0
        if var plan, !plan.sparing.contains(call) {
            defer { self.plan = plan }
            if plan.skip > 0 {
                plan.skip -= 1
            } else if plan.times > 0 {
                plan.times -= 1
                throw plan.errno
            }
        }
        for index in failures.indices where failures[index].call == call && failures[index].times > 0 {
            if failures[index].skip > 0 {
                failures[index].skip -= 1
                continue
            }
            failures[index].times -= 1
            throw failures[index].errno
        }
    }

    // MARK: Objects

    /// All that exist, by kind: for tests that nothing stays behind.
    package var liveObjects: [String] {
        noticeClosedDevices()
        return objects.values.map(\.kind.name).sorted()
    }

    /// The lowest number that is free: numbers are used again.
    func insert(_ kind: FakeObject.Kind, using used: [UInt32] = []) -> UInt32 {
        var id: UInt32 = 1
        while objects[id] != nil || tombstones.contains(id) { id += 1 }
        objects[id] = FakeObject(kind, uses: used)
        for other in used { objects[other]?.users += 1 }
        return id
    }

    func remove(_ id: UInt32) {
        guard let object = objects.removeValue(forKey: id) else { return }
        for other in object.uses { objects[other]?.users -= 1 }
    }

    func device(_ id: UInt32) throws(Errno) -> FakeDevice {
        guard case .device(let device)? = objects[id]?.kind else { throw .notFound }
        return device
    }

    package func destroy(_ id: UInt32) throws(Errno) {
        try enter(.destroy)
        guard let object = objects[id] else { throw .notFound }
        if object.users > 0 { throw .busy }
        switch object.kind {
        // The vfio descriptor holds it.
        case .device: throw .busy
        case .queue(_, let queue): if !queue.descriptor.isClosed { throw .busy }
        case .faults(let queue): if !queue.descriptor.isClosed { throw .busy }
        case .viommu: hardware?.removed(viommu: id)
        case .parent(let ioas, let smmu):
            smmu.freeVMIDs += 1
            if case .ioas(let space)? = objects[ioas]?.kind { unpin(space) }
        case .ioas(let space): for map in space.maps { hardware?.unmapped(iova: map.iova, length: map.length) }
        case .nested, .vdevice: break
        }
        remove(id)
    }

    /// A device whose last descriptor has gone is detached and unbound, and its vDevice taken with it.
    private func noticeClosedDevices() {
        for (id, object) in objects {
            guard case .device(let device) = object.kind, device.descriptor?.isClosed ?? true else { continue }
            block(device)
            revoke(device)
            if let vdevice = vdevice(of: device) {
                remove(vdevice.id)
                tombstones.insert(vdevice.id)
            }
            remove(id)
            device.unbind()
        }
    }

    func vdevice(of device: FakeDevice) -> (id: UInt32, vsid: StreamID)? {
        for (id, object) in objects {
            if case .vdevice(_, let other, let vsid) = object.kind, other === device { return (id, vsid) }
        }
        return nil
    }
}

/// An object of iommufd.
final class FakeObject {
    let kind: Kind
    /// What it refers to, which cannot be destroyed before it.
    let uses: [UInt32]
    var users = 0

    init(_ kind: Kind, uses: [UInt32]) { (self.kind, self.uses) = (kind, uses) }

    enum Kind {
        case ioas(FakeIOAS)
        case parent(ioas: UInt32, FakeSMMU)
        case viommu(parent: UInt32, FakeSMMU)
        case nested(viommu: UInt32, word0: UInt64, word1: UInt64)
        case vdevice(viommu: UInt32, FakeDevice, StreamID)
        case queue(viommu: UInt32, FakeEventQueue)
        case faults(FakeFaultQueue)
        case device(FakeDevice)

        var name: String {
            switch self {
            case .ioas: "IOAS"
            case .parent: "nest parent"
            case .viommu: "vIOMMU"
            case .nested: "nested HWPT"
            case .vdevice: "vDevice"
            case .queue: "vEVENTQ"
            case .faults: "fault queue"
            case .device: "device"
            }
        }
    }
}

import Backends
import BrokerCore
import FakeKernel
import IOMMUFD
import LinuxSystem
import SMMUv3
import Wire

/// Hardware for a ``FakeKernel``: the software SMMUs of the model, one for each vIOMMU. So a backend above the fake kernel
/// can be asked what its devices reach.
final class ModelHardware: FakeHardware {
    private let descriptors = DescriptorTable()
    private let model: ModelBackend
    private var files: [UInt64: MemoryMap] = [:]
    private var streams: [Stream] = []
    private var sources: [UInt32] = []

    private struct Stream {
        let device: FakeDevice
        var viommu: UInt32
        var vsid: StreamID
    }

    init() { model = ModelBackend(descriptors: descriptors) }

    // MARK: FakeHardware

    func mapped(_ map: FileMapping) {
        guard let copy = try? OwnedFD.copy(of: map.descriptor) else { return }
        let file = ResourceID(rawValue: descriptors.insert(copy))
        let memory = MemoryMap(
            ipa: map.iova, size: map.length, offset: map.offset, readable: map.readable, writable: map.writable,
            file: file)
        guard (try? model.map(memory)) != nil else { return descriptors.remove(file.rawValue) }
        files[map.iova] = memory
    }

    func unmapped(iova: UInt64, length: UInt64) {
        guard let memory = files.removeValue(forKey: iova) else { return }
        try? model.unmap(memory)
        descriptors.remove(memory.file.rawValue)
    }

    func made(viommu: UInt32, on smmu: FakeSMMU) {
        guard let name = Name(smmu.name) else { return }
        let physical = PhysicalSMMU(name: name, registers: smmu.registers)
        try? model.createVSMMU(VSMMUID(viommu), on: physical, advertised: smmu.registers)
    }

    func removed(viommu: UInt32) {
        for stream in streams where stream.viommu == viommu { remove(stream.device) }
        model.destroyVSMMU(VSMMUID(viommu))
    }

    func attached(_ device: FakeDevice, told: Bool) {
        guard case .nested(let viommu, let word0, let word1) = device.installed, device.attached != nil else {
            return remove(device)
        }
        let installation: Installation =
            device.installed.aborts
            ? .abort : (device.installed.translates ? .stage1(word0: word0, word1: word1) : .bypass)
        let vsid = device.latched ?? StreamID(0xffff_0000 | device.streamID.rawValue)
        if let index = streams.firstIndex(where: { $0.device === device && $0.viommu == viommu }) {
            if streams[index].vsid != vsid {
                try? model.rebind(streams[index].vsid, to: vsid, on: VSMMUID(viommu))
                streams[index].vsid = vsid
            }
            if told { try? model.install(installation, for: vsid, on: VSMMUID(viommu)) }
            return
        }
        remove(device)
        guard let name = Name(device.name), let smmu = Name(device.smmu.name) else { return }
        let host = HostDevice(
            name: name, smmu: PhysicalSMMU(name: smmu, registers: device.smmu.registers), streamID: device.streamID,
            hasATS: device.hasATS, pasidBits: device.pasidBits)
        _ = try? model.attach(host, to: VSMMUID(viommu), as: vsid, initially: installation)
        streams.append(Stream(device: device, viommu: viommu, vsid: vsid))
    }

    private func remove(_ device: FakeDevice) {
        guard let index = streams.firstIndex(where: { $0.device === device }) else { return }
        try? model.detach(streams[index].vsid, from: VSMMUID(streams[index].viommu))
        streams.remove(at: index)
    }

    func execute(_ commands: [Command], in viommu: UInt32) {
        _ = model.invalidate(commands.span, on: VSMMUID(viommu))
    }

    // MARK: Accesses

    /// An access of a device, as hardware does it; what is recorded goes to the kernel.
    func access(_ device: FakeDevice, _ access: DeviceAccess, data: inout MutableRawSpan, _ kernel: FakeKernel)
        -> AccessReply
    {
        guard let stream = streams.first(where: { $0.device === device }) else { return .unreached }
        var access = access
        (access.vsmmu, access.vsid) = (VSMMUID(stream.viommu), stream.vsid)
        let reply = model.access(access, data: &data)
        var slots = [EventRecord](repeating: EventRecord(), count: 16)
        var span = slots.mutableSpan
        let read = model.readEvents(of: VSMMUID(stream.viommu), into: &span)
        for index in 0..<read.count { kernel.raise(slots[index], by: device) }
        return reply
    }
}

extension AccessReply {
    /// Terminated, and nobody told.
    static var unreached: AccessReply {
        AccessReply(
            stage1: .abort, stage2: .notReached, ipa: IPA(rawValue: 0), permissions: [], recorded: false,
            event: EventRecord())
    }
}

extension OwnedFD {
    /// A descriptor of its own, of the file of one that is somebody else's.
    static func copy(of raw: Int32) throws -> OwnedFD {
        let borrowed = OwnedFD(adopting: raw)
        let copy: OwnedFD
        do { copy = try borrowed.duplicate() } catch {
            _ = borrowed.release()
            throw error
        }
        _ = borrowed.release()
        return copy
    }
}

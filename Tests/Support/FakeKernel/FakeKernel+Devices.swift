package import IOMMUFD
package import LinuxSystem
import SMMUv3

extension FakeKernel {
    package func bind(_ path: DevicePath) throws(Errno) -> BoundDeviceHandle {
        try enter(.bind)
        guard let device = machine.devices.first(where: { $0.path == path }) else { throw .notFound }
        if device.isBound { throw .invalid }
        let pipe = try FakeDescriptor.make()
        (device.owner, device.descriptor) = (self, pipe.kernel)
        _ = device.install(.blocked)
        return BoundDeviceHandle(id: insert(.device(device)), descriptor: pipe.owner)
    }

    /// By any copy of its descriptor: whoever has one may do this.
    private func device(raw: Int32) throws(Errno) -> FakeDevice {
        for object in objects.values {
            if case .device(let device) = object.kind, device.descriptor?.isSame(as: raw) ?? false { return device }
        }
        throw .badDescriptor
    }

    package func attach(raw descriptor: Int32, to hwpt: UInt32) throws(Errno) {
        try enter(.attach)
        let device = try device(raw: descriptor)
        if device.isResetting { throw .busy }
        guard let object = objects[hwpt] else { throw .notFound }
        // The driver is not called at all.
        if device.attached == hwpt { return }
        let installed: FakeDevice.Installed
        let parent: UInt32
        switch object.kind {
        case .parent: (installed, parent) = (.stage2Only, hwpt)
        case .nested(let viommu, let word0, let word1):
            guard case .viommu(let below, _)? = objects[viommu]?.kind else { throw .invalid }
            (installed, parent) = (.nested(viommu: viommu, word0: word0, word1: word1), below)
        default: throw .invalid
        }
        guard case .parent(let ioas, let smmu)? = objects[parent]?.kind, smmu === device.smmu else { throw .invalid }
        let vdevice = vdevice(of: device)
        let faults = object.uses.contains { if case .faults? = objects[$0]?.kind { true } else { false } }
        // CONFIG_ARM_SMMU_V3_SVA.
        if faults && device.canStall && !machine.hasSVA { throw .notSupported }
        if installed.translates && vdevice == nil { throw .notFound }
        if case .ioas(let space)? = objects[ioas]?.kind {
            if space.coversWindow { throw .inUse }
            space.isReserved = true
        }
        abortStalls(of: device)
        if let old = device.attached { objects[old]?.users -= 1 }
        object.users += 1
        device.attached = hwpt
        device.latched = installed == .stage2Only ? nil : vdevice?.vsid
        let told = device.install(installed)
        hardware?.attached(device, told: told)
    }

    package func detach(raw descriptor: Int32) throws(Errno) {
        try enter(.detach)
        let device = try device(raw: descriptor)
        if device.isResetting { throw .busy }
        block(device)
    }

    /// Nothing when it is not attached.
    func block(_ device: FakeDevice) {
        abortStalls(of: device)
        if let old = device.attached { objects[old]?.users -= 1 }
        (device.attached, device.latched) = (nil, nil)
        let told = device.install(.blocked)
        hardware?.attached(device, told: told)
    }

    package func reset(raw descriptor: Int32) throws(Errno) {
        try enter(.reset)
        _ = try device(raw: descriptor)
    }
}

package import BrokerCore
import IOMMUFD
import LinuxSystem
package import SMMUv3
package import Wire

extension IOMMUFDBackend {
    // MARK: Finding out

    package func probe(_ device: Name) throws(BackendFailure) -> HostDevice? {
        if let stream = attached(device) { return stream.device }
        if let probed, probed.device.name == device { return probed.device }
        probed = nil
        probed = try bind(device)
        return probed?.device
    }

    package func endProbe() { probed = nil }

    private func attached(_ device: Name) -> IOMMUFDStream? {
        for vsmmu in vsmmus { for stream in vsmmu.streams where stream.device.name == device { return stream } }
        return nil
    }

    /// Takes a device over, and asks what it and its SMMU are.
    private func bind(_ name: Name) throws(BackendFailure) -> (device: HostDevice, bound: BoundDevice) {
        guard let address = PCIAddress(name.description) else {
            throw BackendFailure(
                .noDevice, "find the device \(name)", advice: "devices of this host have names such as 0000:01:00.0")
        }
        let located = try locate(address)
        guard let smmu = Name(located.smmu) else {
            throw BackendFailure(
                .noDevice, "find the device \(name)", advice: "its SMMU has no name that can be used: \(located.smmu)")
        }
        let kernel = try requireIOAS().kernel
        return try attempt { () throws(IOMMUError) in
            let bound = try BoundDevice(name.description, at: located.path, of: kernel, canStall: located.canStall)
            // Its number was free: whoever had it before is gone.
            for (_, hold) in holds where hold.device == bound.id { hold.end() }
            holds.removeAll { !$0.hold.isHeld }
            let info = try bound.hardwareInfo()
            let physical = PhysicalSMMU(
                name: smmu, registers: info.registers, errata: info.repeatsTLBIAndCFGI ? .repeatTLBIAndCFGI : [],
                stalls: info.registers.stallModel != .terminateOnly)
            remember(name, behind: smmu)
            let device = HostDevice(
                name: name, smmu: physical, streamID: StreamID(address.requesterID), hasATS: info.hasATS,
                pasidBits: info.pasidBits)
            return (device, bound)
        }
    }

    private func locate(_ address: PCIAddress) throws(BackendFailure) -> LocatedDevice {
        do throws(LocationError) { return try locator.locate(address) } catch {
            throw BackendFailure(.noDevice, error.operation, advice: error.advice)
        }
    }

    private func remember(_ device: Name, behind smmu: Name) {
        if !representatives.contains(where: { $0.smmu == smmu }) { representatives.append((smmu, device)) }
    }

    /// Any device behind an SMMU: the one that has been probed, one that is attached, or one that was found behind it.
    func representative(of smmu: Name) throws(BackendFailure) -> BoundDevice {
        if let probed, probed.device.smmu.name == smmu { return probed.bound }
        for vsmmu in vsmmus where vsmmu.smmu.name == smmu {
            if let stream = vsmmu.streams.first { return stream.bound }
        }
        guard let known = representatives.first(where: { $0.smmu == smmu }) else {
            throw BackendFailure(
                .noDevice, "find a device behind the SMMU \(smmu)", advice: "name one that is bound to vfio-pci")
        }
        return try bind(known.device).bound
    }

    // MARK: Attaching

    package func attach(
        _ device: HostDevice, to vsmmu: VSMMUID, as vsid: StreamID, initially: Installation
    ) throws(BackendFailure) -> AttachedDevice {
        let operation = "attach device \(device.name)"
        let target = try require(vsmmu, operation)
        if target.stream(vsid) != nil || attached(device.name) != nil {
            throw BackendFailure(.exists, operation, advice: "it is attached already, or its vSID is another's")
        }
        let bound = try take(device.name)
        let copy: OwnedFD
        do throws(Errno) { copy = try bound.duplicate() } catch {
            throw BackendFailure(
                Status(rawValue: UInt32(bitPattern: error.code)), operation,
                advice: "the kernel says \(error.name): raise the daemon's limit of open files")
        }
        try attempt { () throws(IOMMUError) in try target.attach(device, bound, as: vsid, initially) }
        return AttachedDevice(msi: reservedWindow, descriptor: insertDescriptor(copy))
    }

    /// The device, bound: as it was probed, or now.
    private func take(_ name: Name) throws(BackendFailure) -> BoundDevice {
        if let probed, probed.device.name == name {
            self.probed = nil
            return probed.bound
        }
        return try bind(name).bound
    }

    package func detach(_ vsid: StreamID, from vsmmu: VSMMUID) throws(BackendFailure) {
        let (target, stream) = try require(vsid, on: vsmmu, "detach vSID \(vsid.rawValue)")
        noteHold(stream)
        try attempt { () throws(IOMMUError) in try target.detach(stream) }
    }

    /// While it is still ours, for later.
    private func noteHold(_ stream: IOMMUFDStream) {
        holds.removeAll { $0.device == stream.device.name || !$0.hold.isHeld }
        do throws(Errno) {
            holds.append((stream.device.name, IOMMUFDHold(try stream.bound.witness(), stream.bound.id)))
        } catch {
            // No descriptor is left for it: then the next one to bind the device finds out.
            return
        }
    }

    /// One of a device that could not be detached says that it is held until its vSMMU is destroyed.
    package func takeHold(of device: Name) -> (any DeviceHold)? {
        if let stream = attached(device) { noteHold(stream) }
        guard let index = holds.firstIndex(where: { $0.device == device }) else { return nil }
        if holds[index].hold.isHeld { return holds[index].hold }
        // Else its witness would be kept until the session's end.
        holds.remove(at: index)
        return nil
    }

    package func rebind(_ vsid: StreamID, to newVSID: StreamID, on vsmmu: VSMMUID) throws(BackendFailure) {
        let operation = "rebind vSID \(vsid.rawValue) to \(newVSID.rawValue)"
        let (target, stream) = try require(vsid, on: vsmmu, operation)
        if newVSID == vsid { return }
        if target.stream(newVSID) != nil {
            throw BackendFailure(.exists, operation, advice: "another device has that vSID")
        }
        try attempt { () throws(IOMMUError) in try target.rebind(stream, to: newVSID) }
    }
}
